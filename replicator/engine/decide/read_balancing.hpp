// Which of two current replicas serves a read (read-balancing). Pure.
#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "engine/config.hpp"

namespace replicator {

struct ReadLoad {
  std::uint32_t here = 0;   // requests under way at the own disk
  std::uint32_t there = 0;  // and at the peer
  bool turn_there = false;  // round-robin: the last one was served here
};

constexpr bool reads_there(ReadBalancing policy, ByteOffset begin, const ReadLoad& load) noexcept {
  switch (policy) {
    case ReadBalancing::prefer_local:
    // Nobody tells a program that a disk is congested, nor a kernel of today.
    case ReadBalancing::when_congested_remote: return false;
    case ReadBalancing::prefer_remote: return true;
    case ReadBalancing::round_robin: return load.turn_there;
    case ReadBalancing::least_pending: return load.here > load.there;
    default: break;
  }
  // Stripes of 32 KiB to 1 MiB, one here, one there.
  const unsigned shift =
      15U + static_cast<unsigned>(policy) - static_cast<unsigned>(ReadBalancing::stripe_32k);
  return ((begin.value() >> shift) & 1U) != 0;
}

}  // namespace replicator
