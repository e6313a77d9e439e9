// Why a change of state demanded a new data generation, in words for the journal. Follows
// after_change() (decide/state_change), which decides that it does. Pure.
#pragma once

#include "engine/generation_journal.hpp"
#include "protocol/states.hpp"

namespace replicator {

[[nodiscard]] inline GenerationCause rotation_cause(const VolumeState& before,
                                                    const VolumeState& after) noexcept {
  constexpr ConnectionState connected = ConnectionState::connected;
  if (before.connection >= connected && after.connection < connected) {
    return GenerationCause::connection_lost_as_primary;
  }
  if (after.connection < connected) {
    const bool came = before.disk < DiskState::inconsistent && after.disk > DiskState::inconsistent;
    return came ? GenerationCause::disk_back_alone : GenerationCause::peer_outdated_as_primary;
  }
  const bool promoted = before.peer_role == Role::secondary && after.peer_role == Role::primary;
  return promoted ? GenerationCause::peer_without_disk_promoted : GenerationCause::peer_disk_lost;
}

}  // namespace replicator
