#include "engine/decide/handshake.hpp"

#include <cstdlib>

#include "base/sabotage.hpp"

namespace replicator {

namespace {

constexpr std::uint64_t sync_uuid_step = 1ULL << 48U;
constexpr std::uint32_t feature_rule_41 = 4;  // WSAME

constexpr int needs_91 = -1091;
constexpr int split_brain = 100;
constexpr int ambiguous = -100;
constexpr int unrelated = -1000;
constexpr int needs_rule_41_feature = -(0x10000 + 101 + (4 << 8));

bool swapped() noexcept { return sabotage(Sabotage::swap_resync_direction); }

std::uint64_t id(std::uint64_t uuid) noexcept { return uuid & ~std::uint64_t{1}; }

Comparison verdict(int result, int rule) noexcept {
  Comparison c;
  c.result = result;
  c.rule = rule;
  return c;
}

// Rules 34..37: same current generation, one side still carries a bitmap identifier: the end of a
// resync was lost.
Comparison lost_resync_end(const HandshakeSide& mine, const HandshakeSide& theirs,
                           const HandshakeTerms& terms) noexcept {
  const GenerationSet& m = mine.generations;
  const GenerationSet& t = theirs.generations;
  const bool bitmap_is_mine = id(m.bitmap) != 0;
  if (terms.agreed_version < 91) return verdict(needs_91, bitmap_is_mine ? 34 : 35);
  if (bitmap_is_mine) {
    if (id(m.bitmap) == id(t.history[0]) && id(m.history[0]) == id(t.history[1])) {
      Comparison c = verdict(1, 34);
      c.corrects_mine = true;
      c.mine = m;
      c.mine.push(m.bitmap);
      c.mine.bitmap = 0;
      return c;
    }
    return verdict(1, 36);
  }
  if (id(m.history[0]) == id(t.bitmap) && id(m.history[1]) == id(t.history[0])) {
    Comparison c = verdict(-1, 35);
    c.corrects_theirs = true;
    c.theirs = t;
    c.theirs.push(t.bitmap);
    c.theirs.bitmap = 0;
    return c;
  }
  return verdict(-1, 37);
}

Comparison same_current(const HandshakeSide& mine, const HandshakeSide& theirs,
                        const HandshakeTerms& terms) noexcept {
  const GenerationSet& m = mine.generations;
  const GenerationSet& t = theirs.generations;
  if ((id(m.bitmap) != 0) != (id(t.bitmap) != 0)) return lost_resync_end(mine, theirs, terms);
  if (!mine.crashed_primary && !theirs.crashed_primary) return verdict(0, 40);
  const bool i_am_primary = mine.role == Role::primary;
  const bool peer_is_primary = theirs.role == Role::primary;
  if (i_am_primary || peer_is_primary) {
    if ((terms.features & feature_rule_41) == 0) return verdict(needs_rule_41_feature, 41);
    if (i_am_primary && peer_is_primary) return verdict(ambiguous, 41);
    return verdict(i_am_primary ? 1 : -1, 41);
  }
  if (mine.crashed_primary && theirs.crashed_primary) {
    return verdict(terms.resolve_conflicts ? -1 : 1, 40);
  }
  return verdict(mine.crashed_primary ? 1 : -1, 40);
}

// How the data of one side relates to what the other one went on from.
enum class Ancestry : std::uint8_t { none, bitmap, lost_sync, history };

bool sync_uuid_lost(const GenerationSet& source, const GenerationSet& target,
                    int agreed_version) noexcept {
  return agreed_version >= 96 ? id(source.history[0]) + sync_uuid_step == id(source.bitmap)
                              : id(target.history[0]) == id(source.history[1]);
}

Ancestry ancestry(const GenerationSet& older, const GenerationSet& younger,
                  int agreed_version) noexcept {
  const std::uint64_t current = id(older.current);
  if (current == id(younger.bitmap)) return Ancestry::bitmap;
  if (current == id(younger.history[0]) && sync_uuid_lost(younger, older, agreed_version)) {
    return Ancestry::lost_sync;
  }
  const bool known = current == id(younger.history[0]) || current == id(younger.history[1]);
  return known ? Ancestry::history : Ancestry::none;
}

// Rules 51 and 71: the source began a resync whose identifier never arrived.
GenerationSet before_lost_sync(const GenerationSet& source) noexcept {
  GenerationSet set = source;
  set.bitmap = set.history[0];
  set.history[0] = set.history[1];
  return set;
}

// Rules 50..60: the peer went on from my data.
Comparison i_am_behind(Ancestry how, const GenerationSet& theirs, int agreed_version) noexcept {
  if (how == Ancestry::bitmap) return verdict(swapped() ? 1 : -1, 50);
  if (how == Ancestry::history) return verdict(-2, 60);
  if (agreed_version < 91) return verdict(needs_91, 51);
  Comparison c = verdict(-1, 51);
  c.corrects_theirs = true;
  c.theirs = before_lost_sync(theirs);
  return c;
}

// Rules 70..80: I went on from the peer's data.
Comparison i_am_ahead(Ancestry how, const GenerationSet& mine, int agreed_version) noexcept {
  if (how == Ancestry::bitmap) return verdict(swapped() ? -1 : 1, 70);
  if (how == Ancestry::history) return verdict(2, 80);
  if (agreed_version < 91) return verdict(needs_91, 71);
  Comparison c = verdict(1, 71);
  c.corrects_mine = true;
  c.mine = before_lost_sync(mine);
  return c;
}

Comparison different_current(const HandshakeSide& mine, const HandshakeSide& theirs,
                             const HandshakeTerms& terms) noexcept {
  const GenerationSet& m = mine.generations;
  const GenerationSet& t = theirs.generations;
  const Ancestry behind = ancestry(m, t, terms.agreed_version);
  const Ancestry ahead = ancestry(t, m, terms.agreed_version);
  if (behind != Ancestry::none && ahead != Ancestry::none) {
    // Each descends from the other: a restored backup or garbage. DRBD takes the first rule that
    // matches, which makes targets of both.
    return verdict(ambiguous, 100);
  }
  if (behind != Ancestry::none) return i_am_behind(behind, t, terms.agreed_version);
  if (ahead != Ancestry::none) return i_am_ahead(ahead, m, terms.agreed_version);
  if (id(m.bitmap) == id(t.bitmap) && id(m.bitmap) != 0) return verdict(split_brain, 90);
  for (const std::uint64_t old : m.history) {
    for (const std::uint64_t theirs_old : t.history) {
      if (id(old) == id(theirs_old)) return verdict(ambiguous, 100);
    }
  }
  return verdict(unrelated, 100);
}

int by_changes(const HandshakeSide& mine, const HandshakeSide& theirs, bool resolve) noexcept {
  if (mine.dirty_bits < theirs.dirty_bits) return -1;
  if (mine.dirty_bits > theirs.dirty_bits) return 1;
  return resolve ? -1 : 1;
}

// 0 when zero-changes decides nothing.
int by_zero_changes(const HandshakeSide& mine, const HandshakeSide& theirs, bool resolve) noexcept {
  if (mine.dirty_bits == 0 && theirs.dirty_bits == 0) return resolve ? -1 : 1;
  if (theirs.dirty_bits == 0) return 1;
  if (mine.dirty_bits == 0) return -1;
  return 0;
}

int policy_0pri(const HandshakeSide& mine, const HandshakeSide& theirs,
                const HandshakeTerms& terms) noexcept {
  const bool s = (mine.generations.bitmap & 1U) != 0;
  const bool p = (theirs.generations.bitmap & 1U) != 0;
  const bool resolve = terms.resolve_conflicts;
  switch (terms.after_sb_0pri) {
    case AfterSplitBrain::discard_younger_primary:
    case AfterSplitBrain::discard_older_primary: {
      const int younger = terms.after_sb_0pri == AfterSplitBrain::discard_younger_primary ? 1 : -1;
      if (!s && p) return -younger;
      if (s && !p) return younger;
      const int zero = by_zero_changes(mine, theirs, resolve);
      return zero != 0 ? zero : by_changes(mine, theirs, resolve);
    }
    case AfterSplitBrain::discard_zero_changes: {
      const int zero = by_zero_changes(mine, theirs, resolve);
      return zero != 0 ? zero : ambiguous;
    }
    case AfterSplitBrain::discard_least_changes: return by_changes(mine, theirs, resolve);
    case AfterSplitBrain::discard_local: return -1;
    case AfterSplitBrain::discard_remote: return 1;
    default: return ambiguous;
  }
}

struct PolicyResult {
  int result;
  bool demote_first = false;
};

PolicyResult give_up_role(int result, bool victim, const HandshakeTerms& terms) noexcept {
  if (victim && !terms.may_demote) return {ambiguous};
  return {result, victim};
}

PolicyResult policy_1pri(const HandshakeSide& mine, const HandshakeSide& theirs,
                         const HandshakeTerms& terms) noexcept {
  const bool primary = mine.role == Role::primary;
  const int h = policy_0pri(mine, theirs, terms);
  switch (terms.after_sb_1pri) {
    case AfterSplitBrain::consensus:
      if (h == -1 && !primary) return {-1};
      if (h == 1 && primary) return {1};
      return {ambiguous};
    case AfterSplitBrain::violently_as0p: return {h};
    case AfterSplitBrain::discard_secondary: return {primary ? 1 : -1};
    case AfterSplitBrain::call_pri_lost_after_sb: return give_up_role(h, h == -1 && primary, terms);
    default: return {ambiguous};
  }
}

PolicyResult policy_2pri(const HandshakeSide& mine, const HandshakeSide& theirs,
                         const HandshakeTerms& terms) noexcept {
  const int h = policy_0pri(mine, theirs, terms);
  switch (terms.after_sb_2pri) {
    case AfterSplitBrain::violently_as0p: return {h};
    case AfterSplitBrain::call_pri_lost_after_sb: return give_up_role(h, h == -1, terms);
    default: return {ambiguous};
  }
}

int apply_policies(int result, const HandshakeSide& mine, const HandshakeSide& theirs,
                   const HandshakeTerms& terms, SyncDecision& decision) noexcept {
  const int primaries =
      (mine.role == Role::primary ? 1 : 0) + (theirs.role == Role::primary ? 1 : 0);
  decision.primaries = primaries;
  PolicyResult policy{ambiguous};
  if (primaries == 0) policy.result = policy_0pri(mine, theirs, terms);
  else if (primaries == 1) policy = policy_1pri(mine, theirs, terms);
  else policy = policy_2pri(mine, theirs, terms);
  if (std::abs(policy.result) >= split_brain) return ambiguous;
  decision.demote_first = policy.demote_first;
  decision.solved_by_policy = true;
  decision.ambiguous = result == ambiguous;
  decision.reason = "split brain resolved by policy";
  return result == ambiguous ? policy.result * 2 : policy.result;
}

SyncDecision refuse(SyncDecision decision, const char* reason) noexcept {
  decision.outcome = SyncDecision::Outcome::refuse;
  decision.reason = reason;
  return decision;
}

const char* dry_run_report(int hg) noexcept {
  switch (hg) {
    case 1: return "dry-run connect: Would become SyncSource, doing a bitmap-based resync.";
    case 2: return "dry-run connect: Would become SyncSource, doing a full resync.";
    case -1: return "dry-run connect: Would become SyncTarget, doing a bitmap-based resync.";
    case -2: return "dry-run connect: Would become SyncTarget, doing a full resync.";
    default: return "dry-run connect: No resync, would become Connected immediately.";
  }
}

// Exactly one side Inconsistent: the other one is the source, whatever the identifiers say.
int by_disk_state(int result, const HandshakeSide& mine, const HandshakeSide& theirs,
                  SyncDecision& decision) noexcept {
  const bool i_am_bad = mine.disk == DiskState::inconsistent;
  const bool peer_is_bad = theirs.disk == DiskState::inconsistent;
  const bool one = (i_am_bad && theirs.disk > DiskState::inconsistent) ||
                   (peer_is_bad && mine.disk > DiskState::inconsistent);
  if (!one) return result;
  const bool full = std::abs(result) == 2 || result == ambiguous;
  decision.by_disk_state = true;
  decision.reason = i_am_bad ? "Becoming sync target due to disk states."
                             : "Becoming sync source due to disk states.";
  return (i_am_bad ? -1 : 1) * (full ? 2 : 1);
}

}  // namespace

Comparison compare_generations(const HandshakeSide& mine, const HandshakeSide& theirs,
                               const HandshakeTerms& terms) noexcept {
  const std::uint64_t m = id(mine.generations.current);
  const std::uint64_t t = id(theirs.generations.current);
  if (m == uuid_just_created && t == uuid_just_created) return verdict(0, 10);
  // DRBD makes targets of both when neither ever had an identifier.
  if (m == 0 && t == 0) return verdict(ambiguous, 20);
  if ((m == uuid_just_created || m == 0) && t != uuid_just_created) return verdict(-2, 20);
  if (m != uuid_just_created && (t == uuid_just_created || t == 0)) return verdict(2, 30);
  if (m == t) return same_current(mine, theirs, terms);
  return different_current(mine, theirs, terms);
}

SyncDecision decide_sync(const HandshakeSide& mine, const HandshakeSide& theirs,
                         const HandshakeTerms& terms) noexcept {
  SyncDecision decision;
  decision.comparison = compare_generations(mine, theirs, terms);
  int hg = decision.comparison.result;
  if (hg == unrelated) return refuse(decision, "Unrelated data, aborting!");
  // Who was in use does not matter when one of the two has nothing to lose.
  if (hg == needs_rule_41_feature) hg = by_disk_state(hg, mine, theirs, decision);
  if (hg < unrelated) {
    return refuse(decision, "To resolve this both sides have to support a newer protocol");
  }
  hg = by_disk_state(hg, mine, theirs, decision);
  decision.initial_split_brain = std::abs(hg) == split_brain;
  if (hg == split_brain || (hg == ambiguous && terms.always_asbp)) {
    hg = apply_policies(hg, mine, theirs, terms, decision);
  }
  if (hg == ambiguous) {
    // Decided by hand; the identifiers may share only history, so the whole device is copied (G5).
    const bool common_bitmap = decision.comparison.result == split_brain;
    const int amount = common_bitmap ? 1 : 2;
    if (mine.discard_my_data && !theirs.discard_my_data) hg = -amount;
    if (!mine.discard_my_data && theirs.discard_my_data) hg = amount;
    decision.solved_by_hand = hg != ambiguous;
    if (decision.solved_by_hand) decision.reason = "split brain resolved by hand";
  }
  if (hg == ambiguous) {
    decision.split_brain = true;
    return refuse(decision, "Split-Brain detected but unresolved, dropping connection!");
  }
  if (hg > 0 && mine.disk <= DiskState::inconsistent) {
    return refuse(decision, "I shall become SyncSource, but I am inconsistent!");
  }
  if (hg < 0 && mine.role == Role::primary && mine.disk >= DiskState::consistent &&
      !mine.negotiating && !decision.demote_first) {
    if (terms.rr_conflict == ConflictPolicy::call_pri_lost) decision.pri_lost = true;
    if (terms.rr_conflict != ConflictPolicy::violently) {
      return refuse(decision, "I shall become SyncTarget, but I am primary!");
    }
    decision.violent = true;
  }
  if (terms.dry_run) return refuse(decision, dry_run_report(hg));
  decision.full = std::abs(hg) >= 2;
  decision.outcome = hg > 0   ? SyncDecision::Outcome::source
                     : hg < 0 ? SyncDecision::Outcome::target
                              : SyncDecision::Outcome::connected;
  return decision;
}

bool sends_marked_blocks(const HandshakeSide& mine, const HandshakeSide& theirs,
                         const HandshakeTerms& terms) noexcept {
  const GenerationSet& own = mine.generations;
  if (id(own.current) != id(theirs.generations.current) || id(own.current) <= uuid_just_created)
    return false;
  // A bitmap identifier in use tells of an earlier absence, which the comparison has judged.
  if (id(own.bitmap) != 0 || id(theirs.generations.bitmap) != 0) return false;
  if (mine.disk < DiskState::outdated || theirs.disk < DiskState::outdated) return false;
  const bool mine_outdated = mine.disk == DiskState::outdated;
  if (mine_outdated != (theirs.disk == DiskState::outdated)) return !mine_outdated;
  if (mine.role != theirs.role) return mine.role == Role::primary;
  return terms.accepted_data;
}

}  // namespace replicator
