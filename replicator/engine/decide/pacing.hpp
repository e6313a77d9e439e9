// How fast a resync asks: DRBD's controller, run every 100 ms on the target, plus one rule of ours.
// Pure. While no application I/O is seen nothing is gained by slow start or c-max-rate, so the
// target then asks for all that fits its receive buffers (docs/decisions/resync-pacing.md); under
// application I/O the controller's numbers hold, and not more than c-min-rate is asked for if that
// is set. c-plan-ahead 0 is a fixed rate in both cases.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.hpp"
#include "engine/config.hpp"

namespace replicator {

struct PacingOptions {
  std::uint32_t resync_rate = 250;  // KiB/s
  std::uint32_t c_plan_ahead = 20;  // steps of 100 ms
  std::uint32_t c_delay_target = 10;
  std::uint32_t c_fill_target = 100;  // sectors
  std::uint32_t c_max_rate = 102400;  // KiB/s
  std::uint32_t c_min_rate = 0;       // KiB/s; 0: applications and resync share
  std::uint32_t max_buffers = 2048;   // 4 KiB pages
};

class ResyncPacer {
 public:
  explicit ResyncPacer(const PacingOptions& options);
  // Blocks that may be requested in the next 100 ms; `answered` since the last step, both in 4 KiB
  // blocks.
  std::uint64_t step(std::uint64_t answered_blocks, std::uint64_t in_flight_blocks,
                     bool application_io);
  [[nodiscard]] std::uint64_t want_kib_per_second() const noexcept { return want_; }
  // What was asked for at once must not be more than the step allows.
  [[nodiscard]] bool gives_way() const noexcept { return gives_way_; }

 private:
  std::int64_t controlled(std::int64_t sectors_in, std::int64_t sectors_in_flight);
  std::int64_t within_min_rate(std::int64_t blocks, std::int64_t requested);
  PacingOptions options_;
  std::vector<std::int64_t> plan_;  // sectors per step to come, oldest at next_
  std::size_t next_ = 0;
  std::int64_t plan_total_ = 0;
  std::uint64_t want_ = 0;
  std::int64_t allowance_ = 0;  // of c-min-rate, KiB times steps per second
  std::int64_t in_flight_ = 0;
  bool gives_way_ = false;
};

// The request that begins at or after `position` (in blocks): merged set bits, aligned to its own
// power-of-two size, within one 16 MiB extent, at most `most_bytes`, trimmed to the device. `Bits`
// offers next_set(BitmapBlock) -> optional<BitmapBlock> and test(BitmapBlock).
template <class Bits>
std::optional<ByteRange> next_resync_range(const Bits& bits, std::uint64_t position,
                                           ByteCount device, std::uint64_t most_bytes) {
  const std::optional<BitmapBlock> first = bits.next_set(BitmapBlock(position));
  if (!first) return std::nullopt;
  const std::uint64_t most = most_bytes / block_bytes;
  constexpr std::uint64_t per_extent = resync_extent_bytes / block_bytes;
  const std::uint64_t begin = first->value();
  const std::uint64_t last = ceil_div(device.value(), block_bytes);
  std::uint64_t count = 1;
  while (count * 2 <= most && begin % (count * 2) == 0) {
    const std::uint64_t end = begin + count * 2;
    if (end > last || begin / per_extent != (end - 1) / per_extent) break;
    bool all = true;
    for (std::uint64_t at = begin + count; at < end && all; ++at)
      all = bits.test(BitmapBlock(at));
    if (!all) break;
    count *= 2;
  }
  const std::uint64_t from = begin * block_bytes;
  const std::uint64_t to = begin + count == last ? device.value() : from + count * block_bytes;
  return ByteRange(ByteOffset(from), ByteCount(to - from));
}

// rs-discard-granularity as the size of requests that may be answered without data: the largest
// power of two within it; 0: none.
constexpr std::uint64_t thin_request_bytes(std::uint32_t granularity) noexcept {
  if (granularity < block_bytes) return 0;
  std::uint64_t bytes = block_bytes;
  while (bytes * 2 <= granularity)
    bytes *= 2;
  return bytes;
}

}  // namespace replicator
