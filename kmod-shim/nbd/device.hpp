// An nbd device from its making to its end, as sequences of messages that wait for the kernel:
// never on the reactor's thread, and so without log lines, which belong to it. Without state of its
// own; what is known of a device is its record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "devices/device_record.hpp"
#include "devices/left_behind.hpp"
#include "io/block_device.hpp"
#include "nbd/control.hpp"

namespace replicator::shim::kernel_nbd {

// A new device over the other end of `socket`; its number is in the record, which is written before
// there is anything that could be left behind.
Status make_device(Control& control, const DeviceRecords& records, DeviceRecord& record,
                   const io::BlockLimits& limits, bool rotational, int socket);

// Fault::not_found for a device that is not ours any more, or was disconnected by somebody.
Status give_socket_to(Control& control, const DeviceRecord& record, int socket);

Status tell_size(Control& control, const DeviceRecord& record, const io::BlockLimits& limits);

// Fault::busy, and nothing has changed, while somebody has it open. The kernel decides
// (docs/decisions/device-open-count.md). What was written through it has reached the server.
Status disconnect_if_unused(Control& control, const DeviceRecord& record);

// Whatever it is in; its users see errors, and the number is free when the last one has closed it.
// The server's end of the socket must have been closed: the kernel says goodbye, with its lock for
// generic netlink held, and would wait for room.
Status disconnect_and_forget(Control& control, const DeviceRecords& records, DeviceRecord record);

class NbdLeftBehind final : public LeftBehind {
 public:
  // The references outlive this.
  NbdLeftBehind(Control& control, const DeviceRecords& records) noexcept
      : LeftBehind(records), control_(control), records_(records) {}
  [[nodiscard]] std::string name(const DeviceRecord& record) const override;
  Fate look_at(const DeviceRecord& record) override;
  void end(const DeviceRecord& record) override;

 private:
  Control& control_;
  const DeviceRecords& records_;
};

}  // namespace replicator::shim::kernel_nbd
