// A ublk device from its making to its end, as sequences of commands that wait for the driver:
// never on the reactor's thread, and so without log lines, which belong to it. Without state of its
// own; what is known of a device is a Handle.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "devices/device_record.hpp"
#include "devices/file_descriptor.hpp"
#include "devices/left_behind.hpp"
#include "ublk/control.hpp"
#include "ublk/driver_interface.hpp"

namespace replicator::shim::ublk {

struct Handle {
  DeviceInfo info;
  Parameters parameters;
};

// A new device up to where its queues can be opened, with its record written.
Result<Handle> add_device(Control& control, DeviceRecord& record, DeviceInfo wanted,
                          const Parameters& parameters);
// One that waits for a server, as it was made. Waits a while for the server before to be gone.
Result<Handle> begin_recovery(Control& control, const DeviceRecord& record);
// The device file of its server.
Result<FileDescriptor> open_character(const Handle& handle);
// The disk's number becomes known.
Status start(Control& control, Handle& handle);
Status end_recovery(Control& control, Handle& handle);

// Fault::busy, and nothing has changed, while somebody has it open: the driver says so where it
// can, else what the kernel shows of its users does (docs/decisions/device-open-count.md). What was
// written through it has reached the server.
Status stop_if_unused(Control& control, const Handle& handle);

// Whatever it is in; its users see errors. Then it is removed when its last user closes it.
Status stop_and_remove(Control& control, std::uint32_t id);

// What becomes of a device that the record names; `asked` is what the driver answered, 0 or -errno.
Fate fate(const DeviceRecord& record, std::int32_t asked, const DeviceInfo& info) noexcept;

// Of the driver behind `control`, which outlives this.
class UblkLeftBehind final : public LeftBehind {
 public:
  explicit UblkLeftBehind(Control& control) noexcept
      : LeftBehind(ublk_records), control_(control) {}
  [[nodiscard]] std::string name(const DeviceRecord& record) const override;

  Fate look_at(const DeviceRecord& record) override;
  void end(const DeviceRecord& record) override;

 private:
  Control& control_;
};

std::uint64_t disk_number(const Handle& handle) noexcept;

}  // namespace replicator::shim::ublk
