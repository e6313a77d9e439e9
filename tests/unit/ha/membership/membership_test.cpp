// Two or three memberships over links made of vectors: who is there, what arrives, what is refused.
#include "ha/membership/membership.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "ha/membership/codec.hpp"

namespace ha::membership {
namespace {

constexpr Duration step = Duration::milliseconds(10);

AuthKeys keys() { return AuthKeys({AuthKey{1, AuthMethod::sha1, "secret"}}, 1); }

MembershipConfig config_of(const std::string& name, const std::vector<std::string>& nodes) {
  MembershipConfig config;
  config.own_name = name;
  config.own_uuid = std::string(16, name.back());
  config.nodes = nodes;
  config.links = {"eth0", "eth1"};
  config.ping_nodes = {"10.0.0.254"};
  config.keepalive = Duration::milliseconds(100);
  config.warntime = Duration::milliseconds(250);
  config.deadtime = Duration::milliseconds(500);
  config.initdead = Duration::seconds(2);
  config.deadping = Duration::milliseconds(500);
  config.generation = 5;
  return config;
}

struct Member {
  std::unique_ptr<Membership> core;
  bool on = true;
  bool deaf[2] = {false, false};  // per link: hears nothing
  std::vector<Event> events;
  std::vector<Message> messages;
  std::string log;

  // Of nodes, not of what is only pinged.
  [[nodiscard]] std::size_t count(EventKind kind) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(),
        [&](const Event& event) { return event.kind == kind && event.node != "10.0.0.254"; }));
  }
};

class Cluster {
 public:
  explicit Cluster(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      auto member = std::make_unique<Member>();
      member->core = std::make_unique<Membership>(config_of(name, names), keys(),
                                                  [] { return Stamp{1, "0 0 0"}; });
      members_.push_back(std::move(member));
    }
    for (const auto& member : members_)
      member->core->start(now);
    settle();
  }
  Member& operator[](std::size_t index) { return *members_[index]; }

  void run(Duration duration) {
    for (const Instant end = now + duration; now < end;) {
      now = now + step;
      for (const auto& member : members_) {
        if (member->on && now >= member->core->next_tick()) member->core->tick(now);
      }
      settle();
    }
  }
  void settle() {
    for (bool more = true; more;) {
      more = false;
      for (const auto& from : members_) {
        Effects effects = from->core->take_effects();
        for (const LogLine& line : effects.log)
          from->log += line.text + "\n";
        for (Event& event : effects.events)
          from->events.push_back(std::move(event));
        for (Message& message : effects.messages)
          from->messages.push_back(std::move(message));
        more |= !effects.packets.empty();
        if (!from->on) continue;
        for (const std::string& packet : effects.packets)
          carry(*from, packet);
      }
    }
  }
  void carry(Member& from, const std::string& packet) {
    last_packet = packet;
    for (const auto& to : members_) {
      if (to.get() == &from || !to->on) continue;
      for (std::size_t link = 0; link < 2; ++link) {
        if (!to->deaf[link] && (lose_every == 0 || ++carried_ % lose_every != 0)) {
          to->core->receive(link, packet, now);
        }
      }
    }
  }

  Instant now = Instant() + Duration::seconds(100);
  std::string last_packet;
  std::uint64_t lose_every = 0;

 private:
  std::vector<std::unique_ptr<Member>> members_;
  std::uint64_t carried_ = 0;
};

TEST(Membership, NodesFindEachOtherAndAreActive) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(300));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(cluster[i].core->communication_up());
    EXPECT_EQ(cluster[i].count(EventKind::communication_up), 1U);
    EXPECT_EQ(*cluster[i].core->status("alfa"), NodeStatus::active);
    EXPECT_EQ(*cluster[i].core->status("bravo"), NodeStatus::active);
    EXPECT_EQ(cluster[i].core->present().size(), 2U);
  }
  EXPECT_TRUE(*cluster[0].core->link_up("bravo", "eth1"));
  EXPECT_NE(cluster[0].log.find("Link bravo:eth1 up."), std::string::npos);
  EXPECT_NE(cluster[0].log.find("Status update for node bravo: status active"), std::string::npos);
  EXPECT_FALSE(cluster[0].core->status("charlie"));
}

TEST(Membership, DeathIsSeenAtDeadtime) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(955));
  const Instant killed = cluster.now;
  cluster[1].on = false;
  while (cluster[0].count(EventKind::node_died) == 0)
    cluster.run(step);
  const Duration took = cluster.now - killed;
  EXPECT_GE(took, Duration::milliseconds(400));
  EXPECT_LE(took, Duration::milliseconds(600));
  EXPECT_EQ(*cluster[0].core->status("bravo"), NodeStatus::dead);
  EXPECT_NE(cluster[0].log.find("node bravo: is dead"), std::string::npos);
}

TEST(Membership, WhoNeverCameIsDeadAfterInitdead) {
  Membership node(config_of("alfa", {"alfa", "bravo"}), keys(), [] { return Stamp(); });
  const Instant now;
  node.start(now);
  node.tick(now + Duration::milliseconds(50));
  for (int ms = 100; ms < 2000; ms += 100)
    node.tick(now + Duration::milliseconds(ms));
  EXPECT_FALSE(node.communication_up());
  node.tick(now + Duration::milliseconds(2000));
  EXPECT_TRUE(node.communication_up());
  const Effects effects = node.take_effects();
  EXPECT_FALSE(effects.packets.empty());
}

TEST(Membership, OneLinkLostIsAWarningOnly) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(300));
  cluster[0].deaf[1] = true;
  cluster.run(Duration::seconds(3));
  EXPECT_EQ(cluster[0].count(EventKind::node_died), 0U);
  EXPECT_FALSE(*cluster[0].core->link_up("bravo", "eth1"));
  EXPECT_TRUE(*cluster[0].core->link_up("bravo", "eth0"));
  cluster[0].deaf[1] = false;
  cluster.run(Duration::milliseconds(200));
  EXPECT_TRUE(*cluster[0].core->link_up("bravo", "eth1"));
}

TEST(Membership, MessagesArriveOnceInOrderOverALossyNetwork) {
  for (const std::uint64_t lose_every : {0U, 2U, 3U, 5U, 7U}) {
    Cluster cluster({"alfa", "bravo", "charlie"});
    cluster.run(Duration::milliseconds(500));
    cluster.lose_every = lose_every;
    for (int number = 0; number < 40; ++number) {
      Message message("resource");
      message.set("number", std::to_string(number));
      ASSERT_TRUE(cluster[0].core->send(std::move(message), cluster.now));
      cluster.settle();
      cluster.run(Duration::milliseconds(20));
    }
    cluster.lose_every = 0;
    cluster.run(Duration::seconds(2));
    for (std::size_t node = 1; node < 3; ++node) {
      ASSERT_EQ(cluster[node].messages.size(), 40U) << lose_every;
      for (int number = 0; number < 40; ++number)
        EXPECT_EQ(cluster[node].messages[static_cast<std::size_t>(number)].text("number"),
                  std::to_string(number));
    }
  }
}

TEST(Membership, ForgedAndReplayedPacketsAreRefused) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(300));
  Membership& alfa = *cluster[0].core;
  const AuthKeys wrong({AuthKey{1, AuthMethod::sha1, "guess"}}, 1);
  Message forged("status");
  forged.set("src", "bravo").set("seq", "fff").set("hg", "ff").set("st", "dead");
  for (int i = 0; i < 5; ++i)
    alfa.receive(0, seal(forged, wrong), cluster.now);
  alfa.receive(0, "garbage", cluster.now);
  Message older("status");
  older.set("src", "bravo").set("seq", "fff").set("hg", "4").set("st", "dead");
  alfa.receive(0, seal(older, keys()), cluster.now);
  Message stranger("status");
  stranger.set("src", "eve").set("seq", "1").set("hg", "4").set("st", "up");
  alfa.receive(0, seal(stranger, keys()), cluster.now);
  Message bare("status");
  bare.set("src", "bravo");
  alfa.receive(0, seal(bare, keys()), cluster.now);
  cluster.settle();
  EXPECT_EQ(*alfa.status("bravo"), NodeStatus::active);
  const std::string& log = cluster[0].log;
  const std::size_t first = log.find("failed authentication");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("failed authentication", first + 1), std::string::npos);
  EXPECT_NE(log.find("attempted replay attack [bravo]? [gen = 4, curgen = 5]"), std::string::npos);
  EXPECT_NE(log.find("bad node [eve] in message"), std::string::npos);
  EXPECT_NE(log.find("without type, generation or number"), std::string::npos);
}

TEST(Membership, ReplayedPacketsDoNotKeepADeadNodeAlive) {
  Cluster cluster({"alfa", "bravo"});
  std::vector<std::string> recorded;
  for (int i = 0; i < 30; ++i) {
    cluster.run(Duration::milliseconds(100));
    recorded.push_back(cluster.last_packet);
  }
  cluster[1].on = false;
  for (int i = 0; i < 30 && cluster[0].count(EventKind::node_died) == 0; ++i) {
    cluster.run(Duration::milliseconds(50));
    for (const std::string& packet : recorded) {
      for (std::size_t link = 0; link < 2; ++link)
        cluster[0].core->receive(link, packet, cluster.now);
    }
    cluster.settle();
  }
  EXPECT_EQ(cluster[0].count(EventKind::node_died), 1U);
  EXPECT_EQ(cluster[0].count(EventKind::returned), 0U);
}

TEST(Membership, HealedPartitionAndRestartAreToldApart) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(300));
  for (std::size_t node = 0; node < 2; ++node)
    cluster[node].deaf[0] = cluster[node].deaf[1] = true;
  cluster.run(Duration::seconds(1));
  for (std::size_t node = 0; node < 2; ++node) {
    EXPECT_EQ(cluster[node].count(EventKind::node_died), 1U);
    cluster[node].deaf[0] = cluster[node].deaf[1] = false;
  }
  cluster.run(Duration::milliseconds(300));
  for (std::size_t node = 0; node < 2; ++node)
    EXPECT_EQ(cluster[node].count(EventKind::returned), 1U);
  EXPECT_NE(cluster[0].log.find("Cluster node bravo returning after partition."),
            std::string::npos);
  cluster[1].core->begin_generation(6, cluster.now);
  cluster.settle();
  cluster.run(Duration::milliseconds(300));
  EXPECT_EQ(cluster[0].count(EventKind::node_restarted), 1U);
  EXPECT_EQ(cluster[0].count(EventKind::returned), 1U);
}

TEST(Membership, GoodbyeIsNotASurprise) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(300));
  cluster[1].core->leave(cluster.now);
  cluster.settle();
  ASSERT_EQ(cluster[0].messages.size(), 1U);
  EXPECT_EQ(cluster[0].messages[0].type(), "shutdone");
  EXPECT_EQ(cluster[0].core->present(), std::vector<std::string>{"alfa"});
  cluster[1].on = false;
  cluster.run(Duration::seconds(1));
  ASSERT_EQ(cluster[0].count(EventKind::node_died), 1U);
  const auto died = std::find_if(cluster[0].events.begin(), cluster[0].events.end(),
                                 [](const Event& e) { return e.kind == EventKind::node_died; });
  EXPECT_TRUE(died->left);
}

TEST(Membership, APausedNodeDoubtsItselfFirst) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(300));
  Membership& alfa = *cluster[0].core;
  cluster.now = cluster.now + Duration::seconds(5);
  alfa.tick(cluster.now);
  cluster.settle();
  EXPECT_EQ(cluster[0].count(EventKind::node_died), 0U);
  EXPECT_EQ(cluster[0].count(EventKind::was_paused), 1U);
}

TEST(Membership, KeysChangeWithoutALostMessage) {
  Cluster cluster({"alfa", "bravo"});
  cluster.run(Duration::milliseconds(300));
  const AuthKey old_key{1, AuthMethod::sha1, "secret"};
  const AuthKey new_key{2, AuthMethod::sha256, "new"};
  for (const AuthKeys& next :
       {AuthKeys({old_key, new_key}, 1), AuthKeys({old_key, new_key}, 2), AuthKeys({new_key}, 2)}) {
    for (std::size_t node = 0; node < 2; ++node) {
      cluster[node].core->set_keys(next);
      cluster.run(Duration::seconds(1));
    }
  }
  for (std::size_t node = 0; node < 2; ++node) {
    EXPECT_EQ(cluster[node].count(EventKind::node_died), 0U);
    EXPECT_EQ(cluster[node].log.find("authentication"), std::string::npos);
  }
}

TEST(Membership, PingNodesAnswerOrAreDead) {
  Cluster cluster({"alfa", "bravo"});
  EXPECT_EQ(cluster[0].core->ping_nodes_alive(), 0U);
  cluster[0].core->ping_answered(0, cluster.now);
  EXPECT_EQ(*cluster[0].core->status("10.0.0.254"), NodeStatus::ping);
  EXPECT_EQ(cluster[0].core->ping_nodes_alive(), 1U);
  cluster.run(Duration::seconds(1));
  EXPECT_EQ(*cluster[0].core->status("10.0.0.254"), NodeStatus::dead);
  EXPECT_TRUE(cluster[0].core->communication_up());
}

TEST(Membership, TooLargeIsRefused) {
  Cluster cluster({"alfa", "bravo"});
  Message message("resource");
  message.set("info", std::string(70000, 'x'));
  EXPECT_FALSE(cluster[0].core->send(message, cluster.now));
}

}  // namespace
}  // namespace ha::membership
