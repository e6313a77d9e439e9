#include "engine/flow/undo_log.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace replicator {

namespace {
constexpr std::size_t arena_bytes = 4U << 20U;
constexpr std::uint64_t run_bytes_max = 1U << 20U;
}  // namespace

UndoLog::UndoLog(UndoStore& store, UndoHeader header, UndoLimits limits,
                 std::unique_ptr<io::Disk> file, Bitmap kept)
    : store_(store),
      header_(std::move(header)),
      limits_(limits),
      file_(std::move(file)),
      kept_(std::move(kept)),
      buffers_(std::make_shared<io::BufferPool>(arena_bytes, false)) {}

Task<Result<std::unique_ptr<UndoLog>>> UndoLog::begin(UndoStore& store, UndoHeader header,
                                                      UndoLimits limits) {
  Result<Bitmap> kept = Bitmap::make(header.blocks());
  if (!kept) co_return tl::unexpected<Status>(kept.error());
  std::string resource = header.resource;
  const std::uint32_t volume = header.volume;
  const ByteCount file_size = header.file_size();
  Result<std::unique_ptr<io::Disk>> file =
      co_await store.create(std::move(resource), volume, file_size);
  if (!file) co_return tl::unexpected<Status>(file.error());
  std::unique_ptr<UndoLog> log(
      new UndoLog(store, std::move(header), limits, std::move(*file), std::move(*kept)));
  const Status written = co_await log->write_header();
  if (!written.ok()) {
    std::string name = log->header_.resource;
    co_await store.set_aside(std::move(name), volume);
    co_return tl::unexpected<Status>(written);
  }
  co_return Result<std::unique_ptr<UndoLog>>(std::move(log));
}

Task<Result<std::unique_ptr<UndoLog>>> UndoLog::resume(UndoStore& store, std::string resource,
                                                       std::uint32_t volume, ByteCount device,
                                                       UndoLimits limits) {
  std::string name = resource;
  Result<std::unique_ptr<io::Disk>> file = co_await store.reopen(std::move(name), volume);
  if (!file) co_return tl::unexpected<Status>(file.error());
  Status problem;
  io::BufferPool pool(undo_header_bytes, false);
  io::BufferPool::Buffer block = pool.try_take(undo_header_bytes);
  io::Op op;
  (*file)->read(op, ByteOffset(0), block.bytes());
  const std::int32_t moved = co_await op;
  Result<UndoHeader> header = moved < 0 ? failure(Fault::io_error, "undo header", -moved)
                                        : decode_undo_header(block.bytes());
  if (!header) {
    problem = header.error();
  } else if (header->resource != resource || header->volume != volume || header->device != device ||
             (*file)->size() < header->file_size()) {
    problem = Status(Fault::metadata_mismatch, "the undo file is of another volume or size");
  }
  Result<Bitmap> kept = Bitmap::make(problem.ok() ? header->blocks() : BlockCount());
  if (!kept) problem = kept.error();
  std::unique_ptr<UndoLog> log;
  if (problem.ok()) {
    log.reset(new UndoLog(store, std::move(*header), limits, std::move(*file), std::move(*kept)));
    const Status loaded = co_await log->load_bitmap();
    problem = loaded;
  }
  if (!problem.ok()) {
    co_await store.set_aside(std::move(resource), volume);
    co_return tl::unexpected<Status>(problem);
  }
  log->recording_ = !log->header_.partial;
  co_return Result<std::unique_ptr<UndoLog>>(std::move(log));
}

Task<Status> UndoLog::write_header() {
  io::BufferPool::Buffer block = co_await buffers_->take(undo_header_bytes);
  encode(header_, block.bytes());
  io::Op op;
  file_->write(op, ByteOffset(0), block.bytes(), io::Durability::stable);
  const std::int32_t moved = co_await op;
  if (moved < 0) co_return Status(Fault::io_error, "undo header", -moved);
  co_return Status();
}

Task<Status> UndoLog::load_bitmap() {
  io::BufferPool::Buffer block = co_await buffers_->take(Bitmap::page_bytes_count);
  for (std::size_t page = 0; page < kept_.pages(); ++page) {
    io::Op op;
    file_->read(op, header_.bitmap_at() + ByteCount(page * Bitmap::page_bytes_count),
                block.bytes());
    const std::int32_t moved = co_await op;
    if (moved < 0) co_return Status(Fault::io_error, "undo bitmap", -moved);
    kept_.load_page(page, block.bytes());
  }
  kept_.recount_loaded();
  co_return Status();
}

ByteRange UndoLog::whole_blocks(ByteRange range) const noexcept {
  const std::uint64_t begin = round_down(range.begin.value(), block_bytes);
  const std::uint64_t end =
      std::min(round_up(range.end().value(), block_bytes), header_.blocks().value() * block_bytes);
  return ByteRange(ByteOffset(begin), ByteCount(end > begin ? end - begin : 0));
}

ByteRange UndoLog::next_unkept(ByteOffset from, ByteOffset end) const noexcept {
  std::uint64_t first = from.value() / block_bytes;
  const std::uint64_t last = end.value() / block_bytes;
  while (first < last && kept_.test(BitmapBlock(first)))
    ++first;
  std::uint64_t past = first;
  const std::uint64_t limit = std::min(last, first + run_bytes_max / block_bytes);
  while (past < limit && !kept_.test(BitmapBlock(past)))
    ++past;
  return ByteRange(ByteOffset(first * block_bytes), ByteCount((past - first) * block_bytes));
}

Task<void> UndoLog::keep(BackingDevice& disk, ByteRange range) {
  if (!recording_) co_return;
  ++keeping_;
  const ByteRange whole = whole_blocks(range);
  // Held until the bits are on media: two writes to parts of one block do not take each other's
  // new content for the old one.
  io::RangeLock::Turn turn(turns_, whole);
  co_await turn;
  ByteOffset at = whole.begin;
  while (recording_ && at < whole.end()) {
    const ByteRange run = next_unkept(at, whole.end());
    if (run.empty()) break;
    co_await copy(disk, run);
    at = run.end();
  }
  const std::uint64_t mine = copies_;
  while (recording_ && copies_stable_ < mine) {
    if (busy_) {
      io::Event::Wait wait(progress_);
      co_await wait;
    } else {
      co_await make_stable();
    }
  }
  --keeping_;
  progress_.notify_all();
}

// The last block of a device may be short: its rest is zeroes.
Task<void> UndoLog::copy(BackingDevice& disk, ByteRange run) {
  io::BufferPool::Buffer buffer = co_await buffers_->take(run.length.value());
  const std::uint64_t there =
      std::min(run.length.value(), header_.device.value() - run.begin.value());
  fill_bytes(buffer.bytes().subspan(there), std::byte{0});
  io::Op read;
  disk.read(read, run.begin, buffer.bytes().first(there));
  const std::int32_t old = co_await read;
  if (old < 0) {
    log::warning("{}/{} undo: the old content at sector {} can't be read", header_.resource,
                 header_.volume, to_sector(run.begin).value());
    header_.partial = true;
    co_return;
  }
  // The file reads as zeroes where nothing was written.
  if (!all_zero(buffer.bytes())) {
    io::Op write;
    file_->write(write, ByteOffset(header_.data_at().value() + run.begin.value()), buffer.bytes(),
                 io::Durability::cached);
    const std::int32_t moved = co_await write;
    if (moved < 0) {
      buffer.reset();
      co_await give_up("the undo file can't be written");
      co_return;
    }
  }
  copied_.push_back(run);
  ++copies_;
}

// One flush and the bitmap pages for everything that was copied meanwhile. A bit on media says that
// its block is: the flush comes first.
Task<void> UndoLog::make_stable() {
  busy_ = true;
  std::swap(copied_, settling_);
  const std::uint64_t upto = copies_;
  io::Op flush;
  file_->flush(flush);
  const std::int32_t flushed = co_await flush;
  Status status = flushed < 0 ? Status(Fault::io_error, "undo flush", -flushed) : Status();
  for (const ByteRange& run : settling_)
    kept_.set_range(run);
  for (const ByteRange& run : settling_) {
    if (!status.ok()) break;
    const Status written = co_await write_bitmap_pages(run);
    status = written;
  }
  settling_.clear();
  const char* why = "the undo file can't be written";
  if (status.ok()) {
    copies_stable_ = upto;
    const UndoStore::Space space = co_await store_.space();
    why = exhausted(space);
  }
  busy_ = false;
  if (why != nullptr && recording_) co_await give_up(why);
  progress_.notify_all();
}

Task<Status> UndoLog::write_bitmap_pages(ByteRange run) {
  const std::size_t last = Bitmap::page_of(run.end() - ByteCount(1));
  for (std::size_t page = Bitmap::page_of(run.begin); page <= last; ++page) {
    if (!kept_.page_changed(page)) continue;
    kept_.page_written(page);
    io::BufferPool::Buffer block = co_await buffers_->take(Bitmap::page_bytes_count);
    copy_bytes(block.bytes(), kept_.page(page));
    io::Op op;
    file_->write(op, header_.bitmap_at() + ByteCount(page * Bitmap::page_bytes_count),
                 block.bytes(), io::Durability::stable);
    const std::int32_t moved = co_await op;
    if (moved < 0) co_return Status(Fault::io_error, "undo bitmap", -moved);
  }
  co_return Status();
}

// Null while there is room.
const char* UndoLog::exhausted(const UndoStore::Space& space) const {
  if (limits_.kept_max.value() != 0 && kept() >= limits_.kept_max)
    return "undo-max-size is reached";
  const std::uint64_t reserve = space.total.value() / 100 * limits_.free_percent_min;
  if (space.free.value() <= reserve) return "the file system is at undo-min-free";
  return nullptr;
}

Task<void> UndoLog::give_up(const char* why) {
  if (!recording_) co_return;
  recording_ = false;
  header_.partial = true;
  log::warning("{}/{} undo: {}; {} KB were kept, what is overwritten from now on is lost",
               header_.resource, header_.volume, why, kept().value() / 1024);
  const Status written = co_await write_header();
  if (!written.ok()) {
    log::warning("{}/{} undo: nor can its header", header_.resource, header_.volume);
  }
}

Task<std::string> UndoLog::finish() {
  recording_ = false;
  progress_.notify_all();
  while (keeping_ != 0 || busy_) {
    io::Event::Wait wait(progress_);
    co_await wait;
  }
  header_.complete = true;
  const Status written = co_await write_header();
  if (!written.ok()) {
    log::warning("{}/{} undo: the header can't be written: {}", header_.resource, header_.volume,
                 text(written.fault()));
  }
  file_.reset();
  std::string resource = header_.resource;
  co_return co_await store_.finish(std::move(resource), header_.volume);
}

}  // namespace replicator
