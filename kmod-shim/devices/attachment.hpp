// One way to give the kernel a block device for a volume: ublk, or FUSE with a loop device.
// KernelDevice puts the names /dev/drbdN in front of whichever is used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "devices/device_users.hpp"
#include "io/task.hpp"

namespace replicator::shim {

class Attachment {
 public:
  virtual ~Attachment() = default;

  // Makes the block device; the volume is Primary. The result is its device number.
  virtual Task<Result<std::uint64_t>> attach() = 0;
  // Takes it away unless somebody has it open: Fault::busy, and nothing has changed (S4). When it
  // is gone, everything written through it has reached the volume, and the volume is closed.
  virtual Task<Status> detach_if_unused() = 0;
  // Takes it away now as far as the kernel lets us; openers see errors from here on.
  virtual Task<void> abandon() = 0;
  // The volume's size has changed.
  virtual Task<Status> resize() = 0;
  // Who uses it, for people.
  virtual Task<std::vector<DeviceUser>> users() = 0;
  // The path of the disk under the volume; empty without one.
  virtual void set_backing_disk(const std::string& /*path*/) {}
  // Somebody else's writes are about to reach the volume: who has seen its data before must not go
  // on with them. At once, without waiting.
  virtual void data_changed() noexcept {}
};

}  // namespace replicator::shim
