// One attached volume's local disk with its meta data: superblock, bitmap, activity log.
//   D2  cover() returns only when every extent of the range is in a transaction on media
//   D4  an extent is evicted only when no write in it is in doubt, after a flush of the data disk
//   and after
//       its changed bitmap pages are on media
//   D6  the superblock's content lies in one sector; a torn transaction block is recognised
//   P4  data requests never reach the meta data
//   L4  a disk that hangs is given up: its callers go on, and what its late operations could spoil
//       is left alone (io/guarded_storage.hpp)
// Normative: docs/metadata.md#write-orders. Owned by the resource's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/list.hpp"
#include "base/time.hpp"
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
  [[nodiscard]] bool of(const BackingDevice* device) const noexcept { return device_ == device; }

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
  // `opening` shows it meanwhile, to whoever wants to limit its patience.
  static Task<Result<std::unique_ptr<BackingDevice>>> open(io::World& world, BackingConfig config,
                                                           DiskOptions options,
                                                           BackingDevice** opening = nullptr);
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
  void set_options(const DiskOptions& options);

  // From now on no operation may take longer, nor longer than `disk-timeout`; else both disks are
  // given up: everything under way fails, and everything after it.
  void limit_patience(Duration limit);
  // Only `disk-timeout` counts again.
  void lift_limit();
  [[nodiscard]] bool given_up() const noexcept { return given_up_; }
  // Called then, before anybody notices.
  std::function<void()> hangs;
  // Something that operations of the disk read into or write from, besides what always stays.
  void needs(std::shared_ptr<void> memory) { memory_.push_back(std::move(memory)); }

  // While one exists retire() waits. Whoever suspends on an operation of the disk holds one, or
  // counts in what the volume waits for before it retires the disk.
  class Use {
   public:
    explicit Use(BackingDevice& device) noexcept : device_(device) { ++device_.users_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
      if (--device_.users_ == 0) device_.unused_.notify_all();
    }

   private:
    BackingDevice& device_;
  };

  // Data. Ranges lie below size().
  void read(io::Op& op, ByteOffset at, Bytes into);
  void write(io::Op& op, ByteOffset at, ConstBytes data, io::Durability durability);
  void flush(io::Op& op);
  void write_zeroes(io::Op& op, ByteRange range, bool may_unmap);

  [[nodiscard]] std::uint32_t extents_held() const noexcept { return log_.held(); }
  // Activity log. try_cover never suspends nor allocates: the hot path.
  bool try_cover(ByteRange range, ActivityHold& hold) noexcept;
  Task<Status> cover(ByteRange range, ActivityHold& hold);
  // Called when somebody waits for a slot or a resync lock that only ending epochs can free.
  std::function<void()> starved;
  // The lock is taken when no application write of the extent is in doubt; call again until it is.
  bool try_lock_resync(ByteRange range, ResyncLock& lock);

  // The flags of the superblock that was last written whole.
  [[nodiscard]] std::uint32_t flags_on_media() const noexcept { return flags_on_media_; }
  // … and its generations.
  [[nodiscard]] const GenerationSet& generations_on_media() const noexcept {
    return generations_on_media_;
  }
  // Meta data writes. Concurrent superblock writers share one.
  Task<Status> write_superblock();
  Task<Status> write_changed_bitmap_pages();
  // Full sync from here on: flag, all bits, bitmap, flag off; survives a crash at any point.
  Task<Status> set_all_with_full_sync_flag();
  // What the disks offer if the meta data moved to where it belongs on them now: they may have
  // grown.
  [[nodiscard]] ByteCount offered_bytes() noexcept;
  [[nodiscard]] bool displaced() noexcept;
  // New effective size, and the meta data where it belongs. New blocks are out of sync unless
  // `new_in_sync`. Fault::too_small: the disk does not offer that much.
  Task<Status> resize(ByteCount size, bool new_in_sync);
  // The end: turns away who waits for the activity log, waits for who is inside, leaves everything
  // on media and gives the disks back. The superblock's state flags are the caller's. The object
  // stays for the holds and locks that are still out, which mean nothing any more; it may go when
  // it is forgotten().
  Task<Status> retire();
  [[nodiscard]] bool forgotten() const noexcept { return data_ == nullptr && holds_ == 0; }

  void fill(VolumeStatus& status) const noexcept;

 private:
  friend class ActivityHold;
  friend class ResyncLock;
  BackingDevice(io::World& world, BackingConfig config, DiskOptions options);
  Status open_disks();
  Task<Status> load();
  Task<Status> load_bitmap();
  void limit_activity_log();
  Task<Status> replay();
  Task<Status> take_into_use();
  Task<Status> write_superblock_now();
  Task<Status> initialise_activity_log();
  // Those of [first, first + count) that have changed; neighbours in one write.
  Task<Status> write_pages(std::size_t first, std::size_t count);
  Task<Status> write_changed(std::size_t first, std::size_t count);
  Task<Status> write_run(std::size_t first, std::size_t count);
  Task<Status> write_meta(std::uint64_t sector, ConstBytes block, io::Durability durability);
  Task<Status> flush_all();
  Task<Status> close();
  [[nodiscard]] Duration patience() const noexcept;
  void watch_disks();
  Task<void> watch();
  void give_up();
  // Nothing of ours uses the disks any more.
  Task<void> leave_disks();
  Task<void> nobody_inside();
  // Somebody in cover().
  struct Waiting : ListNode {
    Waiting(ByteRange r, ActivityHold& h) noexcept : range(r), hold(h) {}
    ByteRange range;
    ActivityHold& hold;
    bool granted = false;
  };
  [[nodiscard]] bool blocked(const Waiting& waiting) const noexcept;
  bool grant() noexcept;
  void plan();
  Task<Status> run_transaction(const Waiting& leader);
  Task<Status> write_transaction();
  Task<Status> write_log_block();
  Task<Status> rewrite_activity_log();
  [[nodiscard]] MetadataLayout layout_now() noexcept;
  Task<void> take_hold();
  void let_go() noexcept;
  Task<Status> resize_alone(ByteCount size, bool new_in_sync);
  // "All bits are being set", by whoever says so; over when the last one is done.
  void declare_full_sync() noexcept {
    ++full_syncs_;
    superblock_.flags |= md_flag_full_sync;
  }
  void revoke_full_sync() noexcept {
    if (--full_syncs_ == 0) superblock_.flags &= ~md_flag_full_sync;
  }
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
  bool logs_activity_;  // al-updates; else a crash of a Primary costs a full resync
  bool crashed_primary_ = false;
  std::uint32_t full_syncs_ = 0;
  std::shared_ptr<io::BufferPool> blocks_;  // 4 KiB pieces and one of 1 MiB, taken once
  std::vector<std::shared_ptr<void>> memory_;

  // Group transaction.
  List<Waiting> waiting_;
  bool transacting_ = false;
  std::uint64_t transactions_ = 0;
  Status transaction_status_;
  io::Event transaction_done_;
  io::Event released_;
  std::uint32_t users_ = 0;
  std::uint32_t holds_ = 0;  // activity holds and resync locks that are out
  bool retiring_ = false;
  io::Event unused_;

  // Superblock writers.
  std::uint32_t flags_on_media_ = 0;
  GenerationSet generations_on_media_;
  std::uint64_t superblock_wanted_ = 0;
  std::uint64_t superblock_written_ = 0;
  bool writing_superblock_ = false;
  io::Event superblock_done_;

  io::RangeLock page_turns_;

  std::uint64_t al_writes_ = 0;
  std::uint64_t bitmap_writes_ = 0;
  std::uint64_t read_bytes_ = 0;
  std::uint64_t written_bytes_ = 0;

  // Disks that hang.
  Duration patience_limit_;  // besides disk-timeout; zero: none
  bool given_up_ = false;
  bool watching_ = false;
  bool leaving_ = false;
  io::Op pause_;
  io::Gate watch_;  // last: its frame refers to everything above
};

}  // namespace replicator
