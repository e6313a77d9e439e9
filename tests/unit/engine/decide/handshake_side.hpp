// What the handshake tests share: short notation for generations, and the view from the other end.
#pragma once

#include <cstdint>

#include "engine/decide/handshake.hpp"

namespace replicator {

inline constexpr std::uint64_t sync_step = 1ULL << 48U;

inline GenerationSet generations(std::uint64_t current, std::uint64_t bitmap = 0,
                                 std::uint64_t younger = 0, std::uint64_t older = 0) {
  GenerationSet set;
  set.current = current;
  set.bitmap = bitmap;
  set.history[0] = younger;
  set.history[1] = older;
  return set;
}

inline AfterSplitBrain seen_from_peer(AfterSplitBrain policy) {
  if (policy == AfterSplitBrain::discard_local) return AfterSplitBrain::discard_remote;
  if (policy == AfterSplitBrain::discard_remote) return AfterSplitBrain::discard_local;
  return policy;
}

// The terms of the other end of the same connection.
inline HandshakeTerms seen_from_peer(const HandshakeTerms& terms) {
  HandshakeTerms other = terms;
  other.resolve_conflicts = !terms.resolve_conflicts;
  other.after_sb_0pri = seen_from_peer(terms.after_sb_0pri);
  other.after_sb_1pri = seen_from_peer(terms.after_sb_1pri);
  other.after_sb_2pri = seen_from_peer(terms.after_sb_2pri);
  return other;
}

// A direction turns around; a refusal or a split brain is the same from both ends.
inline int seen_from_peer(int result) { return result >= -2 && result <= 2 ? -result : result; }

}  // namespace replicator
