// A simulated disk with a volatile write cache. Fault model:
//   - a completed write is in the cache; a flush puts on media what had completed before it was
//   submitted; a
//     stable write is on media when it completes, alone;
//   - operations in flight complete in any order; content is transferred at completion, so
//   overlapping
//     writes in flight end up in either order;
//   - the device may put a cached sector on media at any time, so an older version can survive a
//   newer one;
//   - a power cut keeps or loses each cached sector on its own, in-flight writes likewise (torn at
//   512 bytes
//     or at the logical block size of the device);
//   - reads, writes and flushes fail or get stuck on demand, once or from now on; the device can
//   vanish;
//   - discards zero, keep, zero only the aligned part, or leave garbage.
// A process that dies leaves its operations to the kernel: each is carried out or was never
// submitted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/io.hpp"
#include "tests/sim/image.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

enum class DiskOp : std::uint8_t { read, write, flush, discard, zeroes };
const char* name(DiskOp kind) noexcept;

enum class DiscardMode : std::uint8_t { unsupported, zeroes, keeps, aligned_zeroes, garbage };

struct DiskTiming {
  Duration fastest = Duration::microseconds(20);
  Duration slowest = Duration::microseconds(200);
  std::uint32_t slow_percent = 1;  // of the operations take up to:
  Duration slow = Duration::milliseconds(20);
};

// How much of the cache a power cut spares.
enum class CutMode : std::uint8_t { keep_all, lose_all, lose_some, drawn };

struct DiskModel {
  DiskTiming timing;
  std::uint32_t logical_block_bytes = 512;
  DiscardMode discard = DiscardMode::zeroes;
  bool zeroes_supported = true;
  std::uint32_t destage_percent =
      10;                       // chance that overwriting a cached sector destages the old one
  bool volatile_cache = true;   // else what has completed is on media
  bool check_stability = true;  // the caller must not change a buffer that is being written
};

// The k-th operation from now (0 = the next) of these kinds within the range fails.
struct DiskFault {
  std::uint32_t kinds = 0;  // bits 1 << DiskOp
  ByteRange where{ByteOffset(0), ByteCount(~0ULL >> 1U)};
  std::uint64_t countdown = 0;
  bool sticky = false;     // and all later ones
  bool stuck = false;      // never completes, until release()
  std::int32_t error = 5;  // EIO
};
constexpr std::uint32_t bit(DiskOp kind) noexcept { return 1U << static_cast<unsigned>(kind); }

class SimDisk final : EventTarget, io::Backend {
 public:
  SimDisk(World& world, NodeId node, std::string path, ByteCount size, DiskModel options);

  // What checkers are told. Ranges of flushes are empty.
  struct Seen {
    DiskOp kind;
    ByteRange range;
    io::Durability durability;
    ConstBytes data;  // of writes
    std::int32_t result;
    bool may_unmap = false;  // of zeroes
  };
  using Hook = std::function<void(const Seen&)>;
  void on_submit(Hook hook) { on_submit_ = std::move(hook); }
  void on_complete(Hook hook) { on_complete_ = std::move(hook); }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] ByteCount size() const noexcept { return image_.size(); }
  [[nodiscard]] Image& image() noexcept { return image_; }
  [[nodiscard]] const Image& image() const noexcept { return image_; }
  [[nodiscard]] DiskModel& options() noexcept { return options_; }
  // Changes whenever something of this range may have changed on media.
  void watch_media(ByteRange range) noexcept { watched_ = range; }
  [[nodiscard]] std::uint64_t media_version() const noexcept { return media_version_; }

  Result<std::unique_ptr<io::Disk>> open(io::DiskAccess access);
  [[nodiscard]] bool is_open() const noexcept { return handles_ != 0; }

  // Faults.
  void inject(const DiskFault& fault) { faults_.push_back(fault); }
  void clear_faults();
  void release_stuck();
  void vanish(bool gone) noexcept { gone_ = gone; }
  void set_timing(const DiskTiming& timing) noexcept { options_.timing = timing; }
  // The process is gone: what it had in flight is done or not; the cache stays.
  void process_died();
  void power_cut(CutMode mode);
  // A disk image from another time or place.
  void replace_image(const Image& image);
  void resize(ByteCount size) {
    image_.resize(size);
    ++media_version_;
  }
  // By somebody who wrote to image() past the disk.
  void image_changed() noexcept { ++media_version_; }

  [[nodiscard]] std::uint64_t operations() const noexcept { return serial_; }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] std::uint64_t fault_hits() const noexcept { return fault_hits_; }

 private:
  class Handle;
  struct Pending {
    io::Op* op = nullptr;
    DiskOp kind = DiskOp::read;
    io::Durability durability = io::Durability::cached;
    ByteOffset begin;
    std::uint64_t length = 0;
    std::byte* into = nullptr;
    const std::byte* from = nullptr;
    std::uint64_t check = 0;
    std::int32_t failure = 0;
    std::uint32_t generation = 0;
    bool stuck = false;
    bool may_unmap = false;
    std::vector<Image::DirtyPage> dirty;  // flush: what it will put on media

    [[nodiscard]] ByteRange range() const noexcept { return {begin, ByteCount(length)}; }
  };

  void fire(std::uint64_t tag) override;
  void forget(io::Op& op) noexcept override;

  void submit(io::Op& op, Pending pending);
  [[nodiscard]] std::int32_t validate(const Pending& pending);
  void draw_fault(Pending& pending);
  [[nodiscard]] Duration draw_latency();
  void complete(Pending& pending);
  std::int32_t carry_out(Pending& pending);
  void write_cached(ByteOffset at, ConstBytes data);
  void put_on_media(ByteRange range);
  void put_on_media(const std::vector<Image::DirtyPage>& pages);
  void do_discard(const Pending& pending);
  // Of a write that power or the process left: sector by sector.
  void leave_partial(const Pending& pending, std::uint32_t keep_percent);
  void drop(Pending& pending) noexcept;
  void record(const char* what, const Pending& pending, std::int32_t result);
  void note_media(ByteRange range) noexcept {
    if (watched_.overlaps(range)) ++media_version_;
  }

  World& world_;
  NodeId node_;
  std::string path_;
  DiskModel options_;
  Image image_;
  Prng prng_;
  std::vector<Pending> pending_;
  std::vector<std::uint32_t> free_;
  std::vector<DiskFault> faults_;
  Hook on_submit_;
  Hook on_complete_;
  ByteRange watched_;
  std::uint64_t media_version_ = 0;
  std::uint64_t serial_ = 0;
  std::uint64_t fault_hits_ = 0;
  std::size_t in_flight_ = 0;
  std::uint32_t handles_ = 0;
  bool exclusive_ = false;
  bool gone_ = false;
};

}  // namespace replicator::sim
