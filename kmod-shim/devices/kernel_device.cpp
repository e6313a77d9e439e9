#include "devices/kernel_device.hpp"

#include <utility>

#include "base/log.hpp"
#include "off_thread.hpp"

namespace replicator::shim {

namespace {

bool is_file_name(const std::string& name) noexcept {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.size() <= 128;
}

}  // namespace

KernelDevice::KernelDevice(uring::Reactor& reactor, std::unique_ptr<Attachment> attachment,
                           DeviceNames names)
    : reactor_(reactor), attachment_(std::move(attachment)), names_(std::move(names)) {}

KernelDevice::~KernelDevice() { ensure(attachment_ == nullptr); }

Task<Result<std::unique_ptr<KernelDevice>>> KernelDevice::create(
    uring::Reactor& reactor, std::unique_ptr<Attachment> attachment, DeviceNames names) {
  const bool valid = is_file_name(names.resource);
  std::unique_ptr<KernelDevice> device(
      new KernelDevice(reactor, std::move(attachment), std::move(names)));
  Status made = Status(Fault::malformed, "resource name");
  if (valid) {
    const auto work = [names = &device->names_] {
      const Status pointed = point_node(*names, closed_device);
      return pointed.ok() ? create_links(*names) : pointed;
    };
    made = co_await off_thread(reactor, work);
  }
  if (made.ok()) co_return std::move(device);
  if (valid) co_await device->remove();
  device->attachment_.reset();
  co_return tl::unexpected(made);
}

Task<Status> KernelDevice::point_to(std::uint64_t device_number) {
  const auto work = [this, device_number] { return point_node(names_, device_number); };
  co_return co_await off_thread(reactor_, work);
}

// udev looks at a device that has just appeared, or has got its name, and is gone in a moment: that
// is no use that a demotion must be refused for.
Task<std::vector<DeviceUser>> KernelDevice::users() {
  constexpr Duration pause = Duration::milliseconds(50);
  constexpr int attempts = 100;
  std::vector<DeviceUser> found = co_await attachment_->users();
  for (int i = 0; i < attempts && only_udev(found); ++i) {
    io::Op wait;
    reactor_.world().clock.sleep(wait, pause);
    co_await wait;
    std::vector<DeviceUser> now = co_await attachment_->users();
    found = std::move(now);
  }
  co_return found;
}

Task<Status> KernelDevice::promote() {
  if (promoted_) co_return Status();
  const Result<std::uint64_t> number = co_await attachment_->attach();
  if (!number) co_return number.error();
  promoted_ = true;
  device_number_ = *number;
  const Status pointed = co_await point_to(device_number_);
  if (pointed.ok()) {
    const auto tell = [this] {
      announce(device_number_);
      return true;
    };
    co_await off_thread(reactor_, tell);
  } else {
    const Status undone = co_await demote();
    if (!undone.ok()) log::warning("drbd{}: a device without a name stays", names_.minor);
  }
  co_return pointed;
}

// The node is closed before the device goes. A loop device that was let go may be taken by anybody
// the next moment, and an application that opened our node then would write to a stranger's disk.
Task<Status> KernelDevice::demote() {
  if (!promoted_) co_return Status();
  co_await users();
  const Status closed = co_await point_to(closed_device);
  if (!closed.ok()) co_return closed;
  const Status detached = co_await attachment_->detach_if_unused();
  if (detached.ok()) {
    promoted_ = false;
    co_return detached;
  }
  const Status reopened = co_await point_to(device_number_);
  if (!reopened.ok()) log::warning("drbd{}: in use, but without a name", names_.minor);
  co_return detached;
}

Task<Status> KernelDevice::resize() {
  const Status resized = co_await attachment_->resize();
  if (resized.fault() != Fault::unsupported) co_return resized;
  const Status gone = co_await demote();
  if (!gone.ok()) co_return resized;
  co_return co_await promote();
}

Task<Status> KernelDevice::set_backing_disk(std::string path) {
  attachment_->set_backing_disk(path);
  const auto work = [this, &path] {
    remove_disk_link(names_);
    names_.backing_disk = path;
    return create_links(names_);
  };
  co_return co_await off_thread(reactor_, work);
}

Task<void> KernelDevice::remove() {
  const auto work = [this] {
    remove_names(names_);
    return true;
  };
  co_await off_thread(reactor_, work);
  co_await attachment_->abandon();
  attachment_.reset();
  promoted_ = false;
}

}  // namespace replicator::shim
