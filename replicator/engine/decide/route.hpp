// Where reads and writes go in a given state. Pure. Normative: docs/protocol.md#routing.
#pragma once

#include "protocol/states.hpp"

namespace replicator {

enum class Route : unsigned char {
  mirror,       // sent to the peer as data
  announce,     // local, and the peer is told that the range is out of sync
  record_only,  // local, marked in the bitmap
  refuse,       // no current data anywhere: never "succeed" into the bitmap (S6)
};

// Writes of these states are announced, not sent.
constexpr bool announces(const VolumeState& s) noexcept {
  return s.connection == ConnectionState::ahead || s.connection == ConnectionState::wf_bitmap_s;
}

constexpr Route route_write(const VolumeState& s) noexcept {
  if (s.disk != DiskState::up_to_date && s.peer_disk != DiskState::up_to_date) return Route::refuse;
  const bool replicating = s.connection >= ConnectionState::connected;
  const bool to_peer = replicating && (s.peer_disk == DiskState::up_to_date ||
                                       (s.peer_disk >= DiskState::inconsistent &&
                                        s.connection >= ConnectionState::wf_bitmap_t &&
                                        s.connection < ConnectionState::ahead));
  if (to_peer) return Route::mirror;
  return announces(s) ? Route::announce : Route::record_only;
}

// Application I/O is held back in states that pass by themselves. A peer older than protocol 96 can
// not be told of a range that gets out of sync while the bitmap is on its way, so writes wait for
// its end.
constexpr bool accepts_application_io(const VolumeState& s, int agreed_version) noexcept {
  if (s.suspended()) return false;
  if (s.connection == ConnectionState::wf_bitmap_s && agreed_version < 96) return false;
  if (s.connection == ConnectionState::wf_bitmap_t ||
      s.connection == ConnectionState::wf_sync_uuid) {
    return false;
  }
  return s.disk != DiskState::attaching && s.disk != DiskState::negotiating;
}

// E9. `in_sync`: no bit is set in the range.
constexpr bool local_readable(const VolumeState& s, bool in_sync) noexcept {
  return s.disk == DiskState::up_to_date || (s.disk == DiskState::inconsistent && in_sync);
}
constexpr bool peer_readable(const VolumeState& s) noexcept {
  return s.connection >= ConnectionState::connected && s.peer_disk == DiskState::up_to_date;
}

}  // namespace replicator
