#include "pollux/run_sets.hpp"

#include <algorithm>

namespace replicator::pollux {

Runs in_both(const Runs& a, const Runs& b) {
  Runs common;
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() && right != b.end()) {
    const std::uint64_t first = std::max(left->first, right->first);
    const std::uint64_t end = std::min(left->end(), right->end());
    if (first < end) common.push_back(BlockRun{first, end - first});
    if (left->end() < right->end()) ++left;
    else ++right;
  }
  return common;
}

Runs in_either(const Runs& a, const Runs& b) {
  Runs sorted;
  sorted.reserve(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(sorted));
  Runs joined;
  for (const BlockRun& run : sorted) {
    if (joined.empty() || run.first > joined.back().end()) {
      joined.push_back(run);
    } else {
      BlockRun& last = joined.back();
      last.count = std::max(last.end(), run.end()) - last.first;
    }
  }
  return joined;
}

std::uint64_t kib_of(const BlockRun& run, std::uint64_t device_kib) noexcept {
  constexpr std::uint64_t block_kib = block_bytes / 1024;
  const std::uint64_t first = std::min(run.first * block_kib, device_kib);
  return std::min(run.end() * block_kib, device_kib) - first;
}

std::uint64_t kib_of(const Runs& runs, std::uint64_t device_kib) noexcept {
  std::uint64_t sum = 0;
  for (const BlockRun& run : runs)
    sum += kib_of(run, device_kib);
  return sum;
}

}  // namespace replicator::pollux
