// Two Primaries wrote to overlapping places at the same time: what the node that decides (the one
// that accepted the meta socket) says of the peer's write. Its own write wins. Pure. Normative:
// docs/protocol.md#two-primaries.
#pragma once

#include <cstdint>

#include "base/units.hpp"

namespace replicator {

enum class ConflictVerdict : std::uint8_t {
  superseded,  // overwritten at once: counts as written
  retry,       // to be sent again behind our own
};

// Before version 100 no packet asks for a retry.
constexpr ConflictVerdict judge_conflict(ByteRange mine, ByteRange theirs,
                                         int agreed_version) noexcept {
  const bool contained = mine.begin <= theirs.begin && theirs.end() <= mine.end();
  return contained || agreed_version < 100 ? ConflictVerdict::superseded : ConflictVerdict::retry;
}

// A number of a sequence that wraps has been reached.
constexpr bool sequence_reached(std::uint32_t wanted, std::uint32_t highest) noexcept {
  return static_cast<std::int32_t>(wanted - highest) <= 0;
}

}  // namespace replicator
