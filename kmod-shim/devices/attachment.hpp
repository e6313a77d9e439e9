// One way to give the kernel a block device for a volume: ublk, nbd, or FUSE with a loop device.
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
  // A device of a daemon before this one, and its users, wait for attach().
  [[nodiscard]] virtual bool waits_for_attach() const noexcept { return false; }
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
  // For a daemon after this one, while it is attached. From hold() on the kernel's requests wait;
  // when it is quiet(), none that came before is in progress. Then either release() ends that, or
  // leave() gives up the volume and not the device: this process is to end, and the successor's
  // attach() goes on. leave() may fail: then its users will see errors.
  [[nodiscard]] virtual bool can_be_left() const noexcept { return false; }
  virtual void hold() noexcept {}
  [[nodiscard]] virtual bool quiet() const noexcept { return true; }
  virtual void release() noexcept {}
  virtual Task<Status> leave() {
    co_return Status(Fault::unsupported, "a device that ends with its daemon");
  }
  // Somebody else's writes are about to reach the volume: who has seen its data before must not go
  // on with them. At once, without waiting.
  virtual void data_changed() noexcept {}
};

}  // namespace replicator::shim
