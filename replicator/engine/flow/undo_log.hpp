// Keeps the old content of blocks before a resync overwrites them (undo/undo_format.hpp).
//   keep() returns when the old content and the bit that says so are on media, or when the file can
//   take no more: the undo file never holds up a resync for good, and what it cannot hold is said
//   in the log and in its header.
// Of a block only the first old content is kept, whatever connections and daemons come and go
// meanwhile. Owned by a Volume, used on its thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/flow/backing_device.hpp"
#include "io/buffer_pool.hpp"
#include "io/sync.hpp"
#include "metadata/bitmap.hpp"
#include "undo/undo_format.hpp"
#include "undo/undo_store.hpp"

namespace replicator {

struct UndoLimits {
  ByteCount kept_max;                  // 0: no limit
  std::uint32_t free_percent_min = 0;  // of the file system, to be left to others
};

class UndoLog {
 public:
  // The header is on media when it returns. Faults of UndoStore, io_error.
  static Task<Result<std::unique_ptr<UndoLog>>> begin(UndoStore& store, UndoHeader header,
                                                      UndoLimits limits);
  // Goes on with the growing file of an interrupted resync. not_found; malformed, metadata_mismatch
  // (of another size): then it has been set aside.
  static Task<Result<std::unique_ptr<UndoLog>>> resume(UndoStore& store, std::string resource,
                                                       std::uint32_t volume, ByteCount device,
                                                       UndoLimits limits);
  UndoLog(const UndoLog&) = delete;
  UndoLog& operator=(const UndoLog&) = delete;

  Task<void> keep(BackingDevice& disk, ByteRange range);
  // Once, when the resync is complete: the file's name, empty when there is none.
  Task<std::string> finish();

  [[nodiscard]] bool recording() const noexcept { return recording_; }
  // Into which old content is read.
  [[nodiscard]] std::shared_ptr<void> memory() const noexcept { return buffers_; }
  [[nodiscard]] const UndoHeader& header() const noexcept { return header_; }
  [[nodiscard]] ByteCount kept() const noexcept {
    return ByteCount(kept_.weight().value() * block_bytes);
  }

 private:
  UndoLog(UndoStore& store, UndoHeader header, UndoLimits limits, std::unique_ptr<io::Disk> file,
          Bitmap kept);
  Task<Status> write_header();
  Task<Status> load_bitmap();
  [[nodiscard]] ByteRange whole_blocks(ByteRange range) const noexcept;
  [[nodiscard]] ByteRange next_unkept(ByteOffset from, ByteOffset end) const noexcept;
  Task<void> copy(BackingDevice& disk, ByteRange run);
  Task<void> make_stable();
  Task<Status> write_bitmap_pages(ByteRange run);
  [[nodiscard]] const char* exhausted(const UndoStore::Space& space) const;
  Task<void> give_up(const char* why);

  UndoStore& store_;
  UndoHeader header_;
  UndoLimits limits_;
  std::unique_ptr<io::Disk> file_;
  Bitmap kept_;
  std::shared_ptr<io::BufferPool> buffers_;
  bool recording_ = true;

  io::RangeLock turns_;
  std::vector<ByteRange> copied_;  // in the file, perhaps not on media
  std::vector<ByteRange> settling_;
  std::uint64_t copies_ = 0;         // so far …
  std::uint64_t copies_stable_ = 0;  // … and how many of them are on media with their bits
  bool busy_ = false;                // somebody flushes for all
  std::uint32_t keeping_ = 0;
  io::Event progress_;
};

}  // namespace replicator
