#include "engine/flow/backing_device.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/sabotage.hpp"

namespace replicator {

namespace {

constexpr std::size_t scratch_bytes = 1U << 20U;

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
  --device_->holds_;
  device_->released_.notify_all();
  device_ = nullptr;
}

BackingDevice::BackingDevice(io::World& world, BackingConfig config, DiskOptions options)
    : world_(world),
      config_(std::move(config)),
      options_(std::move(options)),
      bitmap_(BlockCount(0)),
      log_(options_.al_extents),
      logs_activity_(options_.al_updates),
      blocks_(std::make_shared<io::BufferPool>(scratch_bytes, false)) {}

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
  // Zeroes either way; "no" keeps the space allocated.
  data_->write_zeroes(op, range, may_unmap && options_.discard_zeroes_if_aligned);
}

bool BackingDevice::try_cover(ByteRange range, ActivityHold& hold) noexcept {
  const std::uint32_t first = extent_of(range.begin);
  const std::uint32_t last = last_extent(range);
  if (sabotage(Sabotage::skip_activity_log)) return true;
  if (retiring_ || !log_.try_hold(first, last)) return false;
  ++holds_;
  hold.reset();
  hold.device_ = this;
  hold.first_ = first;
  hold.last_ = last;
  return true;
}

void BackingDevice::release(std::uint32_t first, std::uint32_t last) noexcept {
  log_.release(first, last);
  --holds_;
  if (released_.has_waiters()) released_.notify_all();
}

Task<Status> BackingDevice::cover(ByteRange range, ActivityHold& hold) {
  if (try_cover(range, hold)) co_return Status();
  const Use use(*this);
  Waiting mine(range, hold);
  waiting_.push_back(mine);
  while (!mine.granted) {
    if (retiring_) co_return Status(Fault::no_disk, "activity log");
    if (blocked(mine)) {
      io::Event::Wait wait(released_);
      co_await wait;
      grant();
      continue;
    }
    if (transacting_) {
      io::Event::Wait wait(transaction_done_);
      co_await wait;
      if (!mine.granted && !transaction_status_.ok()) co_return transaction_status_;
      continue;
    }
    const Status status = co_await run_transaction(mine);
    if (!status.ok()) co_return status;
  }
  co_return Status();
}

bool BackingDevice::blocked(const Waiting& waiting) const noexcept {
  return log_.blocked_by_resync(extent_of(waiting.range.begin), last_extent(waiting.range));
}

// Who waited longest is served first, at once: when a waiter finally runs, its extents may have
// been evicted for the next one. True when somebody was served.
bool BackingDevice::grant() noexcept {
  bool any = false;
  for (Waiting* next = waiting_.first(); next != nullptr; next = waiting_.next(*next)) {
    if (next->granted) continue;
    next->granted = try_cover(next->range, next->hold);
    any = any || next->granted;
  }
  // They must go on even while the leader waits, perhaps for what they hold.
  if (any) transaction_done_.notify_all();
  return any;
}

void BackingDevice::plan() {
  for (Waiting* next = waiting_.first(); next != nullptr; next = waiting_.next(*next)) {
    if (next->granted || blocked(*next)) continue;
    for (std::uint32_t at = extent_of(next->range.begin); at <= last_extent(next->range); ++at) {
      bool settled = false;
      log_.plan(at, settled);
      if (!settled) return;
    }
  }
}

// One transaction for everything that waits. Whoever finds none running leads.
Task<Status> BackingDevice::run_transaction(const Waiting& leader) {
  transacting_ = true;
  transaction_status_ = Status();
  Status status;
  for (;;) {
    grant();
    if (leader.granted || blocked(leader) || retiring_) break;
    plan();
    if (log_.planned() != 0) {
      const Status written = co_await write_transaction();
      status = written;
      const bool served = grant();
      if (served || !status.ok() || retiring_) break;
      // Not even the first got all of its extents: another transaction would evict the ones it has.
    }
    log_.keep_no_more();
    // Every other slot is held by writes in doubt: their epochs must end first.
    if (starved) starved();
    io::Event::Wait wait(released_);
    co_await wait;
  }
  transaction_status_ = status;
  transacting_ = false;
  transaction_done_.notify_all();
  co_return status;
}

Task<Status> BackingDevice::write_transaction() {
  Status status;
  if (!logs_activity_) {
    log_.commit();
    co_return status;
  }
  if (!log_.evicted().empty()) {
    // D4: what was written to evicted extents is on this disk's media, and what is out of sync
    // there is in the bitmap's, before the log forgets them.
    for (const std::uint32_t extent : log_.evicted()) {
      const std::size_t page = Bitmap::page_of(ByteOffset(extent * extent_bytes));
      if (!status.ok() || sabotage(Sabotage::skip_eviction_bitmap)) break;
      const Status written = co_await write_pages(page, 1);
      status = written;
    }
    if (status.ok() && options_.md_flushes) {
      const Status flushed = co_await flush_all();
      status = flushed;
    }
  }
  if (status.ok()) {
    const Status written = co_await write_log_block();
    status = written;
  }
  if (status.ok()) log_.commit();
  else log_.abandon();
  co_return status;
}

// What is planned, which may be nothing.
Task<Status> BackingDevice::write_log_block() {
  io::BufferPool::Buffer block = co_await blocks_->take(al_block_bytes);
  const AlTransaction& transaction = log_.transaction();
  encode_al_transaction(transaction, block.bytes());
  const std::uint64_t sector =
      activity_log_sector() + al_block_of(transaction.number, superblock_.stripes()) * 8;
  const io::Durability durability =
      options_.md_flushes ? io::Durability::stable : io::Durability::cached;
  const Bytes bytes = block.bytes();
  ++al_writes_;
  co_return co_await write_meta(sector, bytes, durability);
}

bool BackingDevice::try_lock_resync(ByteRange range, ResyncLock& lock) {
  const auto extent = static_cast<std::uint32_t>(range.begin.value() / resync_extent_bytes);
  if (lock.device_ != this || lock.extent_ != extent) {
    lock.reset();
    log_.want_resync(extent);
    ++holds_;
    lock.device_ = this;
    lock.extent_ = extent;
  }
  if (log_.resync_free(extent)) return true;
  if (starved) starved();
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
