// When a volume's data stop being those that users of this node have seen: the peer may write from
// here on, or its data replace ours. Pure.
#pragma once

#include "protocol/states.hpp"

namespace replicator {

constexpr bool takes_data(ConnectionState state) noexcept {
  switch (state) {
    case ConnectionState::starting_sync_t:
    case ConnectionState::wf_bitmap_t:
    case ConnectionState::wf_sync_uuid:
    case ConnectionState::sync_target:
    case ConnectionState::paused_sync_t:
    case ConnectionState::behind: return true;
    default: return false;
  }
}

constexpr bool data_become_the_peers(const VolumeState& before, const VolumeState& next) noexcept {
  const bool peer_writes = next.peer_role == Role::primary && before.peer_role != Role::primary;
  return peer_writes || (takes_data(next.connection) && !takes_data(before.connection));
}

}  // namespace replicator
