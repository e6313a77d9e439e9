// Whether a resource that was Primary under a daemon before this one becomes Primary again by
// itself (docs/decisions/daemon-restore.md). Pure.
//   S1  only as the administrator's own command could make it so: when the peer has been asked, or
//       when a Primary left of its own accord a moment ago and could as well have lost the peer
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace replicator {

struct RestoreSituation {
  bool left_on_purpose = false;  // the former daemon ended everything in order; it was not killed
  bool was_connected = false;    // … to the peer, when it left
  bool users_wait = false;       // for a device of the resource
  bool users_waited = false;     // … or did, until the peer's data took the place of what they knew
  bool connected = false;
  bool peer_primary = false;
  bool two_primaries = false;  // are allowed
  Duration waited;
};

enum class RestoreStep : std::uint8_t { promote, wait, leave_to_administrator };

// How long a successor looks for the peer that its predecessor was connected to.
inline constexpr Duration patience_with_peer = Duration::seconds(2);

constexpr RestoreStep decide_restore(const RestoreSituation& now) noexcept {
  // A killed daemon's users have seen errors, or there were none: nobody needs it at once.
  if (!now.left_on_purpose && !now.users_wait) return RestoreStep::leave_to_administrator;
  if (now.users_waited && !now.users_wait) return RestoreStep::leave_to_administrator;
  if (now.connected) {
    const bool possible = !now.peer_primary || now.two_primaries;
    return possible ? RestoreStep::promote : RestoreStep::leave_to_administrator;
  }
  if (!now.left_on_purpose) return RestoreStep::wait;
  const bool alone = !now.was_connected || now.waited >= patience_with_peer;
  return alone ? RestoreStep::promote : RestoreStep::wait;
}

}  // namespace replicator
