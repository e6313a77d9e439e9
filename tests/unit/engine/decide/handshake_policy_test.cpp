// From the comparison to a direction: disk states, split-brain policies, refusals (G1, G2, G4, G5).
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/engine/decide/handshake_side.hpp"

namespace replicator {
namespace {

using Outcome = SyncDecision::Outcome;
using Policy = AfterSplitBrain;

constexpr std::uint64_t A = 0xaaaa000000000010;
constexpr std::uint64_t B = 0xbbbb000000000020;
constexpr std::uint64_t C = 0xcccc000000000030;
constexpr std::uint64_t P = 0x1111000000000050;
constexpr std::uint64_t Q = 0x2222000000000060;

HandshakeSide side(const GenerationSet& set, Role role = Role::secondary,
                   DiskState disk = DiskState::up_to_date, std::uint64_t dirty = 8) {
  HandshakeSide s;
  s.generations = set;
  s.role = role;
  s.disk = disk;
  s.dirty_bits = dirty;
  return s;
}

// -2 .. 2 as in the comparison, -100 refused as split brain, -1000 refused otherwise.
int summary(const SyncDecision& d) {
  switch (d.outcome) {
    case Outcome::refuse: return d.split_brain ? -100 : -1000;
    case Outcome::connected: return 0;
    case Outcome::source: return d.full ? 2 : 1;
    case Outcome::target: return d.full ? -2 : -1;
  }
  return 0;
}

TEST(handshake_decision, the_verdict_becomes_a_state) {
  const HandshakeTerms terms;
  EXPECT_EQ(summary(decide_sync(side(generations(A)), side(generations(A)), terms)), 0);
  EXPECT_EQ(summary(decide_sync(side(generations(B, A)), side(generations(A)), terms)), 1);
  EXPECT_EQ(summary(decide_sync(side(generations(A)), side(generations(B, A)), terms)), -1);
  EXPECT_EQ(summary(decide_sync(side(generations(B, 0, A)), side(generations(A)), terms)), 2);
  EXPECT_EQ(summary(decide_sync(side(generations(A)), side(generations(B, 0, A)), terms)), -2);
}

TEST(handshake_decision, unrelated_data_and_old_peers_are_refused) {
  HandshakeTerms terms;
  const HandshakeSide mine = side(generations(A, 0, P, Q));
  SyncDecision d = decide_sync(mine, side(generations(B, 0, C, 4)), terms);
  EXPECT_EQ(d.outcome, Outcome::refuse);
  EXPECT_STREQ(d.reason, "Unrelated data, aborting!");
  // Not even the disk states overrule that.
  d = decide_sync(mine, side(generations(B, 0, C, 4), Role::secondary, DiskState::inconsistent),
                  terms);
  EXPECT_EQ(d.outcome, Outcome::refuse);
  terms.agreed_version = 90;
  d = decide_sync(side(generations(A, B)), side(generations(A)), terms);
  EXPECT_EQ(d.outcome, Outcome::refuse);
  EXPECT_EQ(d.comparison.result, -1091);
}

struct MarkedRow {
  const char* what;
  HandshakeSide mine;
  HandshakeSide theirs;
  bool accepted_data;
  bool i_send;
  bool peer_sends;
};

TEST(handshake_decision, marked_blocks_of_equal_generations_are_sent_by_one_side) {
  constexpr DiskState good = DiskState::up_to_date;
  constexpr Role primary = Role::primary;
  constexpr Role second = Role::secondary;
  const GenerationSet equal = generations(A);
  const MarkedRow rows[] = {
      {"two alike: who accepted the data socket", side(equal), side(equal), true, true, false},
      {"two alike, seen from the other", side(equal), side(equal), false, false, true},
      {"the Primary", side(generations(A | 1U), primary), side(equal), false, true, false},
      {"not an Outdated disk", side(equal, second, good), side(equal, second, DiskState::outdated),
       false, true, false},
      {"a Consistent one before an Outdated one", side(equal, second, DiskState::consistent),
       side(equal, second, DiskState::outdated), false, true, false},
      {"… even when that one is the Primary's", side(equal, second, good),
       side(generations(A | 1U), primary, DiskState::outdated), false, true, false},
      {"an Inconsistent disk is judged by its state", side(equal, second, good),
       side(equal, second, DiskState::inconsistent), true, false, false},
      {"other generations are judged by them", side(generations(B, A)), side(equal), true, false,
       false},
      {"an absence is judged by its bitmap identifier", side(generations(A, B)), side(equal), true,
       false, false},
      {"a role marker is no bitmap identifier", side(generations(A, 1)), side(equal), true, true,
       false},
      {"disks that never had data", side(generations(4)), side(generations(4)), true, false, false},
  };
  for (const MarkedRow& row : rows) {
    SCOPED_TRACE(row.what);
    HandshakeTerms terms;
    terms.accepted_data = row.accepted_data;
    EXPECT_EQ(sends_marked_blocks(row.mine, row.theirs, terms), row.i_send);
    terms.accepted_data = !row.accepted_data;
    EXPECT_EQ(sends_marked_blocks(row.theirs, row.mine, terms), row.peer_sends);
  }
}

struct DiskRow {
  const char* what;
  GenerationSet mine;
  GenerationSet theirs;
  DiskState my_disk;
  DiskState peer_disk;
  int summary;
  bool by_disk_state;
};

TEST(handshake_decision, one_inconsistent_disk_decides_the_direction) {
  constexpr DiskState bad = DiskState::inconsistent;
  constexpr DiskState old = DiskState::outdated;
  constexpr DiskState good = DiskState::up_to_date;
  const std::vector<DiskRow> rows = {
      {"equal", generations(A), generations(A), good, bad, 1, true},
      {"equal, mine bad", generations(A), generations(A), bad, old, -1, true},
      {"against the identifiers", generations(A), generations(B, A), good, bad, 1, true},
      {"full stays full", generations(A), generations(B, 0, A), good, bad, 2, true},
      {"ambiguous is full", generations(A, C, P), generations(B, Q, P), good, bad, 2, true},
      {"before split brain", generations(A, C), generations(B, C), bad, good, -1, true},
      {"both bad, mine older", generations(A), generations(B, A), bad, bad, -1, false},
      {"both bad, equal", generations(A), generations(A), bad, bad, 0, false},
      {"both bad, mine newer: nobody has data", generations(B, A), generations(A), bad, bad, -1000,
       false},
      {"both better: identifiers", generations(A), generations(B, A), good, old, -1, false},
  };
  for (const DiskRow& row : rows) {
    SCOPED_TRACE(row.what);
    const SyncDecision d =
        decide_sync(side(row.mine, Role::secondary, row.my_disk),
                    side(row.theirs, Role::secondary, row.peer_disk), HandshakeTerms());
    EXPECT_EQ(summary(d), row.summary);
    EXPECT_EQ(d.by_disk_state, row.by_disk_state);
    EXPECT_FALSE(d.initial_split_brain);
  }
}

// Without rule 41 nobody can tell which of two equal disks is ahead after a crash; of an
// Inconsistent one everybody can.
TEST(handshake_decision, a_crashed_primary_is_ahead_of_an_inconsistent_disk) {
  HandshakeTerms terms;
  terms.features = 0;
  HandshakeSide crashed = side(generations(A), Role::primary);
  crashed.crashed_primary = true;
  HandshakeSide other = side(generations(A));
  SyncDecision d = decide_sync(crashed, other, terms);
  EXPECT_EQ(summary(d), -1000);
  EXPECT_STREQ(d.reason, "To resolve this both sides have to support a newer protocol");
  other.disk = DiskState::inconsistent;
  EXPECT_EQ(summary(decide_sync(crashed, other, terms)), 1);
  d = decide_sync(other, crashed, terms);
  EXPECT_EQ(summary(d), -1);
  EXPECT_TRUE(d.by_disk_state);
}

struct ZeroPrimaries {
  const char* what;
  Policy policy;
  bool my_marker;
  bool peer_marker;
  std::uint64_t my_bits;
  std::uint64_t peer_bits;
  bool resolve;
  int summary;
};

TEST(handshake_decision, after_sb_0pri) {
  const std::vector<ZeroPrimaries> rows = {
      {"disconnect", Policy::disconnect, true, false, 1, 2, false, -100},
      {"younger: only the peer was", Policy::discard_younger_primary, false, true, 9, 1, false, -1},
      {"younger: only I was", Policy::discard_younger_primary, true, false, 1, 9, false, 1},
      {"younger: both, fewer bits lose", Policy::discard_younger_primary, true, true, 1, 9, false,
       -1},
      {"younger: neither, peer unchanged", Policy::discard_younger_primary, false, false, 9, 0,
       false, 1},
      {"younger: both unchanged, tie", Policy::discard_younger_primary, true, true, 0, 0, true, -1},
      {"older: only the peer was", Policy::discard_older_primary, false, true, 1, 9, false, 1},
      {"older: only I was", Policy::discard_older_primary, true, false, 9, 1, false, -1},
      {"older: both, more bits win", Policy::discard_older_primary, true, true, 9, 1, false, 1},
      {"older: both, I am unchanged", Policy::discard_older_primary, true, true, 0, 1, false, -1},
      {"zero: both unchanged", Policy::discard_zero_changes, true, true, 0, 0, false, 1},
      {"zero: both unchanged, I break ties", Policy::discard_zero_changes, true, true, 0, 0, true,
       -1},
      {"zero: the peer is unchanged", Policy::discard_zero_changes, true, true, 1, 0, true, 1},
      {"zero: I am unchanged", Policy::discard_zero_changes, true, true, 0, 1, false, -1},
      {"zero: both changed", Policy::discard_zero_changes, true, true, 1, 9, false, -100},
      {"least: mine", Policy::discard_least_changes, true, true, 1, 2, false, -1},
      {"least: theirs", Policy::discard_least_changes, true, true, 2, 1, false, 1},
      {"least: zero is least", Policy::discard_least_changes, true, true, 2, 0, false, 1},
      {"least: tie", Policy::discard_least_changes, true, true, 2, 2, false, 1},
      {"least: tie, I break it", Policy::discard_least_changes, true, true, 2, 2, true, -1},
      {"local", Policy::discard_local, true, true, 9, 1, false, -1},
      {"remote", Policy::discard_remote, true, true, 1, 9, true, 1},
      {"not for this column", Policy::consensus, true, false, 1, 9, false, -100},
      {"nor this", Policy::violently_as0p, true, false, 1, 9, false, -100},
  };
  for (const ZeroPrimaries& row : rows) {
    SCOPED_TRACE(row.what);
    const HandshakeSide mine = side(generations(A, C | (row.my_marker ? 1U : 0U)), Role::secondary,
                                    DiskState::up_to_date, row.my_bits);
    const HandshakeSide theirs = side(generations(B, C | (row.peer_marker ? 1U : 0U)),
                                      Role::secondary, DiskState::up_to_date, row.peer_bits);
    HandshakeTerms terms;
    terms.after_sb_0pri = row.policy;
    terms.resolve_conflicts = row.resolve;
    const SyncDecision here = decide_sync(mine, theirs, terms);
    EXPECT_EQ(summary(here), row.summary);
    EXPECT_TRUE(here.initial_split_brain);
    const SyncDecision there = decide_sync(theirs, mine, seen_from_peer(terms));
    EXPECT_EQ(summary(there), seen_from_peer(row.summary));
  }
}

struct Primaries {
  const char* what;
  Policy first;  // after-sb-0pri: discard_local gives -1, discard_remote 1, disconnect nothing
  Policy policy;
  Role mine;
  int summary;
  bool demote_first = false;
};

TEST(handshake_decision, after_sb_1pri) {
  constexpr Role p = Role::primary;
  constexpr Role s = Role::secondary;
  const std::vector<Primaries> rows = {
      {"disconnect", Policy::discard_local, Policy::disconnect, s, -100},
      {"consensus: the Secondary is the victim", Policy::discard_local, Policy::consensus, s, -1},
      {"consensus: the Primary would be", Policy::discard_local, Policy::consensus, p, -100},
      {"consensus: the peer, a Secondary", Policy::discard_remote, Policy::consensus, p, 1},
      {"consensus: the peer, a Primary", Policy::discard_remote, Policy::consensus, s, -100},
      {"consensus: no victim", Policy::disconnect, Policy::consensus, p, -100},
      {"violently: the peer", Policy::discard_remote, Policy::violently_as0p, s, 1},
      {"violently: I, Secondary", Policy::discard_local, Policy::violently_as0p, s, -1},
      {"violently: I, but Primary", Policy::discard_local, Policy::violently_as0p, p, -1000},
      {"violently: no victim", Policy::disconnect, Policy::violently_as0p, s, -100},
      {"discard-secondary: I", Policy::disconnect, Policy::discard_secondary, s, -1},
      {"discard-secondary: the peer", Policy::disconnect, Policy::discard_secondary, p, 1},
      {"call-pri-lost: I, Primary", Policy::discard_local, Policy::call_pri_lost_after_sb, p, -1,
       true},
      {"call-pri-lost: I, Secondary", Policy::discard_local, Policy::call_pri_lost_after_sb, s, -1},
      {"call-pri-lost: the peer", Policy::discard_remote, Policy::call_pri_lost_after_sb, p, 1},
      {"not for this column", Policy::discard_local, Policy::discard_local, s, -100},
  };
  for (const Primaries& row : rows) {
    SCOPED_TRACE(row.what);
    HandshakeTerms terms;
    terms.after_sb_0pri = row.first;
    terms.after_sb_1pri = row.policy;
    const HandshakeSide mine = side(generations(A, C), row.mine);
    const HandshakeSide theirs = side(generations(B, C), row.mine == p ? s : p);
    const SyncDecision d = decide_sync(mine, theirs, terms);
    EXPECT_EQ(summary(d), row.summary);
    EXPECT_EQ(d.demote_first, row.demote_first);
  }
}

TEST(handshake_decision, after_sb_2pri) {
  constexpr Role p = Role::primary;
  const std::vector<Primaries> rows = {
      {"disconnect", Policy::discard_remote, Policy::disconnect, p, -100},
      {"violently: the peer", Policy::discard_remote, Policy::violently_as0p, p, 1},
      {"violently: I, but Primary", Policy::discard_local, Policy::violently_as0p, p, -1000},
      {"call-pri-lost: I", Policy::discard_local, Policy::call_pri_lost_after_sb, p, -1, true},
      {"call-pri-lost: the peer", Policy::discard_remote, Policy::call_pri_lost_after_sb, p, 1},
      {"call-pri-lost: no victim", Policy::disconnect, Policy::call_pri_lost_after_sb, p, -100},
      {"not for this column", Policy::discard_remote, Policy::consensus, p, -100},
      {"nor this", Policy::discard_remote, Policy::discard_secondary, p, -100},
  };
  for (const Primaries& row : rows) {
    SCOPED_TRACE(row.what);
    HandshakeTerms terms;
    terms.after_sb_0pri = row.first;
    terms.after_sb_2pri = row.policy;
    const SyncDecision d =
        decide_sync(side(generations(A, C), p), side(generations(B, C), p), terms);
    EXPECT_EQ(summary(d), row.summary);
    EXPECT_EQ(d.demote_first, row.demote_first);
  }
}

// G5: without a common bitmap identifier everything is copied.
TEST(handshake_decision, ambiguous_split_brain_asks_policies_only_with_always_asbp) {
  const HandshakeSide mine = side(generations(A, C, P));
  const HandshakeSide theirs = side(generations(B, Q, P));
  HandshakeTerms terms;
  terms.after_sb_0pri = Policy::discard_remote;
  SyncDecision d = decide_sync(mine, theirs, terms);
  EXPECT_EQ(summary(d), -100);
  EXPECT_TRUE(d.initial_split_brain);
  terms.always_asbp = true;
  d = decide_sync(mine, theirs, terms);
  EXPECT_EQ(summary(d), 2);
  EXPECT_FALSE(d.split_brain);
}

TEST(handshake_decision, discard_my_data_on_one_side_resolves_by_hand) {
  const HandshakeTerms terms;
  for (const bool common : {true, false}) {
    SCOPED_TRACE(common);
    HandshakeSide mine = side(generations(A, C, P));
    HandshakeSide theirs = side(common ? generations(B, C, P) : generations(B, Q, P));
    const int amount = common ? 1 : 2;  // G5
    EXPECT_EQ(summary(decide_sync(mine, theirs, terms)), -100);
    mine.discard_my_data = true;
    EXPECT_EQ(summary(decide_sync(mine, theirs, terms)), -amount);
    theirs.discard_my_data = true;
    EXPECT_EQ(summary(decide_sync(mine, theirs, terms)), -100);
    mine.discard_my_data = false;
    EXPECT_EQ(summary(decide_sync(mine, theirs, terms)), amount);
  }
}

TEST(handshake_decision, discard_my_data_does_nothing_without_split_brain) {
  HandshakeSide mine = side(generations(B, A));
  mine.discard_my_data = true;
  EXPECT_EQ(summary(decide_sync(mine, side(generations(A)), HandshakeTerms())), 1);
}

TEST(handshake_decision, a_primary_is_no_target) {
  HandshakeSide mine = side(generations(A), Role::primary, DiskState::consistent);
  const HandshakeSide theirs = side(generations(B, A));
  HandshakeTerms terms;
  SyncDecision d = decide_sync(mine, theirs, terms);
  EXPECT_EQ(d.outcome, Outcome::refuse);
  EXPECT_STREQ(d.reason, "I shall become SyncTarget, but I am primary!");
  EXPECT_FALSE(d.pri_lost);
  terms.rr_conflict = ConflictPolicy::call_pri_lost;
  d = decide_sync(mine, theirs, terms);
  EXPECT_EQ(d.outcome, Outcome::refuse);
  EXPECT_TRUE(d.pri_lost);
  terms.rr_conflict = ConflictPolicy::violently;
  EXPECT_EQ(summary(decide_sync(mine, theirs, terms)), -1);
  terms.rr_conflict = ConflictPolicy::disconnect;
  mine.disk = DiskState::outdated;
  EXPECT_EQ(summary(decide_sync(mine, theirs, terms)), -1);
}

// A Primary that ran diskless on the peer's data attaches its old disk again.
TEST(handshake_decision, a_disk_that_is_being_attached_may_be_the_target_under_a_primary) {
  HandshakeSide mine = side(generations(A), Role::primary, DiskState::up_to_date);
  mine.negotiating = true;
  const HandshakeSide theirs = side(generations(B, A));
  EXPECT_EQ(summary(decide_sync(mine, theirs, HandshakeTerms())), -1);
}

TEST(handshake_decision, dry_run_only_tells) {
  HandshakeTerms terms;
  terms.dry_run = true;
  SyncDecision d = decide_sync(side(generations(B, A)), side(generations(A)), terms);
  EXPECT_EQ(d.outcome, Outcome::refuse);
  EXPECT_STREQ(d.reason, "dry-run connect: Would become SyncSource, doing a bitmap-based resync.");
  d = decide_sync(side(generations(A)), side(generations(B, 0, A)), terms);
  EXPECT_STREQ(d.reason, "dry-run connect: Would become SyncTarget, doing a full resync.");
  d = decide_sync(side(generations(A)), side(generations(A)), terms);
  EXPECT_STREQ(d.reason, "dry-run connect: No resync, would become Connected immediately.");
  // What would be refused anyway says so.
  d = decide_sync(side(generations(A, C)), side(generations(B, C)), terms);
  EXPECT_TRUE(d.split_brain);
}

// Both ends of any handshake: one direction or a refusal, never two targets, two sources, or a
// resync on one side only; and a split brain is seen by both.
TEST(handshake_decision, both_ends_fit_together) {
  std::mt19937_64 random(99);
  const auto below = [&random](std::uint64_t bound) { return random() % bound; };
  static constexpr std::uint64_t base[] = {0, 4, A, B, C, A + sync_step, P};
  static constexpr DiskState disks[] = {DiskState::inconsistent, DiskState::outdated,
                                        DiskState::consistent, DiskState::up_to_date};
  const auto uuid = [&] { return base[below(std::size(base))] | below(2); };
  const auto random_side = [&] {
    HandshakeSide s =
        side(generations(uuid(), uuid(), uuid(), uuid()),
             below(3) == 0 ? Role::primary : Role::secondary, disks[below(4)], below(3));
    s.crashed_primary = below(4) == 0;
    s.discard_my_data = below(8) == 0;
    return s;
  };
  std::uint64_t resolved = 0;
  for (int i = 0; i < 500000; ++i) {
    const HandshakeSide mine = random_side();
    const HandshakeSide theirs = random_side();
    HandshakeTerms terms;
    terms.resolve_conflicts = below(2) != 0;
    terms.always_asbp = below(2) != 0;
    terms.after_sb_0pri = static_cast<Policy>(below(7));
    terms.after_sb_1pri = static_cast<Policy>(below(3) == 0 ? 0 : 5 + below(6));
    terms.after_sb_2pri = static_cast<Policy>(below(3) == 0 ? 0 : 9 + below(2));
    const SyncDecision here = decide_sync(mine, theirs, terms);
    const SyncDecision there = decide_sync(theirs, mine, seen_from_peer(terms));
    ASSERT_EQ(here.split_brain, there.split_brain);
    ASSERT_EQ(here.initial_split_brain, there.initial_split_brain);
    if (here.outcome == Outcome::refuse || there.outcome == Outcome::refuse) continue;
    ASSERT_EQ(summary(here), -summary(there));
    if (here.initial_split_brain) ++resolved;
  }
  EXPECT_GT(resolved, 1000U);
}

}  // namespace
}  // namespace replicator
