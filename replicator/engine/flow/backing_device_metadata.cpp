// Reading and writing the meta data of an attached disk: attach with replay, superblock, bitmap
// pages, size.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "engine/flow/backing_device.hpp"

namespace replicator {

namespace {
constexpr std::size_t chunk_bytes = 256U << 10U;
constexpr std::size_t pages_per_write = 64;  // of the bitmap, 256 KiB
}  // namespace

Task<Result<std::unique_ptr<BackingDevice>>> BackingDevice::open(io::World& world,
                                                                 BackingConfig config,
                                                                 DiskOptions options,
                                                                 BackingDevice** opening) {
  std::unique_ptr<BackingDevice> device(
      new BackingDevice(world, std::move(config), std::move(options)));
  const Status opened = device->open_disks();
  if (!opened.ok()) co_return tl::unexpected<Status>(opened);
  if (opening != nullptr) *opening = device.get();
  device->watch_disks();
  const Status loaded = co_await device->load();
  if (opening != nullptr) *opening = nullptr;
  if (loaded.ok()) co_return std::move(device);
  co_await device->leave_disks();
  co_return tl::unexpected<Status>(loaded);
}

Status BackingDevice::open_disks() {
  Result<std::unique_ptr<io::Disk>> data =
      world_.storage.open(config_.disk_path, io::DiskAccess::exclusive);
  if (!data) return data.error();
  data_ = std::move(*data);
  if (config_.meta_index.kind == MetaDiskIndex::Kind::internal) return Status();
  const bool whole = config_.meta_index.kind == MetaDiskIndex::Kind::flexible;
  Result<std::unique_ptr<io::Disk>> meta = world_.storage.open(
      config_.meta_disk_path, whole ? io::DiskAccess::exclusive : io::DiskAccess::shared);
  if (!meta) return meta.error();
  meta_ = std::move(*meta);
  return Status();
}

Task<Status> BackingDevice::load() {
  const std::uint64_t data_sectors = to_sectors(data_->size()).value();
  const std::uint64_t meta_sectors = to_sectors(meta().size()).value();
  const MetadataLayout place =
      place_metadata(config_.meta_index, data_sectors, meta_sectors, AlStripes());
  if (place.data_limit == 0) co_return Status(Fault::too_small, "device for its meta data");
  superblock_sector_ = place.superblock;
  io::BufferPool::Buffer block = co_await blocks_->take(superblock_bytes);
  io::Op op;
  meta().read(op, to_bytes(Sector(superblock_sector_)), block.bytes());
  const std::int32_t got = co_await op;
  if (got < 0) co_return Status(Fault::io_error, "superblock", -got);
  const Result<Superblock> parsed = parse_superblock(block.bytes());
  if (!parsed) co_return parsed.error();
  superblock_ = *parsed;
  generations_on_media_ = superblock_.generations;
  const Status geometry =
      check_geometry(superblock_, config_.meta_index, data_sectors, meta_sectors);
  if (!geometry.ok()) co_return geometry;
  const MetadataLayout layout =
      place_metadata(config_.meta_index, data_sectors, meta_sectors, superblock_.stripes());
  usable_ = to_bytes(SectorCount(layout.data_limit));
  crashed_primary_ = (superblock_.flags & (md_flag_crashed_primary | md_flag_primary)) != 0;
  limit_activity_log();
  const Status bitmap = co_await load_bitmap();
  if (!bitmap.ok()) co_return bitmap;
  co_return co_await take_into_use();
}

// E2: a slot that no block of the ring describes any more would be forgotten by a crash.
void BackingDevice::limit_activity_log() {
  const std::uint32_t most = al_slots_of(superblock_.stripes());
  if (log_.slots() <= most) return;
  log::warning("{}: the activity log has room for {} al-extents, not for {}", config_.disk_path,
               most, log_.slots());
  log_ = ActivityLog(most);
}

// Replay first, its marks on media, then the log begins anew, then the superblock says "in use". A
// crash at any point in between finds either the old log or the marks.
Task<Status> BackingDevice::take_into_use() {
  const bool untracked = (superblock_.flags & md_flag_full_sync) != 0 ||
                         (crashed_primary_ && (superblock_.flags & md_flag_al_disabled) != 0);
  // The log of an untracked disk is void, and may not even have been written at its place.
  if (!superblock_.clean() && !untracked) {
    const Status replayed = co_await replay();
    if (!replayed.ok()) co_return replayed;
  }
  if (untracked && bitmap_.size().value() != 0) {
    log::info("{}: Assuming that all blocks are out of sync (aka FullSync)", config_.disk_path);
    bitmap_.set_all();
  }
  const Status pages = co_await write_changed_bitmap_pages();
  if (!pages.ok()) co_return pages;
  const Status flushed = co_await flush_all();
  if (!flushed.ok()) co_return flushed;
  if (!superblock_.clean()) {
    // Its marks are on media: from here on nobody needs the old log, which a crash in the middle of
    // the next step would leave damaged.
    superblock_.flags |= md_flag_al_clean;
    superblock_.magic = md_magic_v08;
    const Status replayed = co_await write_superblock();
    if (!replayed.ok()) co_return replayed;
  }
  const Status log = co_await initialise_activity_log();
  if (!log.ok()) co_return log;
  if (crashed_primary_) superblock_.flags |= md_flag_crashed_primary;
  superblock_.flags &= ~(md_flag_al_clean | md_flag_full_sync | md_flag_al_disabled);
  // Before the first write that the log will not know of (D2).
  if (!logs_activity_) superblock_.flags |= md_flag_al_disabled;
  superblock_.magic = md_magic_unclean;
  superblock_.al_extents = log_.slots();
  co_return co_await write_superblock();
}

Task<Status> BackingDevice::replay() {
  const AlStripes stripes = superblock_.stripes();
  std::vector<std::byte> ring(stripes.blocks() * al_block_bytes);
  io::BufferPool::Buffer block = co_await blocks_->take(al_block_bytes);
  for (std::uint64_t index = 0; index < stripes.blocks(); ++index) {
    io::Op op;
    meta().read(op, to_bytes(Sector(activity_log_sector() + index * 8)), block.bytes());
    const std::int32_t got = co_await op;
    if (got < 0) co_return Status(Fault::io_error, "activity log", -got);
    copy_bytes(Bytes(ring).subspan(index * al_block_bytes, al_block_bytes), block.bytes());
  }
  const Result<std::vector<std::uint32_t>> hot = replay_activity_log(ring, stripes);
  const bool was_primary = (superblock_.flags & md_flag_primary) != 0;
  if (!hot) {
    // Without it nobody knows what was being written: only a full resync is right.
    if (was_primary) co_return hot.error();
    co_return Status();
  }
  if (!was_primary) co_return Status();
  std::uint64_t marked = 0;
  for (const std::uint32_t extent : *hot) {
    const ByteRange range(ByteOffset(extent * extent_bytes), ByteCount(extent_bytes));
    marked += bitmap_.set_range(range).value();
  }
  log::info("{}: marked additional {} KB as out-of-sync based on AL", config_.disk_path,
            marked * (block_bytes / 1024));
  co_return Status();
}

Task<Status> BackingDevice::load_bitmap() {
  Result<Bitmap> made =
      Bitmap::make(BlockCount(ceil_div(superblock_.la_size_sectors, sectors_per_block)));
  if (!made) co_return made.error();
  bitmap_ = std::move(*made);
  io::BufferPool::Buffer chunk = co_await blocks_->take(chunk_bytes);
  const std::size_t pages_per_chunk = chunk_bytes / Bitmap::page_bytes_count;
  for (std::size_t page = 0; page < bitmap_.pages(); page += pages_per_chunk) {
    const std::size_t count = std::min(pages_per_chunk, bitmap_.pages() - page);
    const Bytes into = chunk.bytes().first(count * Bitmap::page_bytes_count);
    io::Op op;
    meta().read(op, to_bytes(Sector(bitmap_sector() + page * 8)), into);
    const std::int32_t got = co_await op;
    if (got < 0) co_return Status(Fault::io_error, "bitmap", -got);
    for (std::size_t i = 0; i < count; ++i) {
      bitmap_.load_page(page + i, into.subspan(i * Bitmap::page_bytes_count));
    }
  }
  bitmap_.recount_loaded();
  co_return Status();
}

Task<Status> BackingDevice::initialise_activity_log() {
  io::BufferPool::Buffer block = co_await blocks_->take(al_block_bytes);
  encode_al_initialized(block.bytes());
  for (std::uint64_t index = 0; index < superblock_.stripes().blocks(); ++index) {
    const std::uint64_t sector = activity_log_sector() + index * 8;
    const Bytes bytes = block.bytes();
    const Status written = co_await write_meta(sector, bytes, io::Durability::cached);
    if (!written.ok()) co_return written;
  }
  co_return co_await flush_all();
}

Task<Status> BackingDevice::write_meta(std::uint64_t sector, ConstBytes block,
                                       io::Durability durability) {
  io::Op op;
  meta().write(op, to_bytes(Sector(sector)), block, durability);
  const std::int32_t moved = co_await op;
  if (moved >= 0) co_return Status();
  log::error("{}: local meta data write error {} at sector {}", config_.meta_disk_path, -moved,
             sector);
  co_return Status(Fault::io_error, "meta data write", -moved);
}

// Both disks when they differ.
Task<Status> BackingDevice::flush_all() {
  io::Op data_op;
  io::Op meta_op;
  data_->flush(data_op);
  if (meta_) meta_->flush(meta_op);
  const std::int32_t data_flushed = co_await data_op;
  const std::int32_t meta_flushed = co_await meta_op;
  const std::int32_t failed = data_flushed < 0 ? data_flushed : meta_flushed;
  if (failed >= 0) co_return Status();
  log::error("{}: local flush error {}",
             data_flushed < 0 ? config_.disk_path : config_.meta_disk_path, -failed);
  co_return Status(Fault::io_error, "flush", -failed);
}

Task<Status> BackingDevice::write_superblock() {
  if (leaving_) co_return Status(Fault::no_disk, "superblock");
  const Use use(*this);
  const std::uint64_t ticket = ++superblock_wanted_;
  while (superblock_written_ < ticket) {
    if (writing_superblock_) {
      io::Event::Wait wait(superblock_done_);
      co_await wait;
      continue;
    }
    writing_superblock_ = true;
    const Status status = co_await write_superblock_now();
    writing_superblock_ = false;
    superblock_done_.notify_all();
    if (!status.ok()) co_return status;
  }
  co_return Status();
}

Task<Status> BackingDevice::write_superblock_now() {
  if (options_.md_flushes) {
    const Status flushed = co_await flush_all();
    if (!flushed.ok()) co_return flushed;
  }
  io::BufferPool::Buffer block = co_await blocks_->take(superblock_bytes);
  // The content as of now covers everybody who asked so far.
  const std::uint64_t covers = superblock_wanted_;
  serialise(superblock_, block.bytes());
  const std::uint32_t flags = superblock_.flags;
  const GenerationSet generations = superblock_.generations;
  const io::Durability durability =
      options_.md_flushes ? io::Durability::stable : io::Durability::cached;
  const Bytes bytes = block.bytes();
  const Status written = co_await write_meta(superblock_sector_, bytes, durability);
  if (!written.ok()) co_return written;
  superblock_written_ = covers;
  flags_on_media_ = flags;
  generations_on_media_ = generations;
  co_return written;
}

// Writers of one page take turns, so that the newest content is the last to arrive; whoever finds
// it unchanged after its turn knows that the content is with the disk.
Task<Status> BackingDevice::write_pages(std::size_t first, std::size_t count) {
  const ByteRange place(ByteOffset(first * Bitmap::page_bytes_count),
                        ByteCount(count * Bitmap::page_bytes_count));
  io::RangeLock::Turn turn(page_turns_, place);
  co_await turn;
  co_return co_await write_changed(first, count);
}

// The caller has the turn. P6: what is written at once fits the scratch memory, however long the
// run.
Task<Status> BackingDevice::write_changed(std::size_t first, std::size_t count) {
  for (std::size_t at = first; at < std::min(first + count, bitmap_.pages()); ++at) {
    if (!bitmap_.page_changed(at)) continue;
    const std::size_t end = std::min({first + count, bitmap_.pages(), at + pages_per_write});
    std::size_t stop = at + 1;
    while (stop < end && bitmap_.page_changed(stop))
      ++stop;
    const std::size_t run = stop - at;
    const Status written = co_await write_run(at, run);
    if (!written.ok()) co_return written;
    at = stop - 1;
  }
  co_return Status();
}

Task<Status> BackingDevice::write_run(std::size_t first, std::size_t count) {
  const std::size_t size = count * Bitmap::page_bytes_count;
  io::BufferPool::Buffer block = co_await blocks_->take(size);
  if (first + count > bitmap_.pages()) co_return Status();  // it shrank meanwhile
  for (std::size_t i = 0; i < count; ++i) {
    copy_bytes(block.bytes().subspan(i * Bitmap::page_bytes_count), bitmap_.page(first + i));
    // Bits that change from here on make the page count as changed again.
    bitmap_.page_written(first + i);
  }
  bitmap_writes_ += count;
  const std::uint64_t sector = bitmap_sector() + first * 8;
  const Bytes bytes = block.bytes();
  const Status written = co_await write_meta(sector, bytes, io::Durability::cached);
  for (std::size_t i = first; !written.ok() && i < std::min(first + count, bitmap_.pages()); ++i) {
    bitmap_.page_changed_again(i);
  }
  co_return written;
}

Task<Status> BackingDevice::write_changed_bitmap_pages() {
  if (leaving_) co_return Status(Fault::no_disk, "bitmap");
  const Use use(*this);
  for (std::size_t first = 0; first < bitmap_.pages(); first += pages_per_write) {
    if (bitmap_.changed_pages() == 0 && page_turns_.empty()) break;
    const std::size_t end = std::min(first + pages_per_write, bitmap_.pages());
    bool changed = !page_turns_.empty();
    for (std::size_t i = first; i < end && !changed; ++i)
      changed = bitmap_.page_changed(i);
    if (!changed) continue;
    const std::size_t count = end - first;
    const Status written = co_await write_pages(first, count);
    if (!written.ok()) co_return written;
  }
  co_return Status();
}

Task<Status> BackingDevice::set_all_with_full_sync_flag() {
  const Use use(*this);
  declare_full_sync();
  const Status flagged = co_await write_superblock();
  if (!flagged.ok()) co_return flagged;
  bitmap_.set_all();
  const Status pages = co_await write_changed_bitmap_pages();
  if (!pages.ok()) co_return pages;
  revoke_full_sync();
  co_return co_await write_superblock();  // flushes the pages first
}

// The magic stays "unclean", as the kernel leaves it: every tool then runs apply-al before it
// believes the bitmap, which costs nothing and covers a kernel DRBD that takes the disk over.
Task<Status> BackingDevice::close() {
  const Status pages = co_await write_changed_bitmap_pages();
  if (!pages.ok()) co_return pages;
  co_return co_await write_superblock();
}

Task<void> BackingDevice::nobody_inside() {
  while (users_ != 0) {
    io::Event::Wait wait(unused_);
    co_await wait;
  }
}

Task<Status> BackingDevice::retire() {
  retiring_ = true;
  released_.notify_all();
  transaction_done_.notify_all();
  co_await nobody_inside();
  const Status closed = co_await close();
  // Who came meanwhile is still writing.
  co_await nobody_inside();
  co_await leave_disks();
  bitmap_ = Bitmap();
  co_return closed;
}

}  // namespace replicator
