#include "engine/flow/backing_device.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace replicator {

namespace {

constexpr std::size_t scratch_bytes = 1U << 20U;
constexpr std::size_t wanted_limit = 1024;

std::uint32_t extent_of(ByteOffset at) {
  return static_cast<std::uint32_t>(at.value() / extent_bytes);
}
std::uint32_t last_extent(ByteRange range) {
  return static_cast<std::uint32_t>((range.end().value() - 1) / extent_bytes);
}

}  // namespace

ActivityHold::ActivityHold(ActivityHold&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)), first_(other.first_), last_(other.last_) {}

ActivityHold& ActivityHold::operator=(ActivityHold&& other) noexcept {
  if (this != &other) {
    reset();
    device_ = std::exchange(other.device_, nullptr);
    first_ = other.first_;
    last_ = other.last_;
  }
  return *this;
}

void ActivityHold::reset() noexcept {
  if (device_ == nullptr) return;
  device_->release(first_, last_);
  device_ = nullptr;
}

ResyncLock::ResyncLock(ResyncLock&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)), extent_(other.extent_) {}

ResyncLock& ResyncLock::operator=(ResyncLock&& other) noexcept {
  if (this != &other) {
    reset();
    device_ = std::exchange(other.device_, nullptr);
    extent_ = other.extent_;
  }
  return *this;
}

void ResyncLock::reset() noexcept {
  if (device_ == nullptr) return;
  device_->log_.unwant_resync(extent_);
  device_->released_.notify_all();
  device_ = nullptr;
}

BackingDevice::BackingDevice(io::World& world, BackingConfig config, DiskOptions options)
    : world_(world),
      config_(std::move(config)),
      options_(std::move(options)),
      bitmap_(BlockCount(0)),
      log_(options_.al_extents),
      blocks_(scratch_bytes, false) {
  wanted_.reserve(wanted_limit);
}

BackingDevice::~BackingDevice() = default;

std::uint32_t BackingDevice::logical_block_bytes() const noexcept {
  return data_->logical_block_bytes();
}

ByteCount BackingDevice::size() const noexcept {
  return to_bytes(SectorCount(superblock_.la_size_sectors));
}

std::uint64_t BackingDevice::bitmap_sector() const noexcept {
  return superblock_sector_ + static_cast<std::uint64_t>(std::int64_t{superblock_.bm_offset});
}

std::uint64_t BackingDevice::activity_log_sector() const noexcept {
  return superblock_sector_ + static_cast<std::uint64_t>(std::int64_t{superblock_.al_offset});
}

void BackingDevice::read(io::Op& op, ByteOffset at, Bytes into) {
  read_bytes_ += into.size();
  data_->read(op, at, into);
}

void BackingDevice::write(io::Op& op, ByteOffset at, ConstBytes data, io::Durability durability) {
  // P4: own, validated ranges only; the limit is where the meta data begins.
  ensure(at.value() + data.size() <= usable_.value());
  written_bytes_ += data.size();
  data_->write(op, at, data, durability);
}

void BackingDevice::flush(io::Op& op) { data_->flush(op); }

void BackingDevice::write_zeroes(io::Op& op, ByteRange range, bool may_unmap) {
  ensure(range.end().value() <= usable_.value());
  written_bytes_ += range.length.value();
  data_->write_zeroes(op, range, may_unmap);
}

bool BackingDevice::try_cover(ByteRange range, ActivityHold& hold) noexcept {
  const std::uint32_t first = extent_of(range.begin);
  const std::uint32_t last = last_extent(range);
  if (!log_.try_hold(first, last)) return false;
  hold.device_ = this;
  hold.first_ = first;
  hold.last_ = last;
  return true;
}

void BackingDevice::release(std::uint32_t first, std::uint32_t last) noexcept {
  log_.release(first, last);
  if (released_.has_waiters()) released_.notify_all();
}

void BackingDevice::want(std::uint32_t first, std::uint32_t last) {
  for (std::uint32_t extent = first; extent <= last; ++extent) {
    if (log_.hot(extent)) continue;
    if (std::find(wanted_.begin(), wanted_.end(), extent) != wanted_.end()) continue;
    if (wanted_.size() < wanted_limit) wanted_.push_back(extent);
  }
}

Task<Status> BackingDevice::cover(ByteRange range, ActivityHold& hold) {
  const std::uint32_t first = extent_of(range.begin);
  const std::uint32_t last = last_extent(range);
  while (!try_cover(range, hold)) {
    if (log_.blocked_by_resync(first, last)) {
      io::Event::Wait wait(released_);
      co_await wait;
      continue;
    }
    want(first, last);
    if (transacting_) {
      io::Event::Wait wait(transaction_done_);
      co_await wait;
      if (!transaction_status_.ok()) co_return transaction_status_;
      continue;
    }
    const Status status = co_await run_transaction();
    if (!status.ok()) co_return status;
  }
  co_return Status();
}

// One transaction for everything that waits. Whoever finds none running leads.
Task<Status> BackingDevice::run_transaction() {
  transacting_ = true;
  for (;;) {
    while (!wanted_.empty()) {
      bool settled = false;
      log_.plan(wanted_.back(), settled);
      if (!settled) break;
      wanted_.pop_back();
    }
    if (log_.planned() != 0 || wanted_.empty()) break;
    // Every slot is held by writes in doubt: their epochs must end first.
    ++starving_;
    starved.notify_all();
    io::Event::Wait wait(released_);
    co_await wait;
    --starving_;
  }
  Status status;
  if (log_.planned() != 0) {
    const Status written = co_await write_transaction();
    status = written;
  }
  transaction_status_ = status;
  transacting_ = false;
  transaction_done_.notify_all();
  co_return status;
}

Task<Status> BackingDevice::write_transaction() {
  Status status;
  if (!log_.evicted().empty()) {
    // D4: what was written to evicted extents is on this disk's media, and what is out of sync
    // there is in the bitmap's, before the log forgets them.
    for (const std::uint32_t extent : log_.evicted()) {
      const std::size_t page = Bitmap::page_of(ByteOffset(extent * extent_bytes));
      if (!status.ok()) break;
      const Status written = co_await write_pages(page, 1);
      status = written;
    }
    if (status.ok() && options_.md_flushes) {
      const Status flushed = co_await flush_all();
      status = flushed;
    }
  }
  if (status.ok()) {
    io::BufferPool::Buffer block = co_await blocks_.take(al_block_bytes);
    const AlTransaction transaction = log_.transaction();
    encode_al_transaction(transaction, block.bytes());
    const std::uint64_t sector =
        activity_log_sector() + al_block_of(transaction.number, superblock_.stripes()) * 8;
    const io::Durability durability =
        options_.md_flushes ? io::Durability::stable : io::Durability::cached;
    const Bytes bytes = block.bytes();
    const Status written = co_await write_meta(sector, bytes, durability);
    status = written;
    ++al_writes_;
  }
  if (status.ok()) log_.commit();
  else log_.abandon();
  co_return status;
}

bool BackingDevice::try_lock_resync(ByteRange range, ResyncLock& lock) {
  const auto extent = static_cast<std::uint32_t>(range.begin.value() / resync_extent_bytes);
  if (lock.device_ == nullptr || lock.extent_ != extent) {
    lock.reset();
    log_.want_resync(extent);
    lock.device_ = this;
    lock.extent_ = extent;
  }
  if (log_.resync_free(extent)) return true;
  starved.notify_all();
  return false;
}

void BackingDevice::fill(VolumeStatus& status) const noexcept {
  status.activity_log_writes = al_writes_;
  status.bitmap_writes = bitmap_writes_;
  status.disk_read_kib = read_bytes_ / 1024;
  status.disk_written_kib = written_bytes_ / 1024;
  const GenerationSet& own = superblock_.generations;
  status.generations[0] = own.current;
  status.generations[1] = own.bitmap;
  status.generations[2] = own.history[0];
  status.generations[3] = own.history[1];
}

}  // namespace replicator
