// The generation comparison: every rule with its neighbours, from both ends (G1, G4, G7).
#include "engine/decide/handshake.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/engine/decide/handshake_side.hpp"

namespace replicator {
namespace {

// Generations; even, because bit 0 is the role marker.
constexpr std::uint64_t A = 0xaaaa000000000010;
constexpr std::uint64_t B = 0xbbbb000000000020;
constexpr std::uint64_t C = 0xcccc000000000030;
constexpr std::uint64_t D = 0xdddd000000000040;
constexpr std::uint64_t P = 0x1111000000000050;
constexpr std::uint64_t Q = 0x2222000000000060;
constexpr std::uint64_t R = 0x3333000000000070;
constexpr std::uint64_t created = uuid_just_created;

struct Row {
  const char* what;
  GenerationSet mine;
  GenerationSet theirs;
  int result;
  int rule;
  int agreed_version = 101;
};

const std::vector<Row> rows = {
    {"both just created", generations(created), generations(created), 0, 10},
    {"both just created, role marker", generations(created | 1U), generations(created), 0, 10},
    {"mine just created", generations(created), generations(A), -2, 20},
    {"mine unset", generations(0), generations(A), -2, 20},
    {"mine unset, theirs just created", generations(0), generations(created), 2, 30},
    {"theirs just created", generations(A), generations(created), 2, 30},
    {"theirs unset", generations(A), generations(0), 2, 30},
    {"both unset: nobody can be the source", generations(0), generations(0), -100, 20},

    {"34: I missed the end as source", generations(A, B, P, 0), generations(A, 0, B, P), 1, 34},
    {"34: role markers do not count", generations(A | 1U, B, P | 1U, 0),
     generations(A, 0, B | 1U, P), 1, 34},
    {"34 needs the younger history", generations(A, B, P, 0), generations(A, 0, B, Q), 1, 36},
    {"34 needs the bitmap", generations(A, B, P, 0), generations(A, 0, Q, P), 1, 36},
    {"34 with protocol 91", generations(A, B, P, 0), generations(A, 0, B, P), 1, 34, 91},
    {"34 needs protocol 91", generations(A, B, P, 0), generations(A, 0, B, P), -1091, 34, 90},
    {"36 needs protocol 91", generations(A, B), generations(A), -1091, 34, 90},
    {"35: the peer missed the end", generations(A, 0, B, P), generations(A, B, P, 0), -1, 35},
    {"35 needs the younger history", generations(A, 0, B, Q), generations(A, B, P, 0), -1, 37},
    {"35 needs the bitmap", generations(A, 0, Q, P), generations(A, B, P, 0), -1, 37},
    {"37 needs protocol 91", generations(A), generations(A, B), -1091, 35, 90},
    {"40: equal", generations(A, 0, B, C), generations(A, 0, B, C), 0, 40},
    {"40: equal but for the role marker", generations(A | 1U), generations(A), 0, 40},
    {"40: equal, both with a bitmap", generations(A, B), generations(A, C), 0, 40},
    {"40: a lone role marker is no bitmap", generations(A, 1), generations(A, 0), 0, 40},
    {"40: a lone role marker is no bitmap, theirs is one", generations(A, 1), generations(A, B), -1,
     37},

    {"50: the peer continued from my data", generations(A, 0, P, Q), generations(B, A, P, Q), -1,
     50},
    {"50: role markers do not count", generations(A | 1U), generations(B, A), -1, 50},
    {"50 before 90", generations(A, B, 0, 0), generations(C, A, 0, 0), -1, 50},
    {"51: the sync identifier got lost", generations(A, 0, P, Q),
     generations(B, A + sync_step, A, P), -1, 51},
    {"51 needs the exact step", generations(A, 0, P, Q), generations(B, A + sync_step + 2, A, P),
     -2, 60},
    {"51 before 96 goes by history", generations(A, 0, P, Q), generations(B, R, A, P), -1, 51, 95},
    {"51 before 96 needs that history", generations(A, 0, P, Q), generations(B, R, A, Q), -2, 60,
     95},
    {"51 since 96 does not go by history", generations(A, 0, P, Q), generations(B, R, A, P), -2, 60,
     96},
    {"51 needs protocol 91", generations(A, 0, P, Q), generations(B, R, A, P), -1091, 51, 90},
    {"60: in the peer's younger history", generations(A), generations(B, C, A, D), -2, 60},
    {"60: in the peer's older history", generations(A), generations(B, C, D, A), -2, 60},
    {"60 without a bitmap at the peer", generations(A), generations(B, 0, A, 0), -2, 60},

    {"70: I continued from the peer's data", generations(B, A, P, Q), generations(A, 0, P, Q), 1,
     70},
    {"70: role markers do not count", generations(B, A | 1U), generations(A), 1, 70},
    {"71: my sync identifier got lost", generations(B, A + sync_step, A, P),
     generations(A, 0, P, Q), 1, 71},
    {"71 needs the exact step", generations(B, A + sync_step + 2, A, P), generations(A, 0, P, Q), 2,
     80},
    {"71 before 96 goes by history", generations(B, R, A, P), generations(A, 0, P, Q), 1, 71, 95},
    {"71 before 96 needs that history", generations(B, R, A, Q), generations(A, 0, P, Q), 2, 80,
     95},
    {"71 needs protocol 91", generations(B, R, A, P), generations(A, 0, P, Q), -1091, 71, 90},
    {"80: in my younger history", generations(B, C, A, D), generations(A), 2, 80},
    {"80: in my older history", generations(B, C, D, A), generations(A), 2, 80},
    {"each is the other's ancestor: a contradiction", generations(A, B), generations(B, A), -100,
     100},
    {"each is in the other's past: a contradiction", generations(A, C, B, 0),
     generations(B, D, 0, A), -100, 100},

    {"90: both went on from the same data", generations(A, C), generations(B, C), 100, 90},
    {"90: role markers do not count", generations(A, C | 1U), generations(B, C), 100, 90},
    {"90 needs a bitmap", generations(A, 0, P, Q), generations(B, 0, Q, R), -100, 100},
    {"90 needs more than a role marker", generations(A, 1, P, Q), generations(B, 1, R, D), -1000,
     100},
    {"100: common younger history", generations(A, C, P, Q), generations(B, D, P, R), -100, 100},
    {"100: crossed history", generations(A, C, P, Q), generations(B, D, R, P), -100, 100},
    {"100: common older history", generations(A, C, P, Q), generations(B, D, R, Q), -100, 100},
    {"100: two unset histories count as common", generations(A, C, P, 0), generations(B, D, Q, 0),
     -100, 100},
    {"100: nothing in common", generations(A, C, P, Q), generations(B, D, R, created), -1000, 100},
};

int mirrored_rule(int rule) {
  static const std::map<int, int> other = {{20, 30}, {30, 20}, {34, 35}, {35, 34},
                                           {36, 37}, {37, 36}, {50, 70}, {70, 50},
                                           {51, 71}, {71, 51}, {60, 80}, {80, 60}};
  const auto found = other.find(rule);
  return found == other.end() ? rule : found->second;
}

TEST(handshake, every_rule_from_both_ends) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    HandshakeSide mine;
    HandshakeSide theirs;
    mine.generations = row.mine;
    theirs.generations = row.theirs;
    HandshakeTerms terms;
    terms.agreed_version = row.agreed_version;
    const Comparison here = compare_generations(mine, theirs, terms);
    EXPECT_EQ(here.result, row.result);
    EXPECT_EQ(here.rule, row.rule);
    const Comparison there = compare_generations(theirs, mine, seen_from_peer(terms));
    EXPECT_EQ(there.result, seen_from_peer(row.result));
    if (row.rule != 20 || row.result == -2) {
      EXPECT_EQ(there.rule, mirrored_rule(row.rule));
    }
  }
}

struct CrashRow {
  const char* what;
  bool my_crash;
  bool peer_crash;
  Role my_role;
  Role peer_role;
  bool resolve;
  int result;
  int rule;
};

TEST(handshake, equal_generations_after_a_crash) {
  constexpr Role p = Role::primary;
  constexpr Role s = Role::secondary;
  const std::vector<CrashRow> crashes = {
      {"nobody crashed, one Primary", false, false, p, s, false, 0, 40},
      {"I crashed", true, false, s, s, false, 1, 40},
      {"I crashed; the tie break is not asked", true, false, s, s, true, 1, 40},
      {"the peer crashed", false, true, s, s, false, -1, 40},
      {"both crashed", true, true, s, s, false, 1, 40},
      {"both crashed, I break ties", true, true, s, s, true, -1, 40},
      {"I crashed and am Primary again", true, false, p, s, false, 1, 41},
      {"the peer crashed, I am Primary", false, true, p, s, false, 1, 41},
      {"I crashed, the peer is Primary", true, false, s, p, false, -1, 41},
      {"both crashed, I am Primary", true, true, p, s, true, 1, 41},
      {"two Primaries, one crashed", true, false, p, p, false, -100, 41},
  };
  for (const CrashRow& row : crashes) {
    SCOPED_TRACE(row.what);
    HandshakeSide mine;
    HandshakeSide theirs;
    mine.generations = generations(A, 0, P, Q);
    theirs.generations = mine.generations;
    mine.crashed_primary = row.my_crash;
    theirs.crashed_primary = row.peer_crash;
    mine.role = row.my_role;
    theirs.role = row.peer_role;
    HandshakeTerms terms;
    terms.resolve_conflicts = row.resolve;
    const Comparison here = compare_generations(mine, theirs, terms);
    EXPECT_EQ(here.result, row.result);
    EXPECT_EQ(here.rule, row.rule);
    const Comparison there = compare_generations(theirs, mine, seen_from_peer(terms));
    EXPECT_EQ(there.result, seen_from_peer(row.result));
    if (row.rule == 41) {
      terms.features = 0xb;  // all but the one that kernels with rule 41 offer
      EXPECT_EQ(compare_generations(mine, theirs, terms).result, -66661);
    }
  }
}

// G7: the messages that were lost are made up for, on the side whose set is behind.
TEST(handshake, corrects_the_set_that_missed_the_end_of_a_resync) {
  HandshakeSide source;
  HandshakeSide target;
  source.generations = generations(A, B, P, Q);
  target.generations = generations(A, 0, B, P);
  const Comparison here = compare_generations(source, target, HandshakeTerms());
  EXPECT_TRUE(here.corrects_mine);
  EXPECT_FALSE(here.corrects_theirs);
  EXPECT_EQ(here.mine, target.generations);
  const Comparison there = compare_generations(target, source, HandshakeTerms());
  EXPECT_TRUE(there.corrects_theirs);
  EXPECT_FALSE(there.corrects_mine);
  EXPECT_EQ(there.theirs, target.generations);
}

TEST(handshake, takes_back_a_resync_start_that_the_target_never_saw) {
  HandshakeSide source;
  HandshakeSide target;
  const GenerationSet before = generations(B, A, P, Q);
  source.generations = before;
  source.generations.rotate_bitmap(A + sync_step);
  target.generations = generations(A, 0, P, Q);
  const Comparison here = compare_generations(source, target, HandshakeTerms());
  ASSERT_EQ(here.rule, 71);
  EXPECT_TRUE(here.corrects_mine);
  // The oldest entry fell out when the resync began.
  EXPECT_EQ(here.mine, generations(B, A, P, P));
  const Comparison there = compare_generations(target, source, HandshakeTerms());
  ASSERT_EQ(there.rule, 51);
  EXPECT_TRUE(there.corrects_theirs);
  EXPECT_EQ(there.theirs, here.mine);
}

TEST(handshake, ordinary_verdicts_correct_nothing) {
  for (const Row& row : rows) {
    if (row.rule == 34 || row.rule == 35 || row.rule == 51 || row.rule == 71) continue;
    HandshakeSide mine;
    HandshakeSide theirs;
    mine.generations = row.mine;
    theirs.generations = row.theirs;
    HandshakeTerms terms;
    terms.agreed_version = row.agreed_version;
    const Comparison c = compare_generations(mine, theirs, terms);
    EXPECT_FALSE(c.corrects_mine || c.corrects_theirs) << row.what;
  }
}

// Generations from a small alphabet, so that every kind of coincidence happens.
class RandomSides {
 public:
  GenerationSet set() {
    GenerationSet s = generations(uuid(), uuid(), uuid(), uuid());
    return s;
  }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool flip() { return below(2) != 0; }

 private:
  std::uint64_t uuid() {
    static constexpr std::uint64_t base[] = {0, created, A, B, C, A + sync_step, B + sync_step, P};
    return base[below(std::size(base))] | below(2);
  }
  std::mt19937_64 random_{20240817};
};

TEST(handshake, both_ends_agree_on_any_generations) {
  RandomSides random;
  std::map<int, int> seen;
  for (int i = 0; i < 1000000; ++i) {
    HandshakeSide mine;
    HandshakeSide theirs;
    mine.generations = random.set();
    theirs.generations = random.set();
    if (random.below(4) == 0) theirs.generations.current = mine.generations.current;
    mine.crashed_primary = random.flip();
    theirs.crashed_primary = random.flip();
    mine.role = random.flip() ? Role::primary : Role::secondary;
    theirs.role = random.flip() ? Role::primary : Role::secondary;
    HandshakeTerms terms;
    static constexpr int versions[] = {86, 90, 91, 95, 96, 101};
    terms.agreed_version = versions[random.below(6)];
    terms.features = random.flip() ? 0xfU : 0xbU;
    terms.resolve_conflicts = random.flip();
    const Comparison here = compare_generations(mine, theirs, terms);
    const Comparison there = compare_generations(theirs, mine, seen_from_peer(terms));
    ++seen[here.rule];
    const GenerationSet& m = mine.generations;
    const GenerationSet& t = theirs.generations;
    ASSERT_EQ(there.result, seen_from_peer(here.result))
        << std::hex << m.current << ':' << m.bitmap << ':' << m.history[0] << ':' << m.history[1]
        << " against " << t.current << ':' << t.bitmap << ':' << t.history[0] << ':' << t.history[1]
        << " rules " << std::dec << here.rule << ' ' << there.rule;
    // What one end corrects of itself, the other corrects of its peer, to the same set.
    ASSERT_EQ(here.corrects_mine, there.corrects_theirs);
    if (here.corrects_mine) {
      ASSERT_TRUE(same_generation(here.mine.bitmap, there.theirs.bitmap));
      ASSERT_TRUE(same_generation(here.mine.history[0], there.theirs.history[0]));
    }
  }
  for (const int rule : {10, 20, 30, 34, 35, 36, 37, 40, 41, 50, 51, 60, 70, 71, 80, 90, 100})
    EXPECT_GT(seen[rule], 0) << rule;
}

}  // namespace
}  // namespace replicator
