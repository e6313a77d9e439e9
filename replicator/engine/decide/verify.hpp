// Online verify as arithmetic: which 4 KiB block comes next, how much is left, and runs of blocks
// that differ for the log. Pure. Normative: docs/protocol.md#online-verify.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/units.hpp"

namespace replicator {

// What an operator asked for; sectors.
struct VerifyRange {
  static constexpr std::uint64_t no_stop = UINT64_MAX;
  std::uint64_t start = 0;
  std::uint64_t stop = no_stop;
};

// From where to where a verify goes. One block is one request; the last one is trimmed to the
// device. `left` counts to the end of the device even when a stop sector comes first: that is what
// displays show and where the next run resumes.
class VerifyCursor {
 public:
  VerifyCursor(ByteCount device, VerifyRange wanted) noexcept
      : device_(device), blocks_(ceil_div(device.value(), block_bytes)) {
    first_ = std::min(wanted.start / sectors_per_block, blocks_ == 0 ? 0 : blocks_ - 1);
    next_ = first_;
    // The block that contains the stop sector is the last one, and there is always one.
    if (wanted.stop != VerifyRange::no_stop) {
      end_ = std::clamp(ceil_div(wanted.stop, sectors_per_block), first_ + 1, blocks_);
    } else {
      end_ = blocks_;
    }
    left_ = blocks_ - first_;
  }

  // The next block to ask for; nothing when all were.
  [[nodiscard]] std::optional<ByteRange> peek() const noexcept {
    if (next_ >= end_) return std::nullopt;
    const std::uint64_t from = next_ * block_bytes;
    return ByteRange(ByteOffset(from), ByteCount(std::min(block_bytes, device_.value() - from)));
  }
  void advance() noexcept { ++next_; }
  void compared() noexcept {
    if (left_ > 0) --left_;
  }
  [[nodiscard]] bool all_asked() const noexcept { return next_ >= end_; }
  [[nodiscard]] std::uint64_t total() const noexcept { return blocks_ - first_; }
  [[nodiscard]] std::uint64_t left() const noexcept { return left_; }
  [[nodiscard]] ByteOffset next() const noexcept { return ByteOffset(next_ * block_bytes); }
  [[nodiscard]] std::uint64_t start_sector() const noexcept { return first_ * sectors_per_block; }
  // Everything before this sector was compared, if the answers came in order.
  [[nodiscard]] std::uint64_t reached_sector() const noexcept {
    return (blocks_ - left_) * sectors_per_block;
  }

 private:
  ByteCount device_;
  std::uint64_t blocks_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t left_ = 0;
};

// Neighbouring blocks that differ become one line of the log, written when the run ends.
class DifferingRun {
 public:
  // The run that ended because this block is not its neighbour.
  std::optional<ByteRange> add(ByteRange block) noexcept {
    if (!run_.empty() && run_.end() == block.begin) {
      run_.length += block.length;
      return std::nullopt;
    }
    const std::optional<ByteRange> ended = end();
    run_ = block;
    return ended;
  }
  std::optional<ByteRange> end() noexcept {
    if (run_.empty()) return std::nullopt;
    const ByteRange ended = run_;
    run_ = ByteRange();
    return ended;
  }

 private:
  ByteRange run_;
};

}  // namespace replicator
