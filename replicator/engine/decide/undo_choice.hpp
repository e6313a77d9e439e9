// Whether what a resync overwrites here is kept (docs/undo.md): only what this replica had of its
// own and gives up, not the past that it shares with the source. Pure.
#pragma once

#include <optional>

#include "engine/decide/handshake.hpp"
#include "undo/undo_format.hpp"

namespace replicator {

[[nodiscard]] inline std::optional<UndoReason> undo_reason(const SyncDecision& decision,
                                                           const HandshakeSide& mine) noexcept {
  if (decision.outcome != SyncDecision::Outcome::target) return std::nullopt;
  if (decision.solved_by_policy) return UndoReason::split_brain;
  if (decision.solved_by_hand) return UndoReason::discard_my_data;
  const std::uint64_t current = mine.generations.current & ~std::uint64_t{1};
  const bool used_before = current != 0 && current != uuid_just_created;
  // The source went on from this data: all of it was the source's once.
  const bool ancestor = decision.comparison.rule == 51 || decision.comparison.rule == 60;
  if (decision.full && used_before && !ancestor) return UndoReason::full_sync;
  return std::nullopt;
}

}  // namespace replicator
