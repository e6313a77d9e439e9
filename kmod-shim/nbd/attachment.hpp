// A device of the kernel's nbd client for a volume: the kernel sends its requests over a socket to
// this process. Keeps S4: it exists while the volume is Primary.
//
// It outlives a daemon that is killed: the kernel keeps its requests, and those that were not
// answered, until a new daemon gives the device another socket. That is done with attach(), when
// the administrator has made this node Primary again; until then the users of the device wait. They
// may only go on if nobody else has changed the data since, for they have seen them, and file
// systems keep what they have seen: data_changed() gives the device up, and its users see errors.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devices/attachment.hpp"
#include "devices/device_record.hpp"
#include "io/block_device.hpp"
#include "io/sync.hpp"
#include "nbd/control.hpp"
#include "nbd/service.hpp"
#include "uring/reactor.hpp"

namespace replicator::shim::kernel_nbd {

class NbdAttachment final : public Attachment {
 public:
  // `waiting`: the device that a daemon before has left behind. The references outlive this.
  NbdAttachment(uring::Reactor& reactor, Control& control, io::BlockDevice& device,
                std::string volume, std::uint32_t minor, std::optional<DeviceRecord> waiting);
  ~NbdAttachment() override;

  Task<Result<std::uint64_t>> attach() override;
  [[nodiscard]] bool waits_for_attach() const noexcept override { return waiting_.has_value(); }
  Task<Status> detach_if_unused() override;
  Task<void> abandon() override;
  Task<Status> resize() override;
  Task<std::vector<DeviceUser>> users() override;
  void set_backing_disk(const std::string& path) override { backing_disk_ = path; }
  void data_changed() noexcept override;
  [[nodiscard]] bool can_be_left() const noexcept override { return served_.has_value(); }
  void hold() noexcept override { service_.hold(); }
  [[nodiscard]] bool quiet() const noexcept override { return service_.quiet(); }
  void release() noexcept override { service_.release(); }
  Task<Status> leave() override;

 private:
  Task<Status> create();
  Task<bool> recover();
  Task<Status> bring_up(DeviceRecord record, bool recovery);
  Task<void> give_up(DeviceRecord record);
  Task<void> drop(DeviceRecord record);
  Task<void> catch_up_size();

  uring::Reactor& reactor_;
  Control& control_;
  io::BlockDevice& device_;
  std::string volume_;
  std::uint32_t minor_;
  std::string backing_disk_;
  std::optional<DeviceRecord> waiting_;
  std::optional<DeviceRecord> served_;
  std::uint64_t disk_ = 0;
  Service service_;
  // The kernel holds up all generic netlink until a change of size is done, for which it waits for
  // the requests in flight: they must be answered, so nothing else is done to the device meanwhile.
  io::Semaphore turn_{1};
  io::Gate background_;  // last: its frames refer to everything above
};

}  // namespace replicator::shim::kernel_nbd
