#include "ha/membership/ha_cf.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ha::membership {
namespace {

HaCfFile parse(std::string_view file) { return parse_ha_cf(file, "/etc/ha.d/ha.cf", "Node1"); }

// The first error, or the empty text.
std::string first_error(std::string_view file) {
  for (const Diagnostic& diagnostic : parse(file).diagnostics) {
    if (diagnostic.severity == Severity::error) return text(diagnostic);
  }
  return std::string();
}

constexpr const char* tutorial =
    "debugfile /var/log/ha-debug\n"
    "logfacility local0\n"
    "keepalive 500ms   # how long between heartbeats\n"
    "deadtime 3\nwarntime 1.5\ninitdead 20\n"
    "udpport 695\n"
    "bcast eth0, eth1\n"
    "udpport 696\r\n"
    "ucast eth2 10.0.0.2\n"
    "mcast eth3 225.0.0.1 700 1 0\n"
    "auto_failback off\n"
    "node Node1\xc2\xa0node2\nnode node2\n"
    "ping 10.0.0.254\nping_group routers 10.0.0.1,10.0.0.3\n"
    "respawn hacluster /usr/lib/heartbeat/ipfail\n"
    "respawn root /usr/bin/thing with words\n";

TEST(HaCf, TutorialIsUnderstood) {
  const HaCfFile file = parse(tutorial);
  EXPECT_FALSE(any_error(file.diagnostics));
  const HaCf& config = file.config;
  EXPECT_EQ(config.nodes, (std::vector<std::string>{"node1", "node2"}));
  EXPECT_EQ(config.keepalive, Duration::milliseconds(500));
  EXPECT_EQ(config.deadtime, Duration::seconds(3));
  EXPECT_EQ(config.warntime, Duration::milliseconds(1500));
  EXPECT_EQ(config.initdead, Duration::seconds(20));
  EXPECT_EQ(config.deadping, Duration::seconds(3));
  EXPECT_EQ(config.auto_failback, AutoFailback::off);
  ASSERT_EQ(config.media.size(), 4U);
  EXPECT_EQ(config.media[0].interface, "eth0");
  EXPECT_EQ(config.media[1].interface, "eth1");
  EXPECT_EQ(config.media[1].port, 695);
  EXPECT_EQ(config.media[2].kind, MediumKind::unicast);
  EXPECT_EQ(replicator::io::text(config.media[2].destination), "10.0.0.2:696");
  EXPECT_EQ(replicator::io::text(config.media[3].destination), "225.0.0.1:700");
  ASSERT_EQ(config.ping_nodes.size(), 2U);
  EXPECT_EQ(config.ping_nodes[1].addresses.size(), 2U);
  EXPECT_TRUE(config.ipfail);
  ASSERT_EQ(config.respawn.size(), 1U);
  EXPECT_EQ(config.respawn[0].command, "/usr/bin/thing with words");
  EXPECT_EQ(config.as_written.at("keepalive"), "500ms");
}

TEST(HaCf, UnsetTimesFollowDeadtime) {
  const std::string head = "node node1 node2\nbcast eth0\nauto_failback on\n";
  EXPECT_EQ(parse(head).config.initdead, Duration::seconds(30));
  EXPECT_EQ(parse(head).config.warntime, Duration::seconds(15));
  EXPECT_EQ(parse(head + "deadtime 5\n").config.initdead, Duration::seconds(12));
  EXPECT_EQ(parse(head + "deadtime 8\n").config.initdead, Duration::seconds(16));
}

TEST(HaCf, WhatIsWrongIsSaidInHeartbeatsWordsWithItsPlace) {
  const std::string good = "node node1 node2\nbcast eth0\nauto_failback on\n";
  const struct {
    std::string file;
    const char* error;
  } cases[] = {
      {good, ""},
      {good + "logfile>/var/log/ha.log\n",
       "/etc/ha.d/ha.cf:4: Illegal directive [logfile>/var/log/ha.log] in /etc/ha.d/ha.cf"},
      {"node node1\n", "No heartbeat media defined"},
      {"bcast eth0\n", "no nodes defined"},
      {"node node2\nbcast eth0\n", "Current node [node1] not in configuration!"},
      {good + "keepalive 500ms\ndeadtime 0.8\ninitdead 12\n",
       "Dead time [800] is too small compared to keeplive [500]"},
      {good + "deadtime 3\ninitdead 2\n",
       "Initial dead time [2000] is smaller than deadtime [3000]"},
      {good + "deadtime 3\ndeadping 1\n",
       "Ping dead time [1000] is too small compared to keeplive [1000]"},
      {good + "crm yes\ncrm respawn\n",
       "/etc/ha.d/ha.cf:5: pacemaker/crm directive used multiple times!"},
      {good + "mcast eth0 225.0.0.1 694 5 0\n", "/etc/ha.d/ha.cf:4: mcast [eth0] bad ttl [5]"},
      {good + "mcast eth0 10.0.0.1 694 1 0\n",
       "/etc/ha.d/ha.cf:4: mcast [eth0] bad mcast group [10.0.0.1]"},
      {good + "deadtime soon\n",
       "/etc/ha.d/ha.cf:4: Illegal value [soon] for directive [deadtime] in /etc/ha.d/ha.cf"},
      {good + "udpport 65536\n",
       "/etc/ha.d/ha.cf:4: Illegal value [65536] for directive [udpport] in /etc/ha.d/ha.cf"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(first_error(one.file), one.error) << one.file;
}

TEST(HaCf, TimesHaveUnits) {
  const struct {
    const char* text;
    std::int64_t microseconds;  // below 0: refused
  } cases[] = {{"2", 2'000'000},  {"0.5", 500'000},    {"100ms", 100'000}, {"1500msec", 1'500'000},
               {"250us", 250},    {"10s", 10'000'000}, {"", -1},           {"-1", -1},
               {"5 minutes", -1}, {"nan", -1},         {"1e9", -1},        {"86401", -1},
               {"0", 0}};
  for (const auto& one : cases) {
    Duration time;
    const bool good = parse_time(one.text, time);
    EXPECT_EQ(good, one.microseconds >= 0) << one.text;
    if (!good) continue;
    EXPECT_EQ(time, Duration::microseconds(one.microseconds)) << one.text;
  }
}

TEST(HaCf, ABoundedNumberOfEverything) {
  std::string file = "node node1\n";
  for (int i = 0; i < 200; ++i)
    file += "node n" + std::to_string(i) + "\nbcast e" + std::to_string(i) + "\n";
  const HaCfFile parsed = parse(file);
  EXPECT_TRUE(any_error(parsed.diagnostics));
  EXPECT_EQ(parsed.config.nodes.size(), 100U);
  EXPECT_EQ(parsed.config.media.size(), 64U);
}

}  // namespace
}  // namespace ha::membership
