#include "devices/fuse_loop.hpp"

#include <utility>

#include "base/log.hpp"
#include "devices/loop_record.hpp"
#include "off_thread.hpp"

namespace replicator::shim {

FuseLoopAttachment::FuseLoopAttachment(Directory& directory, io::BlockDevice& device,
                                       io::BufferPool& pool, std::string file_name,
                                       std::uint32_t minor)
    : directory_(directory),
      device_(device),
      file_(device, pool),
      path_(directory.path_of(file_name)),
      minor_(minor) {
  directory_.add(file_name, file_);
}

FuseLoopAttachment::~FuseLoopAttachment() { directory_.remove(file_); }

Task<Result<std::uint64_t>> FuseLoopAttachment::attach() {
  ensure(!loop_);
  const std::uint32_t block_bytes = device_.limits().block_bytes;
  const auto work = [this, block_bytes] {
    const Result<LoopDevice> attached = attach_loop(path_, block_bytes, false);
    if (!attached) return attached;
    const Status remembered = remember_loop(minor_, *attached);
    if (remembered.ok()) return attached;
    static_cast<void>(detach_loop_if_unused(*attached));
    return Result<LoopDevice>(tl::unexpected(remembered));
  };
  const Result<LoopDevice> attached = co_await off_thread(directory_.reactor(), work);
  if (!attached) co_return tl::unexpected(attached.error());
  loop_ = *attached;
  log::info("{} is the file of loop{}", path_, loop_->number);
  co_return device_number(*loop_);
}

Task<Status> FuseLoopAttachment::detach_if_unused() {
  if (!loop_) co_return Status();
  const auto work = [this] {
    const Status detached = detach_loop_if_unused(*loop_);
    if (detached.ok()) forget_loop(minor_);
    return detached;
  };
  const Status detached = co_await off_thread(directory_.reactor(), work);
  if (!detached.ok()) co_return detached;
  loop_.reset();
  // The loop driver lets go of the file in its own time.
  while (file_.openers() > 0) {
    io::Event::Wait released(file_.released());
    co_await released;
  }
  co_return Status();
}

Task<void> FuseLoopAttachment::abandon() {
  if (loop_) {
    const auto work = [this] {
      const Status released = detach_loop_when_unused(*loop_);
      if (released.ok()) forget_loop(minor_);
      return released;
    };
    const Status released = co_await off_thread(directory_.reactor(), work);
    if (!released.ok()) log::warning("loop{} stays: {}", loop_->number, released.where());
    loop_.reset();
  }
  directory_.remove(file_);
  co_await file_.close();
}

Task<Status> FuseLoopAttachment::resize() {
  if (!loop_) co_return Status();
  const auto work = [this] { return update_loop_size(*loop_, path_); };
  co_return co_await off_thread(directory_.reactor(), work);
}

Task<std::vector<DeviceUser>> FuseLoopAttachment::users() {
  std::vector<DeviceUser> found;
  if (!loop_) co_return found;
  const auto work = [number = device_number(*loop_)] { return find_device_users(number); };
  found = co_await off_thread(directory_.reactor(), work);
  co_return found;
}

}  // namespace replicator::shim
