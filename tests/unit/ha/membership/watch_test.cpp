// When a node is late, dead, and there again: tables over time.
#include "ha/membership/watch.hpp"

#include <gtest/gtest.h>

#include "ha/membership/quorum.hpp"

namespace ha::membership {
namespace {

constexpr WatchTimes times{Duration::milliseconds(200), Duration::milliseconds(500),
                           Duration::seconds(10)};
Instant at(std::int64_t ms) { return Instant() + Duration::milliseconds(ms); }

TEST(NodeWatch, DeadAfterDeadtimeNotBefore) {
  NodeWatch watch(1, at(0));
  watch.heard(0, true, at(100), times);
  EXPECT_EQ(watch.deadline(times), at(600));
  EXPECT_FALSE(watch.tick(at(599), times).node_died);
  const NodeWatch::Expired expired = watch.tick(at(600), times);
  EXPECT_TRUE(expired.node_died);
  EXPECT_EQ(expired.links_died, std::vector<std::size_t>{0});
  EXPECT_EQ(watch.liveness(), Liveness::dead);
  EXPECT_FALSE(watch.tick(at(2000), times).node_died);
  EXPECT_EQ(watch.deadline(times), Instant::never());
}

TEST(NodeWatch, InitdeadForWhoWasNeverHeard) {
  NodeWatch watch(1, at(0));
  EXPECT_EQ(watch.deadline(times), at(10000));
  EXPECT_FALSE(watch.tick(at(9999), times).node_died);
  EXPECT_TRUE(watch.tick(at(10000), times).node_died);
  const NodeWatch::Heard heard = watch.heard(0, true, at(20000), times);
  EXPECT_TRUE(heard.first && heard.was_dead && heard.link_came_up);
}

TEST(NodeWatch, OneOfTwoLinksLostKillsOnlyTheLink) {
  NodeWatch watch(2, at(0));
  watch.heard(0, true, at(0), times);
  watch.heard(1, false, at(0), times);
  for (int ms = 100; ms <= 1000; ms += 100) {
    watch.heard(0, true, at(ms), times);
    const NodeWatch::Expired expired = watch.tick(at(ms), times);
    EXPECT_FALSE(expired.node_died);
    EXPECT_EQ(expired.links_died.size(), ms == 500 ? 1U : 0U) << ms;
  }
  EXPECT_TRUE(watch.link_up(0));
  EXPECT_FALSE(watch.link_up(1));
  EXPECT_TRUE(watch.heard(1, false, at(1000), times).link_came_up);
}

TEST(NodeWatch, CopiesKeepALinkButNotANode) {
  NodeWatch watch(1, at(0));
  watch.heard(0, true, at(0), times);
  watch.heard(0, false, at(400), times);
  const NodeWatch::Expired expired = watch.tick(at(500), times);
  EXPECT_TRUE(expired.node_died);
  EXPECT_TRUE(watch.link_up(0));
}

TEST(NodeWatch, LateIsBeyondWarntime) {
  NodeWatch watch(1, at(0));
  watch.heard(0, true, at(0), times);
  EXPECT_FALSE(watch.heard(0, true, at(200), times).late);
  EXPECT_EQ(watch.heard(0, true, at(401), times).late, Duration::milliseconds(201));
}

TEST(NodeWatch, OwnPauseIsForgiven) {
  NodeWatch watch(1, at(0));
  watch.heard(0, true, at(0), times);
  watch.forgive(Duration::seconds(5));
  EXPECT_FALSE(watch.tick(at(5100), times).node_died);
  EXPECT_TRUE(watch.tick(at(5500), times).node_died);
}

TEST(Quorum, TwoNodesGoOnAloneMoreNeedAMajority) {
  const struct {
    std::size_t configured, present;
    bool quorum;
  } cases[] = {{1, 1, true}, {2, 2, true},  {2, 1, true}, {2, 0, false}, {3, 1, false},
               {3, 2, true}, {4, 2, false}, {4, 3, true}, {5, 3, true},  {5, 2, false}};
  for (const auto& one : cases)
    EXPECT_EQ(has_quorum(one.configured, one.present), one.quorum)
        << one.present << " of " << one.configured;
  EXPECT_EQ(elect({"node2", "node1", "node3"}), "node1");
  EXPECT_EQ(elect({}), "");
}

}  // namespace
}  // namespace ha::membership
