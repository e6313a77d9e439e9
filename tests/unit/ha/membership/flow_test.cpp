// The membership, unchanged, in the simulator: two nodes on two segments in virtual time, with
// loss, repetition, cuts, pauses and power cuts.
#include "ha/membership/flow.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/sim/datagrams.hpp"
#include "tests/sim/two_nodes.hpp"

namespace ha::membership {
namespace {

namespace sim = replicator::sim;
namespace io = replicator::io;

AuthKeys keys() { return AuthKeys({AuthKey{1, AuthMethod::sha256, "secret"}}, 1); }

MembershipConfig config_of(const std::string& name, std::uint64_t generation) {
  MembershipConfig config;
  config.own_name = name;
  config.own_uuid = std::string(16, name.back());
  config.nodes = {"n1", "n2"};
  config.links = {"eth0", "eth1"};
  config.keepalive = Duration::milliseconds(100);
  config.warntime = Duration::milliseconds(250);
  config.deadtime = Duration::milliseconds(500);
  config.initdead = Duration::seconds(2);
  config.deadping = Duration::milliseconds(500);
  config.generation = generation;
  return config;
}

class Program final : public sim::Node::Program {
 public:
  Program(sim::Node& node, sim::SimDatagrams& datagrams, std::uint64_t generation)
      : network(datagrams.interface_of(node.id())),
        membership(config_of(node.name(), generation), keys(), [] { return Stamp(); }),
        flow(node.io().clock, *network, membership, [this](Effects effects) { observe(effects); }) {
    const std::vector<LinkPlan> links{{0, {.interface = "eth0", .to = {}}},
                                      {1, {.interface = "eth1", .to = {}}}};
    EXPECT_TRUE(flow.open(links, {}).ok());
    flow.start();
  }
  void observe(Effects& effects) {
    for (Event& event : effects.events)
      events.push_back(std::move(event));
    for (const Message& message : effects.messages)
      numbers.push_back(message.text("number").empty() ? "?" : std::string(message.text("number")));
  }
  [[nodiscard]] std::size_t count(EventKind kind) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [&](const Event& event) { return event.kind == kind; }));
  }
  std::unique_ptr<io::DatagramNetwork> network;
  Membership membership;
  std::vector<Event> events;
  std::vector<std::string> numbers;
  Flow flow;
};

class HeartbeatFlow : public testing::Test {
 protected:
  void begin(std::uint64_t seed) {
    pair = std::make_unique<sim::TwoNodes>(seed);
    datagrams = std::make_unique<sim::SimDatagrams>(pair->world);
    boot(pair->n1, 10);
    boot(pair->n2, 20);
  }
  void boot(sim::Node& node, std::uint64_t generation) {
    node.boot([&](sim::Node& n) { return std::make_unique<Program>(n, *datagrams, generation); });
  }
  Program& p1() { return *static_cast<Program*>(pair->n1.program()); }
  Program& p2() { return *static_cast<Program*>(pair->n2.program()); }
  void say(int number) {
    const sim::World::As as(pair->world, pair->n1.id());
    Message message("resource");
    message.set("number", std::to_string(number));
    EXPECT_TRUE(p1().membership.send(std::move(message), pair->n1.io().clock.now()));
    p1().flow.flush();
  }
  void end() {
    pair->n1.kill();
    pair->n2.kill();
    EXPECT_FALSE(pair->world.failed()) << pair->world.failure().text;
  }

  std::unique_ptr<sim::TwoNodes> pair;
  std::unique_ptr<sim::SimDatagrams> datagrams;
};

TEST_F(HeartbeatFlow, DetectionIsAtDeadtimePlusMinusOneHeartbeat) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    begin(seed);
    pair->world.run_for(Duration::milliseconds(1000 + static_cast<std::int64_t>(seed)));
    EXPECT_EQ(p1().count(EventKind::communication_up), 1U);
    const Instant killed = pair->world.now();
    pair->n2.power_cut();
    pair->world.run_until([&] { return p1().count(EventKind::node_died) != 0; },
                          Duration::seconds(2));
    const Duration took = pair->world.now() - killed;
    EXPECT_GE(took, Duration::milliseconds(399)) << seed;
    EXPECT_LE(took, Duration::milliseconds(601)) << seed;
    end();
  }
}

TEST_F(HeartbeatFlow, LossIsNoDeathAndMessagesComeOnceInOrder) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    begin(seed);
    datagrams->faults().loss_percent = 15;
    datagrams->faults().repeat_percent = 20;
    datagrams->faults().slowest = Duration::milliseconds(30);
    pair->world.run_for(Duration::seconds(1));
    for (int number = 0; number < 30; ++number) {
      say(number);
      pair->world.run_for(Duration::milliseconds(15));
    }
    pair->world.run_for(Duration::seconds(3));
    ASSERT_EQ(p2().numbers.size(), 30U) << seed;
    for (int number = 0; number < 30; ++number)
      EXPECT_EQ(p2().numbers[static_cast<std::size_t>(number)], std::to_string(number));
    EXPECT_EQ(p1().count(EventKind::node_died) + p2().count(EventKind::node_died), 0U) << seed;
    end();
  }
}

TEST_F(HeartbeatFlow, OneLinkOfTwoChangesNothing) {
  begin(7);
  pair->world.run_for(Duration::seconds(1));
  datagrams->cut_both("eth1", pair->n1.id(), pair->n2.id());
  pair->world.run_for(Duration::seconds(5));
  for (Program* program : {&p1(), &p2()}) {
    EXPECT_EQ(program->count(EventKind::link_dead), 1U);
    EXPECT_EQ(program->count(EventKind::node_died), 0U);
  }
  end();
}

TEST_F(HeartbeatFlow, AHealedPartitionIsSeenByBoth) {
  begin(8);
  pair->world.run_for(Duration::seconds(1));
  datagrams->cut_both("eth0", pair->n1.id(), pair->n2.id());
  datagrams->cut_both("eth1", pair->n1.id(), pair->n2.id());
  pair->world.run_for(Duration::seconds(2));
  datagrams->heal();
  pair->world.run_for(Duration::seconds(1));
  for (Program* program : {&p1(), &p2()}) {
    EXPECT_EQ(program->count(EventKind::node_died), 1U);
    EXPECT_EQ(program->count(EventKind::returned), 1U);
  }
  end();
}

TEST_F(HeartbeatFlow, APausedNodeLearnsOfItAndItsPeerSawItDie) {
  begin(9);
  pair->world.run_for(Duration::seconds(1));
  pair->world.pause(pair->n1.id(), pair->world.now() + Duration::seconds(3));
  pair->world.run_for(Duration::seconds(5));
  EXPECT_EQ(p1().count(EventKind::was_paused), 1U);
  EXPECT_EQ(p1().count(EventKind::node_died), 0U);
  EXPECT_EQ(p2().count(EventKind::node_died), 1U);
  EXPECT_EQ(p2().count(EventKind::returned), 1U);
  end();
}

TEST_F(HeartbeatFlow, ARebootIsARestartNotAPartition) {
  begin(10);
  pair->world.run_for(Duration::seconds(1));
  pair->n2.power_cut();
  pair->world.run_for(Duration::seconds(2));
  boot(pair->n2, 21);
  pair->world.run_for(Duration::seconds(1));
  EXPECT_EQ(p1().count(EventKind::node_restarted), 1U);
  EXPECT_EQ(p1().count(EventKind::returned), 0U);
  EXPECT_EQ(p1().membership.present().size(), 2U);
  end();
}

TEST_F(HeartbeatFlow, StopEndsEveryTask) {
  begin(11);
  pair->world.run_for(Duration::seconds(1));
  {
    const sim::World::As as(pair->world, pair->n1.id());
    pair->run(p1().flow.stop());
  }
  end();
}

TEST(Echo, RequestAndReply) {
  std::vector<std::byte> icmp = echo_request(0x1234, 7);
  EXPECT_EQ(icmp.size(), 16U);
  std::vector<std::byte> packet(20);
  packet[0] = std::byte{0x45};
  icmp[0] = std::byte{0};
  packet.insert(packet.end(), icmp.begin(), icmp.end());
  EXPECT_TRUE(echo_reply(packet, 0x1234));
  EXPECT_FALSE(echo_reply(packet, 0x1235));
  packet[20] = std::byte{8};
  EXPECT_FALSE(echo_reply(packet, 0x1234));
  for (std::size_t size = 0; size < 28; ++size)
    EXPECT_FALSE(echo_reply(ConstBytes(packet).first(size), 0x1234));
}

}  // namespace
}  // namespace ha::membership
