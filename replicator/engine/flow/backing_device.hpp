// One attached volume's local disk with its meta data: superblock, bitmap, activity log.
//   D2  cover() returns only when every extent of the range is in a transaction on media
//   D4  an extent is evicted only when no write in it is in doubt, after a flush of the data disk
//   and after
//       its changed bitmap pages are on media
//   D6  the superblock's content lies in one sector; a torn transaction block is recognised
//   P4  data requests never reach the meta data
// Normative: docs/metadata.md#write-orders. Owned by the resource's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/config.hpp"
#include "engine/status.hpp"
#include "io/buffer_pool.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "metadata/activity_log.hpp"
#include "metadata/bitmap.hpp"
#include "metadata/superblock.hpp"

namespace replicator {

class BackingDevice;

// Holds the activity-log extents of one write. Given back when destroyed or reassigned.
class ActivityHold {
 public:
  ActivityHold() noexcept = default;
  ActivityHold(ActivityHold&& other) noexcept;
  ActivityHold& operator=(ActivityHold&& other) noexcept;
  ~ActivityHold() { reset(); }
  void reset() noexcept;
  [[nodiscard]] explicit operator bool() const noexcept { return device_ != nullptr; }

 private:
  friend class BackingDevice;
  BackingDevice* device_ = nullptr;
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
};

// Excludes application writes from one 16 MiB resync extent. While only wanted it already stops new
// ones.
class ResyncLock {
 public:
  ResyncLock() noexcept = default;
  ResyncLock(ResyncLock&& other) noexcept;
  ResyncLock& operator=(ResyncLock&& other) noexcept;
  ~ResyncLock() { reset(); }
  void reset() noexcept;

 private:
  friend class BackingDevice;
  BackingDevice* device_ = nullptr;
  std::uint32_t extent_ = 0;
};

class BackingDevice {
 public:
  // Opens the disk(s), validates the meta data, replays an unclean activity log into the bitmap and
  // leaves the meta data marked as in use. Faults: busy, not_found, no_metadata, unsupported,
  // metadata_mismatch, too_small, io_error, malformed (activity log unusable after a crash).
  static Task<Result<std::unique_ptr<BackingDevice>>> open(io::World& world, BackingConfig config,
                                                           DiskOptions options);
  ~BackingDevice();
  BackingDevice(const BackingDevice&) = delete;
  BackingDevice& operator=(const BackingDevice&) = delete;

  [[nodiscard]] std::uint32_t logical_block_bytes() const noexcept;
  // What the disk offers after meta data and format limits.
  [[nodiscard]] ByteCount usable_bytes() const noexcept { return usable_; }
  // The effective size (last agreed); changed by resize().
  [[nodiscard]] ByteCount size() const noexcept;
  [[nodiscard]] Superblock& superblock() noexcept { return superblock_; }
  [[nodiscard]] const Superblock& superblock() const noexcept { return superblock_; }
  [[nodiscard]] Bitmap& bitmap() noexcept { return bitmap_; }
  [[nodiscard]] const Bitmap& bitmap() const noexcept { return bitmap_; }
  // The disk was Primary when it was last used and did not say goodbye.
  [[nodiscard]] bool crashed_primary() const noexcept { return crashed_primary_; }
  void set_options(const DiskOptions& options) { options_ = options; }

  // Data. Ranges lie below size().
  void read(io::Op& op, ByteOffset at, Bytes into);
  void write(io::Op& op, ByteOffset at, ConstBytes data, io::Durability durability);
  void flush(io::Op& op);
  void write_zeroes(io::Op& op, ByteRange range, bool may_unmap);

  // Activity log. try_cover never suspends nor allocates: the hot path.
  bool try_cover(ByteRange range, ActivityHold& hold) noexcept;
  Task<Status> cover(ByteRange range, ActivityHold& hold);
  // Somebody waits for a slot or a resync lock that only ending epochs can free.
  [[nodiscard]] bool starving() const noexcept { return starving_ != 0; }
  io::Event starved;
  // The lock is taken when no application write of the extent is in doubt; call again until it is.
  bool try_lock_resync(ByteRange range, ResyncLock& lock);

  // Meta data writes. Concurrent superblock writers share one.
  Task<Status> write_superblock();
  Task<Status> write_changed_bitmap_pages();
  // Full sync from here on: flag, all bits, bitmap, flag off; survives a crash at any point.
  Task<Status> set_all_with_full_sync_flag();
  // New effective size (3.5 of the format): new blocks are out of sync.
  Task<Status> resize(ByteCount size);
  // Leaves everything on media. The superblock's state flags are the caller's.
  Task<Status> close();

  void fill(VolumeStatus& status) const noexcept;

 private:
  friend class ActivityHold;
  friend class ResyncLock;
  BackingDevice(io::World& world, BackingConfig config, DiskOptions options);
  Status open_disks();
  Task<Status> load();
  Task<Status> load_bitmap();
  Task<Status> replay();
  Task<Status> take_into_use();
  Task<Status> write_superblock_now();
  Task<Status> initialise_activity_log();
  // Those of [first, first + count) that have changed; neighbours in one write.
  Task<Status> write_pages(std::size_t first, std::size_t count);
  Task<Status> write_run(std::size_t first, std::size_t count);
  Task<Status> write_meta(std::uint64_t sector, ConstBytes block, io::Durability durability);
  Task<Status> flush_all();
  Task<Status> run_transaction();
  Task<Status> write_transaction();
  void want(std::uint32_t first, std::uint32_t last);
  void release(std::uint32_t first, std::uint32_t last) noexcept;
  [[nodiscard]] io::Disk& meta() noexcept { return meta_ ? *meta_ : *data_; }
  [[nodiscard]] std::uint64_t bitmap_sector() const noexcept;
  [[nodiscard]] std::uint64_t activity_log_sector() const noexcept;

  io::World& world_;
  BackingConfig config_;
  DiskOptions options_;
  std::unique_ptr<io::Disk> data_;
  std::unique_ptr<io::Disk> meta_;  // null: internal
  std::uint64_t superblock_sector_ = 0;
  ByteCount usable_;
  Superblock superblock_;
  Bitmap bitmap_;
  ActivityLog log_;
  bool crashed_primary_ = false;
  io::BufferPool blocks_;  // 4 KiB pieces and one of 1 MiB, taken once

  // Group transaction.
  std::vector<std::uint32_t> wanted_;
  bool transacting_ = false;
  std::uint64_t transactions_ = 0;
  Status transaction_status_;
  io::Event transaction_done_;
  io::Event released_;
  std::uint32_t starving_ = 0;

  // Superblock writers.
  std::uint64_t superblock_wanted_ = 0;
  std::uint64_t superblock_written_ = 0;
  bool writing_superblock_ = false;
  io::Event superblock_done_;

  io::RangeLock page_turns_;

  std::uint64_t al_writes_ = 0;
  std::uint64_t bitmap_writes_ = 0;
  std::uint64_t read_bytes_ = 0;
  std::uint64_t written_bytes_ = 0;
};

}  // namespace replicator
