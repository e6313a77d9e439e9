#include "metadata/bitmap_runs.hpp"

#include <algorithm>
#include <bit>

namespace replicator {

namespace {

// The first block at or after `from` whose bit is `set`; the size when there is none.
std::uint64_t find(const Bitmap& bitmap, std::uint64_t from, bool set) noexcept {
  const std::uint64_t size = bitmap.size().value();
  const auto words = bitmap.words();
  for (std::uint64_t at = from; at < size; at = round_down(at, 64) + 64) {
    const std::uint64_t word = words[at / 64];
    const std::uint64_t wanted = (set ? word : ~word) & (~0ULL << (at % 64));
    if (wanted == 0) continue;
    const std::uint64_t found =
        round_down(at, 64) + static_cast<std::uint64_t>(std::countr_zero(wanted));
    return std::min(found, size);
  }
  return size;
}

}  // namespace

BitmapRuns marked_runs(const Bitmap& bitmap, std::uint64_t from, std::size_t most) {
  BitmapRuns result;
  result.next = from;
  while (result.runs.size() < most && result.next < bitmap.size().value()) {
    const std::uint64_t first = find(bitmap, result.next, true);
    result.next = find(bitmap, first, false);
    if (first < result.next) result.runs.push_back(BlockRun{first, result.next - first});
  }
  return result;
}

}  // namespace replicator
