// Our verdicts against those of the kernel module, from its log.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/engine/decide/handshake_side.hpp"

namespace replicator {
namespace {

struct Recorded {
  std::string node;
  HandshakeSide mine;
  HandshakeSide theirs;
  int result = 0;
  int rule = 0;
  std::string next;
};

bool read_side(std::istream& in, HandshakeSide& side) {
  std::string uuids;
  std::string role;
  std::string disk;
  std::uint64_t flags = 0;
  if (!(in >> uuids >> side.dirty_bits >> flags >> role >> disk)) return false;
  if (uuids.size() != 4 * 16 + 3) return false;
  std::uint64_t* const slots[] = {&side.generations.current, &side.generations.bitmap,
                                  &side.generations.history[0], &side.generations.history[1]};
  for (std::size_t i = 0; i < 4; ++i)
    *slots[i] = std::stoull(uuids.substr(i * 17, 16), nullptr, 16);
  side.discard_my_data = (flags & 1U) != 0;
  side.crashed_primary = (flags & 2U) != 0;
  side.role = role == "Primary" ? Role::primary : Role::secondary;
  side.disk = disk == "Inconsistent" ? DiskState::inconsistent : DiskState::up_to_date;
  return disk == "Inconsistent" || disk == "UpToDate";
}

std::vector<Recorded> recorded() {
  std::ifstream file("tests/fixtures/handshake/drbd-8.4.11.txt");
  std::vector<Recorded> all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    Recorded r;
    in >> r.node;
    const bool sides = read_side(in, r.mine) && read_side(in, r.theirs);
    EXPECT_TRUE(sides && in >> r.result >> r.rule >> r.next) << line;
    all.push_back(r);
  }
  return all;
}

const char* next_state(const SyncDecision& decision) {
  switch (decision.outcome) {
    case SyncDecision::Outcome::refuse: return "refuse";
    case SyncDecision::Outcome::connected: return "Connected";
    case SyncDecision::Outcome::source: return "WFBitMapS";
    case SyncDecision::Outcome::target: return "WFBitMapT";
  }
  return "?";
}

TEST(handshake_golden, same_verdict_as_the_kernel) {
  const std::vector<Recorded> all = recorded();
  ASSERT_EQ(all.size(), 25U);
  for (const Recorded& r : all) {
    // n1's kernel broke ties or not: no recorded case depends on it.
    for (const bool resolve : {false, true}) {
      HandshakeTerms terms;
      terms.resolve_conflicts = resolve;
      const SyncDecision decision = decide_sync(r.mine, r.theirs, terms);
      EXPECT_EQ(decision.comparison.result, r.result) << r.node << " rule " << r.rule;
      EXPECT_EQ(decision.comparison.rule, r.rule) << r.node;
      EXPECT_STREQ(next_state(decision), r.next.c_str()) << r.node << " rule " << r.rule;
      EXPECT_EQ(decision.split_brain, r.next == "refuse");
      EXPECT_EQ(decision.full, r.result == 2 || r.result == -2);
    }
  }
}

}  // namespace
}  // namespace replicator
