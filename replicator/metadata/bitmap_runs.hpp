// Marked blocks as runs: what a bitmap says in a form that people and other nodes read.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "metadata/bitmap.hpp"

namespace replicator {

// Neighbouring blocks of 4 KiB.
struct BlockRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  [[nodiscard]] constexpr std::uint64_t end() const noexcept { return first + count; }
  constexpr auto operator<=>(const BlockRun&) const noexcept = default;
};

struct BitmapRuns {
  std::vector<BlockRun> runs;  // ascending, with a clear block between two of them
  std::uint64_t next = 0;      // where to go on; the bitmap's size: that was all
};

// Those at and after `from`, at most `most`. Ends with whole runs only.
BitmapRuns marked_runs(const Bitmap& bitmap, std::uint64_t from, std::size_t most);

}  // namespace replicator
