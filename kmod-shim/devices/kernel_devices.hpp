// All block devices of this daemon: the ways to them that the kernel offers, and what a daemon that
// was killed has left behind.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "devices/attachment.hpp"
#include "devices/choice.hpp"
#include "devices/device_node.hpp"
#include "devices/kernel_device.hpp"
#include "devices/volume_mounts.hpp"
#include "fuse/receive_buffers.hpp"
#include "io/block_device.hpp"
#include "uring/reactor.hpp"

namespace replicator::shim {

namespace ublk {
class Control;
}
namespace kernel_nbd {
class Control;
}
class LeftBehind;

inline constexpr std::uint16_t ublk_queues_max = 16;
inline constexpr std::uint16_t ublk_depth_max = 1024;

struct KernelDeviceOptions {
  DeviceWish wish = DeviceWish::best;
  std::uint16_t ublk_queues = 1;
  std::uint16_t ublk_depth = 64;
  bool survive = true;               // users of a device wait when this daemon dies
  keeper::Client* keeper = nullptr;  // outlives the devices; null: FUSE ones do not survive
};

class KernelDevices {
 public:
  explicit KernelDevices(uring::Reactor& reactor, KernelDeviceOptions options);
  KernelDevices(const KernelDevices&) = delete;
  KernelDevices& operator=(const KernelDevices&) = delete;
  ~KernelDevices();

  // Looks what there is, says so in the log, and lets go what is left behind and of no use.
  Task<void> start();

  [[nodiscard]] bool available() const noexcept { return ways_.any(); }
  // The volume outlives the device.
  Task<Result<std::unique_ptr<KernelDevice>>> create(io::BlockDevice& volume, DeviceNames names);
  // Devices of a resource that wait for a daemon, and will wait forever if it does not come up.
  Task<void> give_up_waiting(std::string resource);

 private:
  Task<void> look_around();
  void tell(const Result<std::uint64_t>& ublk, const Status& nbd) const;
  Task<void> sort_out_left_behind();
  std::optional<LoopRecord> waiting_loop(const std::string& volume, std::uint32_t minor);
  Task<std::unique_ptr<Attachment>> attachment(io::BlockDevice& volume, DeviceNames names);
  Task<std::unique_ptr<Attachment>> by_ublk(io::BlockDevice& volume, DeviceNames names);
  Task<std::unique_ptr<Attachment>> by_nbd(io::BlockDevice& volume, DeviceNames names);
  Task<std::unique_ptr<Attachment>> by_fuse(io::BlockDevice& volume, DeviceNames names);

  uring::Reactor& reactor_;
  KernelDeviceOptions options_;
  DeviceWays ways_;
  std::uint64_t ublk_features_ = 0;
  std::unique_ptr<ublk::Control> ublk_;
  std::unique_ptr<kernel_nbd::Control> nbd_;
  std::unique_ptr<LeftBehind> left_by_ublk_;
  std::unique_ptr<LeftBehind> left_by_nbd_;
  keeper::Client no_keeper_{FileDescriptor()};
  keeper::Client& keeper_;
  std::unique_ptr<ReceiveBuffers> volume_buffers_;
};

}  // namespace replicator::shim
