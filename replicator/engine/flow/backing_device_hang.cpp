// A disk that hangs: `disk-timeout`, and the patience of commands that shall end (L4).
//   E2, E4, D6  after it was given up nothing is submitted to it any more, and nobody opens it as
//               long as something is under way: what lands late lands before anything newer
#include <utility>

#include "base/log.hpp"
#include "base/mark.hpp"
#include "engine/decide/disk_patience.hpp"
#include "engine/flow/backing_device.hpp"

namespace replicator {

void BackingDevice::set_options(const DiskOptions& options) {
  options_ = options;
  watch_disks();
}

void BackingDevice::limit_patience(Duration limit) {
  patience_limit_ = shorter_limit(patience_limit_, limit);
  watch_disks();
}

void BackingDevice::lift_limit() {
  patience_limit_ = Duration();
  watch_disks();
}

Duration BackingDevice::patience() const noexcept {
  return shorter_limit(Duration::tenths(options_.disk_timeout_tenths), patience_limit_);
}

void BackingDevice::watch_disks() {
  if (given_up_ || leaving_) return;
  if (watching_) return world_.clock.wake(pause_);
  if (patience() == Duration()) return;
  watching_ = true;
  watch_.start(watch());
}

namespace {

bool exhausted(DiskPatience& patience, const io::Disk& disk) {
  const io::DiskProgress progress = disk.progress();
  return patience.exhausted_at(progress.begun, progress.oldest);
}

}  // namespace

Task<void> BackingDevice::watch() {
  Duration limit;
  DiskPatience data;
  DiskPatience meta;
  while (!leaving_ && patience() != Duration()) {
    if (limit != patience()) {
      limit = patience();
      data = DiskPatience();
      meta = DiskPatience();
    }
    world_.clock.sleep(pause_, limit / DiskPatience::looks_per_limit);
    const std::int32_t slept = co_await pause_;
    if (slept < 0) continue;  // woken: something has changed
    const bool data_hangs = exhausted(data, *data_);
    const bool meta_hangs = meta_ && exhausted(meta, *meta_);
    if (!data_hangs && !meta_hangs) continue;
    log::error("{}: local disk has not answered for {} ms, given up",
               data_hangs ? config_.disk_path : config_.meta_disk_path, limit.milliseconds());
    give_up();
    break;
  }
  watching_ = false;
}

void BackingDevice::give_up() {
  mark("disk given up");
  given_up_ = true;
  if (hangs) hangs();
  data_->give_up();
  if (meta_) meta_->give_up();
}

Task<void> BackingDevice::leave_disks() {
  leaving_ = true;
  world_.clock.wake(pause_);
  co_await watch_.close();
  if (given_up_) {
    io::Remains remains;
    remains.memory = std::move(memory_);
    remains.memory.push_back(blocks_);
    remains.disks.push_back(std::move(data_));
    if (meta_) remains.disks.push_back(std::move(meta_));
    world_.storage.keep(std::move(remains));
  }
  data_.reset();
  meta_.reset();
}

}  // namespace replicator
