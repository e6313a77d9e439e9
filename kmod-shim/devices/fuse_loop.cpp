#include "devices/fuse_loop.hpp"

#include <utility>

#include "base/log.hpp"
#include "off_thread.hpp"

namespace replicator::shim {

FuseLoopAttachment::FuseLoopAttachment(VolumeMounts mounts, io::BlockDevice& device,
                                       io::BufferPool& pool, std::string volume,
                                       std::uint32_t minor, std::optional<LoopRecord> waiting)
    : mounts_(mounts),
      device_(device),
      file_(device, pool),
      volume_(std::move(volume)),
      minor_(minor),
      waiting_(std::move(waiting)) {}

FuseLoopAttachment::~FuseLoopAttachment() {
  if (directory_) directory_->remove(file_);
}

Task<Result<std::uint64_t>> FuseLoopAttachment::attach() {
  ensure(!loop_);
  // A device that is being given up goes first: its record has the name of the next one's.
  co_await background_.close();
  bool up = false;
  if (waiting_) {
    const bool recovered = co_await recover();
    up = recovered;
  }
  if (!up) {
    const Status created = co_await create();
    if (!created.ok()) co_return tl::unexpected(created);
  }
  co_return device_number(*loop_);
}

Task<Status> FuseLoopAttachment::create() {
  DirectoryOptions options = volume_mount(mounts_, volume_);
  Result<std::unique_ptr<Directory>> mounted =
      co_await Directory::mount(mounts_.reactor, std::move(options));
  if (!mounted) co_return mounted.error();
  directory_ = std::move(*mounted);
  directory_->add(volume_file_name, file_);
  const Status set = co_await set_loop_over_it();
  if (!set.ok()) co_await unmount();
  co_return set;
}

Task<Status> FuseLoopAttachment::set_loop_over_it() {
  const auto work = [this, path = directory_->path_of(volume_file_name),
                     block_bytes = device_.limits().block_bytes] {
    const Result<LoopDevice> attached = attach_loop(path, block_bytes, false);
    if (!attached) return attached;
    const Status remembered = remember_loop({minor_, *attached, false, volume_});
    if (remembered.ok()) return attached;
    static_cast<void>(detach_loop_if_unused(*attached));
    return Result<LoopDevice>(tl::unexpected(remembered));
  };
  const Result<LoopDevice> attached = co_await off_thread(mounts_.reactor, work);
  if (!attached) co_return attached.error();
  loop_ = *attached;
  log::info("drbd{} is loop{}", minor_, loop_->number);
  if (!mounts_.survive || !Directory::asked_again(directory_->first_request())) co_return Status();
  const Status kept = co_await keep();
  if (!kept.ok()) log::warning("drbd{} does not outlive this daemon: {}", minor_, kept.where());
  co_return Status();
}

Task<Status> FuseLoopAttachment::keep() {
  if (kept_) co_return Status();
  const auto work = [this] { return keep_mount(mounts_.keeper, volume_, *directory_); };
  const Status kept = co_await off_thread(mounts_.reactor, work);
  kept_ = kept.ok();
  co_return kept;
}

Task<Status> FuseLoopAttachment::leave() {
  const Status kept = co_await keep();
  if (kept.ok()) co_await file_.close();
  co_return kept;
}

Task<bool> FuseLoopAttachment::recover() {
  const LoopRecord record = *std::exchange(waiting_, std::nullopt);
  const Status taken = co_await take_over(record);
  if (!taken.ok()) {
    log::error("drbd{}: its users see errors, loop{} could not be taken over: {} (errno {})",
               minor_, record.loop.number, taken.where(), taken.error_number());
    co_await drop(record);
    co_return false;
  }
  log::info("drbd{} is loop{} again, and its users go on", minor_, record.loop.number);
  const Status sized = co_await look_at_size();
  if (!sized.ok()) log::warning("drbd{} keeps its size: {}", minor_, sized.where());
  co_return true;
}

Task<Status> FuseLoopAttachment::take_over(LoopRecord record) {
  const auto fetch = [this] { return mounts_.keeper.fetch(kept_name(volume_)); };
  std::optional<keeper::Client::Kept> kept = co_await off_thread(mounts_.reactor, fetch);
  if (!kept) co_return Status(Fault::not_found, "the keeper has no mount of it");
  const Status opened = file_.adopt_loop();
  if (!opened.ok()) co_return opened;
  Result<std::unique_ptr<Directory>> taken = Directory::take_over(
      mounts_.reactor, volume_mount(mounts_, volume_), std::move(kept->fd), std::move(kept->note));
  if (!taken) {
    co_await file_.close();
    co_return taken.error();
  }
  directory_ = std::move(*taken);
  directory_->add(volume_file_name, file_);
  directory_->go_on();
  loop_ = record.loop;
  // Where the kernel does not ask again nothing is left behind the next time, unless on purpose.
  kept_ = mounts_.survive && Directory::asked_again(directory_->first_request());
  if (kept_) co_return Status();
  const auto forget = [this] {
    mounts_.keeper.forget(kept_name(volume_));
    return true;
  };
  co_await off_thread(mounts_.reactor, forget);
  co_return Status();
}

Task<Status> FuseLoopAttachment::detach_if_unused() {
  if (!loop_) co_return Status();
  // The driver's answer to the question waits until the device is quiet: with a volume that stands
  // still that is a thread, and all of the kernel's loop devices, for as long as it does.
  constexpr std::uint32_t the_driver = 1;
  if (!file_.quiet() || file_.openers() > the_driver)
    co_return Status(Fault::busy, "device is open");
  const auto work = [this] {
    if (!find_device_users(device_number(*loop_)).empty())
      return Status(Fault::busy, "device is open");
    const Status detached = detach_loop_if_unused(*loop_);
    if (detached.ok()) forget_loop(minor_);
    return detached;
  };
  const Status detached = co_await off_thread(mounts_.reactor, work);
  if (!detached.ok()) co_return detached;
  loop_.reset();
  // The loop driver lets go of the file in its own time.
  while (file_.openers() > 0) {
    io::Event::Wait released(file_.released());
    co_await released;
  }
  co_await unmount();
  co_return Status();
}

Task<void> FuseLoopAttachment::unmount() {
  if (!directory_) co_return;
  directory_->remove(file_);
  co_await file_.close();
  co_await directory_->unmount();
  directory_.reset();
  kept_ = false;
  const auto work = [this] {
    remove_mount(mounts_.keeper, volume_);
    return true;
  };
  co_await off_thread(mounts_.reactor, work);
}

Task<void> FuseLoopAttachment::abandon() {
  co_await background_.close();
  if (waiting_) {
    LoopRecord record = *std::exchange(waiting_, std::nullopt);
    co_await drop(std::move(record));
  }
  if (loop_) {
    const auto work = [this] {
      release_loop({minor_, *loop_, false, volume_});
      return true;
    };
    co_await off_thread(mounts_.reactor, work);
    loop_.reset();
  }
  co_await unmount();
}

Task<void> FuseLoopAttachment::drop(LoopRecord record) {
  const auto work = [this, &record] {
    let_go(mounts_.keeper, record);
    return true;
  };
  co_await off_thread(mounts_.reactor, work);
}

// Noted before anything of the new data is written: should this daemon be killed in turn, the next
// one knows. /run is memory; this waits for no disk.
void FuseLoopAttachment::data_changed() noexcept {
  if (!waiting_) return;
  LoopRecord record = *std::exchange(waiting_, std::nullopt);
  record.outdated = true;
  const Status noted = remember_loop(record);
  log::error("drbd{}: its data come from the peer now, the users of loop{} see errors{}", minor_,
             record.loop.number, noted.ok() ? "" : " (not noted)");
  background_.start(drop(std::move(record)));
}

Task<Status> FuseLoopAttachment::look_at_size() {
  const auto work = [this, path = directory_->path_of(volume_file_name)] {
    return update_loop_size(*loop_, path);
  };
  co_return co_await off_thread(mounts_.reactor, work);
}

Task<Status> FuseLoopAttachment::resize() {
  if (!loop_) co_return Status();
  co_return co_await look_at_size();
}

Task<std::vector<DeviceUser>> FuseLoopAttachment::users() {
  std::vector<DeviceUser> found;
  if (!loop_) co_return found;
  const auto work = [number = device_number(*loop_)] { return find_device_users(number); };
  found = co_await off_thread(mounts_.reactor, work);
  co_return found;
}

}  // namespace replicator::shim
