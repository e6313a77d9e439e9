// The meta data of a disk whose size or whose agreed size has changed.
//   D6  first a superblock at its new place that declares everything out of sync and the log void,
//       then the log and the bitmap, then the superblock without; a crash in between ends in a full
//       sync
//   E2  new blocks are out of sync unless the administrator vouches for them
// Normative: docs/metadata.md#write-orders.
#include <algorithm>

#include "base/log.hpp"
#include "engine/flow/backing_device.hpp"

namespace replicator {

MetadataLayout BackingDevice::layout_now() noexcept {
  data_->measure();
  if (meta_) meta_->measure();
  return place_metadata(config_.meta_index, to_sectors(data_->size()).value(),
                        to_sectors(meta().size()).value(), superblock_.stripes());
}

ByteCount BackingDevice::offered_bytes() noexcept {
  if (!data_) return usable_;  // given back meanwhile
  return to_bytes(SectorCount(layout_now().data_limit));
}

bool BackingDevice::displaced() noexcept {
  if (!data_) return false;
  const MetadataLayout place = layout_now();
  return place.superblock != superblock_sector_ || place.md_size != superblock_.md_size_sectors;
}

// Nobody writes meta data until let_go(); what waits goes on then, at the new place.
Task<void> BackingDevice::take_hold() {
  while (transacting_) {
    io::Event::Wait wait(transaction_done_);
    co_await wait;
  }
  transacting_ = true;
  transaction_status_ = Status();
  while (writing_superblock_) {
    io::Event::Wait wait(superblock_done_);
    co_await wait;
  }
  writing_superblock_ = true;
}

void BackingDevice::let_go() noexcept {
  writing_superblock_ = false;
  superblock_done_.notify_all();
  transacting_ = false;
  transaction_done_.notify_all();
  released_.notify_all();
}

Task<Status> BackingDevice::resize(ByteCount size, bool new_in_sync) {
  const Use use(*this);
  co_await take_hold();
  io::RangeLock::Turn pages(page_turns_, ByteRange(ByteOffset(0), ByteCount(1ULL << 40U)));
  co_await pages;
  const Status resized = co_await resize_alone(size, new_in_sync);
  pages.release();
  let_go();
  co_return resized;
}

Task<Status> BackingDevice::resize_alone(ByteCount size, bool new_in_sync) {
  if (!data_) co_return Status(Fault::no_disk, "resize");
  const MetadataLayout place = layout_now();
  const std::uint64_t sectors = to_sectors(size).value();
  if (place.data_limit == 0 || sectors > place.data_limit) {
    co_return Status(Fault::too_small, "device");
  }
  const BlockCount blocks(ceil_div(sectors, sectors_per_block));
  const Status room = bitmap_.reserve(blocks);
  if (!room.ok()) co_return room;
  const bool moved = place.superblock != superblock_sector_ || place.bitmap != bitmap_sector() ||
                     place.activity_log != activity_log_sector();
  if (moved) {
    log::info("{}: meta data moves from sector {} to {}", config_.disk_path, superblock_sector_,
              place.superblock);
  }
  const ByteCount before = this->size();
  superblock_.la_size_sectors = sectors;
  superblock_.md_size_sectors = place.md_size;
  superblock_.al_offset = place.al_offset;
  superblock_.bm_offset = place.bm_offset;
  superblock_sector_ = place.superblock;
  usable_ = to_bytes(SectorCount(place.data_limit));
  declare_full_sync();
  superblock_.flags |= md_flag_al_disabled;
  const Status flagged = co_await write_superblock_now();
  if (!flagged.ok()) co_return flagged;
  if (moved) {
    const Status log = co_await rewrite_activity_log();
    if (!log.ok()) co_return log;
  }
  bitmap_.resize(blocks, false);
  if (before < size && !new_in_sync) {
    bitmap_.set_range(ByteRange(ByteOffset(before.value()), ByteCount((size - before).value())));
  }
  for (std::size_t page = 0; moved && page < bitmap_.pages(); ++page)
    bitmap_.page_changed_again(page);
  const Status written = co_await write_changed(0, bitmap_.pages());
  if (!written.ok()) co_return written;
  revoke_full_sync();
  if (logs_activity_) superblock_.flags &= ~md_flag_al_disabled;
  co_return co_await write_superblock_now();
}

// Every block of the ring: each carries a part of the slots, together they carry all.
Task<Status> BackingDevice::rewrite_activity_log() {
  for (std::uint64_t index = 0; index < superblock_.stripes().blocks(); ++index) {
    const Status written = co_await write_log_block();
    if (!written.ok()) co_return written;
    log_.commit();
  }
  co_return Status();
}

}  // namespace replicator
