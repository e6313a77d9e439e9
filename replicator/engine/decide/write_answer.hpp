// What must be known before a mirrored write is answered, in protocols A, B and C, and which acks
// the peer owes for it. Pure. Normative: docs/protocol.md#writes-and-epochs.
//   D7  only proof counts where this node cannot vouch for the write: its disk failed, is not
//       UpToDate, or the application asked for stable storage (D3)
#pragma once

#include "engine/config.hpp"

namespace replicator {

enum class PeerAnswer : unsigned char {
  pending,
  received,         // P_RECV_ACK
  written,          // P_WRITE_ACK
  written_in_sync,  // P_RS_WRITE_ACK: the peer cleared its bits
  refused,          // P_NEG_ACK
  lost,             // the connection went away
  superseded,       // P_SUPERSEDED: a write of its own to the same place won
  retry,            // P_RETRY_WRITE: to be sent again behind one of its own
};

struct WriteTerms {
  WireProtocol answer_at = WireProtocol::c;
  bool receive_ack = false;  // the peer is asked for it, besides the barrier ack …
  bool write_ack = true;     // … and for this
  bool barrier = false;      // only the barrier ack will do
  bool operator==(const WriteTerms&) const noexcept = default;
};

// `vouched_for`: the local disk is UpToDate and takes the write too. `syncing`: a resync or verify
// is running or paused. Before version 100 the acks follow from the protocol alone.
constexpr WriteTerms write_terms(WireProtocol protocol, int agreed_version, bool vouched_for,
                                 bool stable, bool syncing) noexcept {
  WriteTerms terms;
  const bool proof = !vouched_for || stable;
  terms.answer_at = proof ? WireProtocol::c : protocol;
  terms.receive_ack = protocol == WireProtocol::b;
  terms.write_ack = protocol == WireProtocol::c || (agreed_version >= 100 && (syncing || proof));
  // Before 95 no packet says that it must be stable.
  terms.barrier = stable && agreed_version < 95;
  return terms;
}

enum class WriteVerdict : unsigned char {
  wait,
  wait_for_barrier,  // nothing but the barrier ack of its epoch will prove anything
  mirrored,
  unmirrored,
  again,  // as a new write
};

constexpr WriteVerdict judge_write(const WriteTerms& terms, PeerAnswer answer, bool handed_over,
                                   bool epoch_stable) noexcept {
  switch (answer) {
    case PeerAnswer::refused:
    case PeerAnswer::lost: return WriteVerdict::unmirrored;
    case PeerAnswer::superseded: return WriteVerdict::mirrored;
    case PeerAnswer::retry: return WriteVerdict::again;
    case PeerAnswer::written:
    case PeerAnswer::written_in_sync:
      if (!terms.barrier) return WriteVerdict::mirrored;
      break;
    case PeerAnswer::received:
      if (terms.answer_at != WireProtocol::c) return WriteVerdict::mirrored;
      break;
    case PeerAnswer::pending:
      if (terms.answer_at == WireProtocol::a && handed_over) return WriteVerdict::mirrored;
      break;
  }
  if (epoch_stable) return WriteVerdict::mirrored;
  const bool asked = answer == PeerAnswer::pending || answer == PeerAnswer::received;
  const bool only_barrier = terms.answer_at == WireProtocol::c && !(terms.write_ack && asked);
  return only_barrier ? WriteVerdict::wait_for_barrier : WriteVerdict::wait;
}

// E5: a barrier is acknowledged after the answers to the epoch's writes, never before.
constexpr bool answered_as_promised(const WriteTerms& terms, PeerAnswer answer) noexcept {
  switch (answer) {
    case PeerAnswer::pending: return !terms.receive_ack && !terms.write_ack;
    case PeerAnswer::received: return !terms.write_ack;
    default: return true;
  }
}

// The peer has it in its cache at least, or has promised to: not merely sent.
constexpr bool proven(PeerAnswer answer, bool epoch_stable) noexcept {
  return epoch_stable || answer == PeerAnswer::superseded || answer == PeerAnswer::written ||
         answer == PeerAnswer::written_in_sync;
}

}  // namespace replicator
