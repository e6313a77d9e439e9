// /dev/drbdN of one volume, from new-minor to del-minor. Keeps S4: the device of a Secondary cannot
// be opened, and a device that is open cannot become Secondary.
//
// The order at a promotion: first the volume becomes Primary, then promote(). At a demotion: first
// demote(), and only if that succeeds the volume becomes Secondary.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/attachment.hpp"
#include "devices/device_node.hpp"
#include "uring/reactor.hpp"

namespace replicator::shim {

class KernelDevice {
 public:
  // Creates the names; the device is closed. Fault::malformed for a resource name that cannot be a
  // file name.
  static Task<Result<std::unique_ptr<KernelDevice>>> create(uring::Reactor& reactor,
                                                            std::unique_ptr<Attachment> attachment,
                                                            DeviceNames names);
  KernelDevice(const KernelDevice&) = delete;
  KernelDevice& operator=(const KernelDevice&) = delete;
  ~KernelDevice();

  // Opens the device to applications. Nothing happens when it is open already.
  Task<Status> promote();
  // Fault::busy while somebody has it open; it stays promoted then.
  Task<Status> demote();
  // After the volume's size has changed. A kernel that cannot tell the users of a device gets a new
  // one when there are none; else Fault::unsupported.
  Task<Status> resize();
  // The backing disk came or went (empty); the by-disk link follows.
  Task<Status> set_backing_disk(std::string path);

  // Somebody else's writes are about to reach the volume (attachment.hpp).
  void data_changed() noexcept { attachment_->data_changed(); }

  // Users of a device that a daemon before this one made wait for promote().
  [[nodiscard]] bool waits_for_attach() const noexcept { return attachment_->waits_for_attach(); }

  // For a daemon after this one (attachment.hpp); while it is promoted.
  [[nodiscard]] bool can_be_left() const noexcept { return attachment_->can_be_left(); }
  void hold() noexcept { attachment_->hold(); }
  [[nodiscard]] bool quiet() const noexcept { return attachment_->quiet(); }
  void release() noexcept { attachment_->release(); }
  Task<Status> leave() { return attachment_->leave(); }

  // For messages; the answer may be out of date already. Gives udev, which looks at each new
  // device, some seconds to let go of it.
  Task<std::vector<DeviceUser>> users();

  // Removes the names and the block device, also when it is open; the last call. Whoever minds asks
  // demote() first.
  Task<void> remove();

  [[nodiscard]] bool promoted() const noexcept { return promoted_; }
  [[nodiscard]] const DeviceNames& names() const noexcept { return names_; }

 private:
  KernelDevice(uring::Reactor& reactor, std::unique_ptr<Attachment> attachment, DeviceNames names);
  Task<Status> point_to(std::uint64_t device_number);

  uring::Reactor& reactor_;
  std::unique_ptr<Attachment> attachment_;
  DeviceNames names_;
  std::uint64_t device_number_ = closed_device;
  bool promoted_ = false;
};

}  // namespace replicator::shim
