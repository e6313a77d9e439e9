// Time for the engine: a monotonic Instant from io::Clock and a Duration, both in nanoseconds.
// Wall-clock time (base/wall_time.hpp) is for people only.
#pragma once

#include <compare>
#include <cstdint>

namespace replicator {

class Duration {
 public:
  constexpr Duration() noexcept = default;
  static constexpr Duration nanoseconds(std::int64_t n) noexcept { return Duration(n); }
  static constexpr Duration microseconds(std::int64_t n) noexcept { return Duration(n * 1000); }
  static constexpr Duration milliseconds(std::int64_t n) noexcept { return Duration(n * 1000000); }
  static constexpr Duration tenths(std::int64_t n) noexcept { return Duration(n * 100000000); }
  static constexpr Duration seconds(std::int64_t n) noexcept { return Duration(n * 1000000000); }
  static constexpr Duration forever() noexcept { return Duration(INT64_MAX); }
  [[nodiscard]] constexpr std::int64_t nanoseconds() const noexcept { return ns_; }
  [[nodiscard]] constexpr std::int64_t milliseconds() const noexcept { return ns_ / 1000000; }
  [[nodiscard]] constexpr bool is_forever() const noexcept { return ns_ == INT64_MAX; }
  constexpr auto operator<=>(const Duration&) const noexcept = default;
  friend constexpr Duration operator+(Duration a, Duration b) noexcept {
    return (a.is_forever() || b.is_forever()) ? forever() : Duration(a.ns_ + b.ns_);
  }
  friend constexpr Duration operator-(Duration a, Duration b) noexcept {
    return Duration(a.ns_ - b.ns_);
  }
  friend constexpr Duration operator*(Duration a, std::int64_t n) noexcept {
    return Duration(a.ns_ * n);
  }
  friend constexpr Duration operator/(Duration a, std::int64_t n) noexcept {
    return Duration(a.ns_ / n);
  }

 private:
  constexpr explicit Duration(std::int64_t ns) noexcept : ns_(ns) {}
  std::int64_t ns_ = 0;
};

class Instant {
 public:
  constexpr Instant() noexcept = default;
  constexpr explicit Instant(std::int64_t ns) noexcept : ns_(ns) {}
  [[nodiscard]] constexpr std::int64_t nanoseconds() const noexcept { return ns_; }
  static constexpr Instant never() noexcept { return Instant(INT64_MAX); }
  constexpr auto operator<=>(const Instant&) const noexcept = default;
  friend constexpr Instant operator+(Instant t, Duration d) noexcept {
    return d.is_forever() ? never() : Instant(t.ns_ + d.nanoseconds());
  }
  friend constexpr Duration operator-(Instant a, Instant b) noexcept {
    return Duration::nanoseconds(a.ns_ - b.ns_);
  }

 private:
  std::int64_t ns_ = 0;
};

}  // namespace replicator
