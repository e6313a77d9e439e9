// The order of starts and stops, and what happens when one fails, in virtual time.
#include "ha/haresources/groups.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/sim/two_nodes.hpp"

namespace ha::haresources {
namespace {

using replicator::Task;

class Model final : public Agents {
 public:
  Task<ActionResult> run(const Resource& resource, Action action) override {
    calls += resource.word + "." + text(action) + " ";
    ActionResult result;
    result.found = !missing.contains(resource.word);
    result.path = "/etc/ha.d/resource.d/" + resource.script;
    const bool fails = !result.found || failing[resource.word + "." + text(action)]-- > 0;
    result.exit_code = fails ? 1 : 0;
    if (!fails && action == Action::start) active.insert(resource.word);
    if (!fails && action == Action::stop) active.erase(resource.word);
    if (action == Action::status) result.output = active.contains(resource.word) ? "running" : "x";
    co_return result;
  }
  std::string calls;
  std::set<std::string> active;
  std::set<std::string> missing;
  std::map<std::string, int> failing;  // how often yet
};

class GroupsTest : public testing::Test {
 protected:
  GroupsTest()
      : groups("node1", parse_haresources("node1 a b c\nnode2 d\n", "f", {"node1", "node2"}).groups,
               model, pair.n1.io().clock,
               [this](membership::Severity, const std::string& line) { log += line + "\n"; }) {}
  bool carry_out(WorkKind kind, Holding which) {
    model.calls.clear();
    const replicator::sim::World::As as(pair.world, pair.n1.id());
    return pair.run(groups.carry_out(Work{kind, which, "test"}));
  }
  replicator::sim::TwoNodes pair;
  Model model;
  std::string log;
  Groups groups;
};

TEST_F(GroupsTest, LeftToRightAndBack) {
  EXPECT_TRUE(carry_out(WorkKind::acquire, Holding::local));
  EXPECT_EQ(model.calls, "a.status a.start b.status b.start c.status c.start ");
  EXPECT_TRUE(carry_out(WorkKind::acquire, Holding::local));
  EXPECT_EQ(model.calls, "a.status b.status c.status ");
  EXPECT_TRUE(carry_out(WorkKind::release, Holding::all));
  EXPECT_EQ(model.calls, "c.stop b.stop a.stop d.stop ");
  EXPECT_TRUE(carry_out(WorkKind::acquire, Holding::foreign));
  EXPECT_EQ(model.active, std::set<std::string>{"d"});
  EXPECT_NE(log.find("Acquiring resource group: node1 a b c"), std::string::npos);
}

TEST_F(GroupsTest, AFailedStartReleasesTheWholeGroup) {
  model.failing["b.start"] = 1;
  EXPECT_FALSE(carry_out(WorkKind::acquire, Holding::local));
  EXPECT_EQ(model.calls, "a.status a.start b.status b.start c.stop b.stop a.stop ");
  EXPECT_TRUE(model.active.empty());
  EXPECT_NE(log.find("CRIT: Giving up resources due to failure of b"), std::string::npos);
  EXPECT_NE(log.find("Return code 1 from /etc/ha.d/resource.d/b"), std::string::npos);
}

TEST_F(GroupsTest, AMissingScriptIsAFailedStart) {
  model.missing.insert("c");
  model.failing["c.stop"] = 100;
  EXPECT_FALSE(carry_out(WorkKind::acquire, Holding::local));
  EXPECT_NE(log.find("Cannot locate resource script c"), std::string::npos);
  EXPECT_TRUE(model.active.empty());
}

TEST_F(GroupsTest, AStopIsRetriedThenItCounts) {
  EXPECT_TRUE(carry_out(WorkKind::acquire, Holding::local));
  model.failing["b.stop"] = 3;
  EXPECT_TRUE(carry_out(WorkKind::release, Holding::local));
  EXPECT_EQ(model.calls, "c.stop b.stop b.stop b.stop b.stop a.stop ");
  EXPECT_TRUE(carry_out(WorkKind::acquire, Holding::local));
  model.failing["b.stop"] = 1000;
  EXPECT_FALSE(carry_out(WorkKind::release, Holding::local));
  EXPECT_NE(log.find("CRIT: Resource STOP failure. Reboot required!"), std::string::npos);
  // a is not touched: what it carries is still in use.
  EXPECT_TRUE(model.active.contains("a"));
}

TEST_F(GroupsTest, WhatIsNotRunningIsFound) {
  EXPECT_TRUE(carry_out(WorkKind::acquire, Holding::all));
  const auto failed = [this](Holding which) {
    const replicator::sim::World::As as(pair.world, pair.n1.id());
    return pair.run(groups.failed_of(which));
  };
  EXPECT_EQ(failed(Holding::all), Holding::none);
  model.active.erase("b");
  EXPECT_EQ(failed(Holding::all), Holding::local);
  EXPECT_EQ(failed(Holding::foreign), Holding::none);
}

TEST_F(GroupsTest, AStopThatFailsOfWhatIsStoppedIsForgiven) {
  model.failing["b.stop"] = 1000;
  EXPECT_TRUE(carry_out(WorkKind::release, Holding::local));
  EXPECT_NE(log.find("Machine reboot narrowly avoided!"), std::string::npos);
}

TEST_F(GroupsTest, WhatIsActiveBeforeTheStartIsStopped) {
  model.active.insert("b");
  const auto make_idle = [this] {
    model.calls.clear();
    const replicator::sim::World::As as(pair.world, pair.n1.id());
    return pair.run(groups.make_idle());
  };
  EXPECT_TRUE(make_idle());
  EXPECT_EQ(model.calls, "a.status b.status c.status c.stop b.stop a.stop d.status ");
  EXPECT_NE(log.find("CRITICAL: Resource b is active, and should not be!"), std::string::npos);
  model.active.insert("d");
  model.failing["d.stop"] = 1000;
  EXPECT_FALSE(make_idle());
}

}  // namespace
}  // namespace ha::haresources
