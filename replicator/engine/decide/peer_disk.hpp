// What to believe of the disk that the peer reports, given what we know that its report doesn't
// say yet. Pure. G1: a disk that waits for a resync is never taken for current data.
// Normative: docs/protocol.md#state-word.
#pragma once

#include "protocol/states.hpp"

namespace replicator {

// `own`: our view before the report; `peer`: the report, from the peer's point of view;
// `peer_was_inconsistent`: what its identifiers' flags said of a disk that is still negotiating.
constexpr DiskState believed_peer_disk(const VolumeState& own, const VolumeState& peer,
                                       bool peer_was_inconsistent) noexcept {
  using C = ConnectionState;
  using D = DiskState;
  if (peer.disk == D::negotiating) {
    return peer_was_inconsistent ? D::inconsistent : D::consistent;
  }
  const bool target_waits = peer.connection == C::wf_bitmap_t || peer.connection == C::wf_sync_uuid;
  // Our disk failed between the handshake and the resync: the peer's is Outdated and stays so,
  // which a plain connection would read as UpToDate.
  if (own.disk < D::inconsistent && own.connection == C::connected && target_waits &&
      (peer.disk == D::outdated || peer.disk == D::consistent)) {
    return D::inconsistent;
  }
  // Its resync has begun here, or waits for its turn: what it says was sent before it knew of that.
  const bool begun = own.connection == C::sync_source || own.connection == C::paused_sync_s;
  const bool unaware = target_waits || peer.connection == C::behind;
  if (begun && unaware && own.peer_disk == D::inconsistent && peer.disk > D::inconsistent) {
    return D::inconsistent;
  }
  // The target has told its state before it began.
  const bool preparing = peer.connection > C::connected && peer.connection < C::sync_source;
  const bool source = own.connection > C::connected && own.disk == D::up_to_date &&
                      (own.peer_disk == D::inconsistent || own.peer_disk == D::consistent);
  if (source && preparing && peer.disk == D::up_to_date) return D::inconsistent;
  // The resync that it speaks of has ended meanwhile.
  if (own.peer_disk == D::up_to_date && peer.disk == D::inconsistent &&
      own.connection == C::connected && peer.connection > C::sync_source) {
    return D::up_to_date;
  }
  return peer.disk;
}

// The target says that the resync has finished, before our last acknowledgement said so.
constexpr bool resync_ended_at_target(const VolumeState& own, const VolumeState& peer) noexcept {
  using D = DiskState;
  return own.connection >= ConnectionState::sync_source && own.disk == D::up_to_date &&
         (own.peer_disk == D::inconsistent || own.peer_disk == D::consistent) &&
         peer.connection == ConnectionState::connected && peer.disk == D::up_to_date;
}

}  // namespace replicator
