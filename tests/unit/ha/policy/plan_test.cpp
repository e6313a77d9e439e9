// The planner's semantics, one rule a test (cluster semantics of Pacemaker).
#include <gtest/gtest.h>

#include "tests/unit/ha/policy/small_cluster.hpp"

namespace ha::policy {
namespace {

std::string location(const std::string& resource, const std::string& node,
                     const std::string& score) {
  return "<rsc_location id='l-" + resource + node + "' rsc='" + resource + "' node='" + node +
         "' score='" + score + "'/>";
}

std::string fencing_options() { return pair("stonith-enabled", "true"); }

std::string device() { return "<primitive id='fence' class='stonith' type='fence_dummy'/>"; }

TEST(Plan, ResourcesAreSpreadOverTheNodes) {
  SmallCluster cluster;
  cluster.resources = primitive("a") + primitive("b");
  EXPECT_EQ(cluster.plan(), (Steps{"start a node1", "start b node2"}));
}

TEST(Plan, LocationDecides) {
  SmallCluster cluster;
  cluster.resources = primitive("a");
  cluster.constraints = location("a", "node2", "100");
  EXPECT_EQ(cluster.plan(), (Steps{"start a node2"}));
}

TEST(Plan, StickinessAgainstLocation) {
  struct Row {
    const char* stickiness;
    const char* location;
    Steps plan;
  };
  const Row rows[] = {{"100", "50", {}},
                      {"50", "100", {"stop a node1", "start a node2"}},
                      {"INFINITY", "1000", {}},
                      {"INFINITY", "INFINITY", {}}};
  for (const Row& row : rows) {
    SmallCluster cluster;
    cluster.resources = primitive("a", pair("resource-stickiness", row.stickiness));
    cluster.constraints = location("a", "node2", row.location);
    cluster.history[0] = started("a");
    cluster.history[1] = stopped("a");
    EXPECT_EQ(cluster.plan(), row.plan) << row.stickiness << " " << row.location;
  }
}

TEST(Plan, OptInClusterRunsNothingUnasked) {
  SmallCluster cluster;
  cluster.options += pair("symmetric-cluster", "false");
  cluster.resources = primitive("a") + primitive("b");
  cluster.constraints = location("b", "node2", "0");
  EXPECT_EQ(cluster.plan(), (Steps{"start b node2"}));
}

TEST(Plan, AThresholdOfOneMoves) {
  SmallCluster cluster;
  cluster.resources =
      primitive("a", pair("migration-threshold", "1"), operation("m", "monitor", "10s"));
  cluster.history[0] =
      history("a", record("a", "start", 2, 0) + record("a", "monitor", 3, 7, 0, 10000));
  cluster.history[1] = stopped("a");
  cluster.transient[0] = pair("fail-count-a#monitor_10000", "1");
  EXPECT_EQ(cluster.plan(), (Steps{"stop a node1", "start a node2", "monitor=10000 a node2"}));
}

TEST(Plan, BelowTheThresholdItIsRestartedInPlace) {
  SmallCluster cluster;
  cluster.resources =
      primitive("a", pair("migration-threshold", "3"), operation("m", "monitor", "10s"));
  cluster.history[0] =
      history("a", record("a", "start", 2, 0) + record("a", "monitor", 3, 1, 0, 10000));
  cluster.history[1] = stopped("a");
  cluster.transient[0] = pair("fail-count-a#monitor_10000", "2");
  cluster.constraints = location("a", "node1", "10");
  EXPECT_EQ(cluster.plan(), (Steps{"stop a node1", "start a node1", "monitor=10000 a node1"}));
}

TEST(Plan, FailedEverywhereStaysStopped) {
  SmallCluster cluster;
  cluster.resources = primitive("a");
  cluster.history[0] = cluster.history[1] =
      history("a", record("a", "start", 2, 1) + record("a", "stop", 3, 0));
  for (std::string& node : cluster.transient)
    node = pair("fail-count-a#start_0", "INFINITY");
  EXPECT_EQ(cluster.plan(), Steps{});
}

TEST(Plan, FailuresExpire) {
  SmallCluster cluster;
  cluster.nodes = 1;
  cluster.resources = primitive("a", pair("failure-timeout", "60s"));
  cluster.history[0] = history("a", record("a", "start", 2, 1) + record("a", "stop", 3, 0));
  cluster.transient[0] =
      pair("fail-count-a#start_0", "INFINITY") + pair("last-failure-a#start_0", "999000");
  cluster.now = 999'030;
  EXPECT_EQ(cluster.plan(), Steps{});
  cluster.now = 1'000'000;
  EXPECT_EQ(cluster.plan(), (Steps{"clear_failcount a node1", "start a node1"}));
}

// H3: without fencing, what failed to stop is started nowhere else.
TEST(Plan, AFailedStopBlocks) {
  SmallCluster cluster;
  cluster.resources = primitive("a");
  cluster.history[0] = history("a", record("a", "start", 2, 0) + record("a", "stop", 3, 1));
  cluster.history[1] = stopped("a");
  EXPECT_EQ(cluster.plan(), Steps{});
}

TEST(Plan, AFailedStopFences) {
  SmallCluster cluster;
  cluster.options = fencing_options();
  cluster.resources = primitive("a") + device();
  cluster.history[0] = history("a", record("a", "start", 2, 0) + record("a", "stop", 3, 1));
  cluster.history[1] = stopped("a");
  EXPECT_EQ(cluster.plan(), (Steps{"stonith node1", "start a node2", "start fence node2"}));
}

// H2, H4: what the lost node may still run waits for the fencing.
TEST(Plan, TakeOverWaitsForFencing) {
  SmallCluster cluster;
  cluster.options = fencing_options();
  cluster.resources = primitive("a") + device();
  cluster.history[0] = started("a");
  cluster.history[1] = stopped("a");
  cluster.lost[0] = true;
  const auto cib = config::Cib::parse(cluster.text());
  ASSERT_TRUE(cib);
  const auto planned = make_plan(*cib, cluster.now);
  bool waits = false;
  for (const Action* action : planned->plan) {
    if (action->key != "a_start_0") continue;
    for (const Link& link : action->before)
      waits = waits || (link.used && link.action->task == "stonith");
  }
  EXPECT_TRUE(waits);
}

TEST(Plan, FencingWithoutADeviceMeansNothingStarts) {
  SmallCluster cluster;
  cluster.options = fencing_options();
  cluster.resources = primitive("a");
  EXPECT_EQ(cluster.plan(), Steps{});
}

TEST(Plan, WithoutQuorum) {
  struct Row {
    const char* policy;
    Steps plan;
  };
  const Row rows[] = {{"stop", {"stop a node1"}}, {"freeze", {}}, {"ignore", {"start b node2"}}};
  for (const Row& row : rows) {
    SmallCluster cluster;
    cluster.options += pair("no-quorum-policy", row.policy);
    cluster.quorum = false;
    cluster.resources = primitive("a") + primitive("b");
    cluster.history[0] = started("a") + stopped("b");
    cluster.history[1] = stopped("a") + stopped("b");
    EXPECT_EQ(cluster.plan(), row.plan) << row.policy;
  }
}

TEST(Plan, StandbyEmptiesANode) {
  SmallCluster cluster;
  cluster.resources = primitive("a");
  cluster.history[0] = started("a");
  cluster.history[1] = stopped("a");
  cluster.attributes[0] = pair("standby", "on");
  EXPECT_EQ(cluster.plan(), (Steps{"stop a node1", "start a node2"}));
}

// H14
TEST(Plan, MaintenanceMeansHandsOff) {
  for (const char* how : {"maintenance-mode", ""}) {
    SmallCluster cluster;
    if (*how != '\0') cluster.options += pair(how, "true");
    else cluster.attributes[0] = pair("maintenance", "true");
    cluster.resources = primitive("a", {}, operation("m", "monitor", "10s"));
    cluster.constraints = location("a", "node1", "-INFINITY");
    cluster.history[0] =
        history("a", record("a", "start", 2, 0) + record("a", "monitor", 3, 0, 0, 10000));
    cluster.history[1] = stopped("a");
    EXPECT_EQ(cluster.plan(), (Steps{"cancel=10000 a node1"})) << how;
  }
}

TEST(Plan, UnmanagedIsWatchedOnly) {
  SmallCluster cluster;
  cluster.resources = primitive("a", pair("is-managed", "false"), operation("m", "monitor", "10s"));
  cluster.constraints = location("a", "node1", "-INFINITY");
  cluster.history[0] = started("a");
  cluster.history[1] = stopped("a");
  EXPECT_EQ(cluster.plan(), (Steps{"monitor=10000 a node1"}));
}

TEST(Plan, TargetRoleStopped) {
  SmallCluster cluster;
  cluster.resources = primitive("a", pair("target-role", "Stopped"));
  cluster.history[0] = started("a");
  cluster.history[1] = stopped("a");
  EXPECT_EQ(cluster.plan(), (Steps{"stop a node1"}));
}

// H10: found twice, it is stopped on both and started once.
TEST(Plan, ActiveTwice) {
  SmallCluster cluster;
  cluster.resources = primitive("a");
  cluster.history[0] = cluster.history[1] = started("a");
  EXPECT_EQ(cluster.plan(), (Steps{"stop a node1", "stop a node2", "start a node1"}));
  cluster.resources = primitive("a", pair("multiple-active", "block"));
  EXPECT_EQ(cluster.plan(), Steps{});
  cluster.resources = primitive("a", pair("multiple-active", "stop_only"));
  EXPECT_EQ(cluster.plan(), (Steps{"stop a node1", "stop a node2"}));
}

TEST(Plan, ColocationAndOrder) {
  SmallCluster cluster;
  cluster.resources = primitive("a") + primitive("b");
  cluster.constraints =
      "<rsc_colocation id='c' rsc='b' with-rsc='a' score='INFINITY'/>"
      "<rsc_order id='o' first='a' then='b'/>" +
      location("b", "node2", "100");
  // What b prefers moves a, because b has to be with it.
  EXPECT_EQ(cluster.plan(), (Steps{"start a node2", "start b node2"}));
  cluster.constraints = "<rsc_colocation id='c' rsc='b' with-rsc='a' score='-INFINITY'/>" +
                        location("a", "node1", "5") + location("b", "node1", "100");
  // The one that the other depends on yields to the stronger wish.
  EXPECT_EQ(cluster.plan(), (Steps{"start a node2", "start b node1"}));
}

TEST(Plan, WhatCannotStartStopsWhatNeedsIt) {
  SmallCluster cluster;
  cluster.resources = primitive("a", pair("target-role", "Stopped")) + primitive("b");
  cluster.constraints = "<rsc_order id='o' first='a' then='b'/>";
  EXPECT_EQ(cluster.plan(), Steps{});
  cluster.constraints = "<rsc_order id='o' first='a' then='b' kind='Optional'/>";
  EXPECT_EQ(cluster.plan(), (Steps{"start b node1"}));
}

TEST(Plan, AGroupRunsUpToWhatIsDisabled) {
  SmallCluster cluster;
  cluster.resources = "<group id='g'>" + primitive("a") +
                      primitive("b", pair("target-role", "Stopped")) + primitive("c") + "</group>";
  EXPECT_EQ(cluster.plan(), (Steps{"start a node1"}));
}

TEST(Plan, AGroupMovesAsOne) {
  SmallCluster cluster;
  cluster.resources = "<group id='g'>" + primitive("a") + primitive("b") + "</group>";
  cluster.history[0] = started("a") + started("b");
  cluster.history[1] = stopped("a") + stopped("b");
  cluster.constraints = location("g", "node2", "INFINITY");
  EXPECT_EQ(cluster.plan(),
            (Steps{"stop a node1", "stop b node1", "start a node2", "start b node2"}));
}

TEST(Plan, RulesOnNodeAttributes) {
  SmallCluster cluster;
  cluster.resources = primitive("a");
  cluster.constraints =
      "<rsc_location id='l' rsc='a'><rule id='r' score='-INFINITY' boolean-op='or'>"
      "<expression id='e1' attribute='pingd' operation='not_defined'/>"
      "<expression id='e2' attribute='pingd' operation='lt' value='100'/></rule></rsc_location>";
  EXPECT_EQ(cluster.plan(), Steps{});
  cluster.transient[0] = pair("pingd", "0");
  EXPECT_EQ(cluster.plan(), Steps{});
  cluster.transient[1] = pair("pingd", "100");
  EXPECT_EQ(cluster.plan(), (Steps{"start a node2"}));
}

std::string mirror(const std::string& more = {}) {
  return "<clone id='ms'><meta_attributes id='mm'>" + pair("promotable", "true") + more +
         "</meta_attributes>" +
         primitive("drbd", {},
                   operation("mp", "monitor", "10s", "role='Promoted'") +
                       operation("mu", "monitor", "11s", "role='Unpromoted'")) +
         "</clone>";
}

std::string running_mirror() { return started("drbd"); }

TEST(Plan, TheBestDataIsPromoted) {
  SmallCluster cluster;
  cluster.resources = mirror();
  cluster.history[0] = cluster.history[1] = running_mirror();
  cluster.transient[0] = pair("master-drbd", "5");
  cluster.transient[1] = pair("master-drbd", "10000");
  EXPECT_EQ(cluster.plan(), (Steps{"promote drbd:1 node2", "monitor=10000 drbd:1 node2",
                                   "monitor=11000 drbd:0 node1"}));
}

// H6: no score, no promotion.
TEST(Plan, WithoutAScoreNothingIsPromoted) {
  SmallCluster cluster;
  cluster.resources = mirror();
  cluster.history[0] = cluster.history[1] = running_mirror();
  EXPECT_EQ(cluster.plan(), (Steps{"monitor=11000 drbd:0 node1", "monitor=11000 drbd:1 node2"}));
}

TEST(Plan, ALostPrimaryIsReplaced) {
  SmallCluster cluster;
  cluster.resources = mirror() + primitive("fs");
  cluster.constraints =
      "<rsc_colocation id='c' rsc='fs' with-rsc='ms' with-rsc-role='Master' score='INFINITY'/>"
      "<rsc_order id='o' first='ms' first-action='promote' then='fs' then-action='start'/>";
  cluster.history[1] = running_mirror() + stopped("fs");
  cluster.transient[1] = pair("master-drbd", "10000");
  cluster.online[0] = false;
  EXPECT_EQ(cluster.plan(),
            (Steps{"promote drbd:0 node2", "monitor=10000 drbd:0 node2", "start fs node2"}));
}

TEST(Plan, NotificationsSurroundAPromotion) {
  SmallCluster cluster;
  cluster.resources = mirror(pair("notify", "true"));
  cluster.history[0] = cluster.history[1] = running_mirror();
  cluster.transient[0] = pair("master-drbd", "10000");
  const Steps plan = cluster.plan();
  EXPECT_TRUE(plan.contains("notify drbd:0 node1"));
  EXPECT_TRUE(plan.contains("notify drbd:1 node2"));
}

TEST(Plan, OrphansAreStopped) {
  SmallCluster cluster;
  cluster.resources = primitive("a");
  cluster.history[0] = stopped("a") + started("gone");
  cluster.history[1] = stopped("a");
  EXPECT_TRUE(cluster.plan().contains("stop gone node1"));
  cluster.options += pair("stop-orphan-resources", "false");
  EXPECT_FALSE(cluster.plan().contains("stop gone node1"));
}

TEST(Plan, OnFailOfAMonitor) {
  struct Row {
    const char* on_fail;
    Steps plan;
  };
  const Row rows[] = {{"restart", {"stop a node1", "start a node1", "monitor=10000 a node1"}},
                      {"stop", {"stop a node1"}},
                      {"block", {}},
                      {"standby", {"stop a node1", "start a node2", "monitor=10000 a node2"}},
                      {"migrate", {"stop a node1", "start a node2", "monitor=10000 a node2"}}};
  for (const Row& row : rows) {
    SmallCluster cluster;
    cluster.resources = primitive(
        "a", {}, operation("m", "monitor", "10s", std::string("on-fail='") + row.on_fail + "'"));
    cluster.history[0] =
        history("a", record("a", "start", 2, 0) + record("a", "monitor", 3, 1, 0, 10000));
    cluster.history[1] = stopped("a");
    cluster.transient[0] = pair("fail-count-a#monitor_10000", "1");
    cluster.constraints = location("a", "node1", "10");
    EXPECT_EQ(cluster.plan(), row.plan) << row.on_fail;
  }
}

// H8
TEST(Plan, IsTheSameEachTime) {
  SmallCluster cluster;
  cluster.nodes = 3;
  for (int i = 0; i < 12; ++i)
    cluster.resources += primitive("r" + std::to_string(i));
  const auto cib = config::Cib::parse(cluster.text());
  ASSERT_TRUE(cib);
  const auto first = make_plan(*cib, 5, true);
  const auto second = make_plan(*cib, 5, true);
  EXPECT_EQ(first->score_lines, second->score_lines);
  ASSERT_EQ(first->plan.size(), second->plan.size());
  for (std::size_t i = 0; i < first->plan.size(); ++i)
    EXPECT_EQ(first->plan[i]->key, second->plan[i]->key);
}

}  // namespace
}  // namespace ha::policy
