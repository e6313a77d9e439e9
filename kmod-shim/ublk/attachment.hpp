// A ublk device for a volume: the kernel's block layer hands its requests to this process. Keeps
// S4: it exists while the volume is Primary.
//
// It outlives a daemon that is killed: the kernel keeps its requests, and those that were not
// answered, until a new daemon serves the device (begin_recovery). That is done with attach(), when
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
#include "io/buffer_pool.hpp"
#include "io/sync.hpp"
#include "ublk/control.hpp"
#include "ublk/device.hpp"
#include "ublk/queues.hpp"
#include "uring/reactor.hpp"

namespace replicator::shim::ublk {

struct Options {
  std::uint16_t queues = 1;
  std::uint16_t depth = 64;  // requests in flight for each queue
  bool survives = true;      // the end of this daemon
  std::uint64_t features = 0;
};

class UblkAttachment final : public Attachment {
 public:
  // `waiting`: the device that a daemon before has left behind. The references outlive this.
  UblkAttachment(uring::Reactor& reactor, Control& control, io::BlockDevice& device,
                 io::BufferPool& pool, Options options, std::string volume, std::uint32_t minor,
                 std::optional<DeviceRecord> waiting);
  ~UblkAttachment() override;

  Task<Result<std::uint64_t>> attach() override;
  [[nodiscard]] bool waits_for_attach() const noexcept override { return waiting_.has_value(); }
  Task<Status> detach_if_unused() override;
  Task<void> abandon() override;
  Task<Status> resize() override;
  Task<std::vector<DeviceUser>> users() override;
  void set_backing_disk(const std::string& path) override { backing_disk_ = path; }
  void data_changed() noexcept override;
  [[nodiscard]] bool can_be_left() const noexcept override;
  void hold() noexcept override { queues_->hold(); }
  [[nodiscard]] bool quiet() const noexcept override { return queues_->quiet(); }
  void release() noexcept override { queues_->release(); }
  Task<Status> leave() override;

 private:
  Task<Status> create();
  Task<bool> recover();
  Task<Status> bring_up(bool recovery);
  Task<void> give_up();
  Task<void> drop(std::uint32_t id);
  Task<void> let_go(DeviceRecord record);
  Status open_queues();

  uring::Reactor& reactor_;
  Control& control_;
  io::BlockDevice& device_;
  io::BufferPool& pool_;
  Options options_;
  std::string volume_;
  std::uint32_t minor_;
  std::string backing_disk_;
  std::optional<DeviceRecord> waiting_;
  std::optional<Handle> handle_;  // of the device that is served
  std::unique_ptr<Queues> queues_;
  io::Gate background_;  // last: its frames refer to everything above
};

}  // namespace replicator::shim::ublk
