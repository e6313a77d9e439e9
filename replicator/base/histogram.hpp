// How long things took: counts by powers of two of a microsecond, for metrics. Costs a few
// instructions and never grows.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace replicator {

class Histogram {
 public:
  // Bucket i counts what took up to 2^i microseconds and is in none before it: from 1 us to about
  // 8 s. What took longer is in `count()` only.
  static constexpr std::size_t buckets = 24;

  void add(Duration duration) noexcept {
    const std::int64_t ns = duration.nanoseconds();
    const std::uint64_t us = ns <= 0 ? 0 : (static_cast<std::uint64_t>(ns) + 999) / 1000;
    const auto at = static_cast<std::size_t>(us <= 1 ? 0 : std::bit_width(us - 1));
    if (at < buckets) ++counts_[at];
    ++count_;
    nanoseconds_ += ns <= 0 ? 0 : static_cast<std::uint64_t>(ns);
  }
  [[nodiscard]] std::uint64_t in_bucket(std::size_t i) const noexcept { return counts_[i]; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t nanoseconds() const noexcept { return nanoseconds_; }

 private:
  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t nanoseconds_ = 0;  // of all
};

}  // namespace replicator
