// Who becomes the source of a resync, if any: the comparison of data generations and what follows
// from it.
//   G1, G2  never towards stale data; divergence is flagged on both sides
//   G4      compare(mine, theirs) mirrors compare(theirs, mine)
//   G5      a bitmap resync only when the bitmap covers all differences
// Pure. Normative: docs/handshake.md#generation-comparison.
#pragma once

#include <cstdint>
#include <string>

#include "engine/config.hpp"
#include "metadata/generations.hpp"
#include "protocol/states.hpp"

namespace replicator {

// What one side brings to the handshake.
struct HandshakeSide {
  GenerationSet generations;
  bool crashed_primary = false;
  bool discard_my_data = false;
  Role role = Role::secondary;
  DiskState disk = DiskState::inconsistent;  // computed at attach when Negotiating
  bool negotiating = false;                  // nobody reads from or writes to that disk yet
  std::uint64_t dirty_bits = 0;              // as exchanged in P_UUIDS
};

struct HandshakeTerms {
  int agreed_version = 101;
  std::uint32_t features = 0xf;
  bool resolve_conflicts = false;  // this node accepted the meta socket
  // It accepted the data socket: the handshake has come by that, so the other side did not. Of the
  // meta socket both may believe it for a while, when their attempts to connect have crossed.
  bool accepted_data = false;
  bool always_asbp = false;
  bool dry_run = false;
  bool may_demote = true;  // false: this Primary was asked to give up its role and could not
  AfterSplitBrain after_sb_0pri = AfterSplitBrain::disconnect;
  AfterSplitBrain after_sb_1pri = AfterSplitBrain::disconnect;
  AfterSplitBrain after_sb_2pri = AfterSplitBrain::disconnect;
  ConflictPolicy rr_conflict = ConflictPolicy::disconnect;
};

// > 0: I am the source. 0 nothing to do; ±1 bitmap, ±2 full; 100 split brain with a common bitmap
// identifier, -100 ambiguous split brain; -1000 unrelated; below: the peer is too old.
struct Comparison {
  int result = 0;
  int rule = 0;
  // The last messages of an earlier resync were lost; the sets below are what they should have
  // been.
  bool corrects_mine = false;
  bool corrects_theirs = false;
  GenerationSet mine;
  GenerationSet theirs;
};
Comparison compare_generations(const HandshakeSide& mine, const HandshakeSide& theirs,
                               const HandshakeTerms& terms) noexcept;

struct SyncDecision {
  enum class Outcome : std::uint8_t { refuse, connected, source, target };
  Outcome outcome = Outcome::refuse;
  bool full = false;  // set all bits first
  bool by_disk_state = false;
  bool initial_split_brain = false;  // call that handler
  bool split_brain = false;          // unresolved: call that handler
  bool pri_lost = false;
  // call-pri-lost-after-sb: try to become Secondary; decide again when that fails.
  bool demote_first = false;
  bool solved_by_policy = false;
  bool solved_by_hand = false;
  bool ambiguous = false;  // solved although the generations have no bitmap in common
  bool violent = false;    // a Primary becomes target, against the will of its users
  int primaries = 0;
  Comparison comparison;
  const char* reason = "";  // of a refusal or of the direction; a literal
};
SyncDecision decide_sync(const HandshakeSide& mine, const HandshakeSide& theirs,
                         const HandshakeTerms& terms) noexcept;

// The generations are equal, and yet blocks are marked: the device grew while nobody could copy the
// new area, a verify found differences, writes were frozen when the link was lost. Nobody else will
// copy them. True on the one side that makes itself the source with a generation of its own (E1).
bool sends_marked_blocks(const HandshakeSide& mine, const HandshakeSide& theirs,
                         const HandshakeTerms& terms) noexcept;

}  // namespace replicator
