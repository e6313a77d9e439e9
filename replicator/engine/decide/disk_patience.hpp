// When a disk hangs: one operation was seen under way at each of a number of looks in a row. Looks
// are counted, not time, so that a pause of the whole process (a stopped one, a suspended virtual
// machine) counts once and no disk is blamed for it. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.hpp"

namespace replicator {

// The shorter of two limits; zero means none.
constexpr Duration shorter_limit(Duration a, Duration b) noexcept {
  if (a == Duration()) return b;
  return b == Duration() || a < b ? a : b;
}

class DiskPatience {
 public:
  // In one limit. An operation is found out after one limit and at most one look more.
  static constexpr std::uint32_t looks_per_limit = 8;

  // True: what is under way now was so `looks_per_limit` looks ago. `begun`: how many operations
  // have begun; `oldest`: the number of the oldest one under way, past them all when none is.
  bool exhausted_at(std::uint64_t begun, std::uint64_t oldest) noexcept {
    std::uint64_t& then = begun_[looks_ % looks_per_limit];
    const bool long_ago = looks_ >= looks_per_limit;
    const bool exhausted = long_ago && oldest <= then;
    then = begun;
    ++looks_;
    return exhausted;
  }

 private:
  std::array<std::uint64_t, looks_per_limit> begun_{};  // at the last looks
  std::uint64_t looks_ = 0;
};

}  // namespace replicator
