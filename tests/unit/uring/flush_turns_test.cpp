// Who shares which flush.
#include "uring/flush_turns.hpp"

#include <gtest/gtest.h>

#include <set>

namespace replicator::uring {
namespace {

std::set<io::Op*> group(io::Op* first) {
  std::set<io::Op*> all;
  for (io::Op* op = first; op != nullptr; op = FlushTurns::next(*op))
    all.insert(op);
  return all;
}

TEST(flush_turns, those_that_ask_while_one_is_under_way_share_the_next_one) {
  FlushTurns turns;
  io::Op a;
  io::Op b;
  io::Op c;
  EXPECT_TRUE(turns.join(a));
  EXPECT_FALSE(turns.join(b));
  EXPECT_FALSE(turns.join(c));
  EXPECT_EQ(group(turns.end()), (std::set<io::Op*>{&a}));
  EXPECT_TRUE(turns.under_way());
  EXPECT_FALSE(turns.join(a)) << "the second one has begun, and may not cover what came since";
  EXPECT_EQ(group(turns.end()), (std::set<io::Op*>{&b, &c}));
  EXPECT_EQ(group(turns.end()), (std::set<io::Op*>{&a}));
  EXPECT_FALSE(turns.under_way());
  EXPECT_TRUE(turns.join(b));
}

}  // namespace
}  // namespace replicator::uring
