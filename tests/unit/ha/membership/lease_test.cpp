// Who may go on, who may take over, whom a vote keeps; and in ha.cf the times that make it safe.
#include "ha/membership/lease.hpp"

#include <gtest/gtest.h>

#include "ha/membership/ha_cf.hpp"

namespace ha::membership {
namespace {

constexpr Duration lease = Duration::milliseconds(1000);
Instant at(std::int64_t ms) { return Instant(0) + Duration::milliseconds(ms); }

struct Other {
  std::string name;
  std::int64_t heard = 0;      // ms; 0: never
  std::int64_t confirmed = 0;  // ms; 0: never
  bool voter = false;
  bool alive = true;
  Statement statement = {};
};

LeaseView view_of(const std::vector<Other>& others, std::int64_t ping = 0, std::int64_t since = 0) {
  LeaseView view;
  view.own_name = "a";
  for (const Other& other : others) {
    Standing& standing = view.others[other.name];
    standing.voter = other.voter;
    standing.alive = other.alive;
    if (other.heard != 0) standing.heard = at(other.heard);
    if (other.confirmed != 0) standing.confirmed = at(other.confirmed);
    standing.statement = other.statement;
  }
  if (ping != 0) view.ping = at(ping);
  view.ping_since = at(since);
  return view;
}

Statement refuses(const std::string& node, bool expired = false) {
  Statement says;
  says.excluded = {node};
  if (expired) says.expired = {node};
  return says;
}
Statement accuses(const std::string& node, bool holds = false) {
  Statement says;
  says.lost = {node};
  says.holds = holds;
  return says;
}

TEST(Lease, CountsFromTheLastConfirmation) {
  const auto end = [](const std::vector<Other>& others, std::int64_t ping = 0,
                      std::int64_t since = 0) {
    return lease_end(view_of(others, ping, since), lease);
  };
  EXPECT_EQ(end({{"b", 5050, 5000}}), at(6000));
  EXPECT_EQ(end({{"b", 5050, 0}}), std::nullopt);
  EXPECT_EQ(end({}), Instant::never());
  // The other one is silent, a ping node answers.
  EXPECT_EQ(end({{"b", 5050, 5000}}, 7000), at(8000));
  // It answers since a moment ago: the other one's heartbeat may come next.
  EXPECT_EQ(end({{"b", 5050, 5000}}, 7000, 6001), at(6000));
  EXPECT_EQ(end({{"b", 5050, 5000}}, 7000, 6000), at(8000));
  // The other one is heard, and does not hear: it will take over, whatever answers pings.
  EXPECT_EQ(end({{"b", 6990, 5000}}, 7000), at(6000));
  // Of three, one other is enough; with a third the ping node has no say.
  EXPECT_EQ(end({{"b", 5050, 5000}, {"v", 7050, 7000, true}}), at(8000));
  EXPECT_EQ(end({{"b", 5050, 5000}, {"c", 4000, 4000}}, 9000), at(6000));
  // A vote that is refused is none.
  EXPECT_EQ(end({{"b", 5050, 5000}, {"v", 7050, 7000, true, true, refuses("a")}}), at(6000));
  // Of five, two others.
  EXPECT_EQ(end({{"b", 0, 5000}, {"c", 0, 4000}, {"d", 0, 3000}, {"e"}}), at(5000));
}

TEST(Lease, NothingIsTakenOverBeforeTheVoterSaysSo) {
  const auto may = [](const std::vector<Other>& others, std::int64_t now = 7500) {
    return may_take_over(view_of(others), "b", lease, at(now));
  };
  EXPECT_FALSE(may({{"b", 5050, 5000}})) << "it is heard, and a ping node may speak for it";
  EXPECT_TRUE(may({{"b", 5050, 5000, false, false}}));
  EXPECT_TRUE(may({{"b", 5050, 5000}, {"c", 5050, 5000}}));
  const Other silent{"v", 7050, 7000, true};
  EXPECT_FALSE(may({{"b", 5050, 5000}, silent}));
  const Other excludes{"v", 7050, 7000, true, true, refuses("b")};
  EXPECT_FALSE(may({{"b", 5050, 5000}, excludes}));
  const Other confirms{"v", 7050, 7000, true, true, refuses("b", true)};
  EXPECT_TRUE(may({{"b", 5050, 5000}, confirms}));
  EXPECT_FALSE(may({{"b", 5050, 5000}, confirms}, 8001)) << "what it said is old";
  Other refuses_both = confirms;
  refuses_both.statement.excluded.insert("a");
  EXPECT_FALSE(may({{"b", 5050, 5000}, refuses_both}));
}

TEST(Lease, StoppingIsDueFromTheEndNotFromItsDiscovery) {
  LeaseKeeper keeper(lease, Duration::milliseconds(3000));
  keeper.look(view_of({{"b", 5050, 5000}}), at(5100));
  EXPECT_TRUE(keeper.backed());
  EXPECT_EQ(keeper.stop_by(), Instant::never());
  keeper.look(view_of({{"b", 5050, 5000}}), at(60000));
  EXPECT_FALSE(keeper.backed());
  EXPECT_EQ(keeper.stop_by(), at(9000));
  keeper.look(view_of({{"b", 60050, 60000}}), at(60100));
  EXPECT_TRUE(keeper.backed());
  EXPECT_EQ(keeper.stop_by(), Instant::never());
  // A vote that is withdrawn ends it at once, and that is earlier than what it would have been.
  const Other voter{"v", 60050, 60000, true, true, refuses("a")};
  keeper.look(view_of({{"b", 50000, 50000}, voter}), at(60200));
  EXPECT_EQ(keeper.stop_by(), at(63200));
}

TEST(Lease, TheVoteKeepsWhoHolds) {
  const Duration deadtime = Duration::seconds(5);
  Arbiter arbiter({"b", "c"}, deadtime);
  const auto look = [&](const Other& b, const Other& c, std::int64_t now) {
    return arbiter.look(view_of({b, c}), at(now));
  };
  Statement holds;
  holds.holds = true;
  const Other good_b{"b", 1, 1};
  const Other good_c{"c", 1, 1, false, true, holds};
  // At first nobody: what it said in an earlier life is unknown.
  EXPECT_EQ(look(good_b, good_c, 1).excluded, (std::set<std::string>{"b", "c"}));
  EXPECT_TRUE(look(good_b, good_c, 5001).excluded.empty());
  // b does not hear c, which holds: b is refused, and over by deadtime.
  Other deaf_b = good_b;
  deaf_b.statement = accuses("c");
  EXPECT_EQ(look(deaf_b, good_c, 6000), refuses("b"));
  // The other way round as well by now: nothing changes.
  Other deaf_c = good_c;
  deaf_c.statement = accuses("b", true);
  EXPECT_EQ(look(deaf_b, deaf_c, 10999), refuses("b"));
  EXPECT_EQ(look(deaf_b, deaf_c, 11000), refuses("b", true));
  // While they are apart that stays, whoever holds.
  deaf_c.statement.holds = false;
  EXPECT_EQ(look(deaf_b, deaf_c, 20000), refuses("b", true));
  EXPECT_TRUE(look(good_b, good_c, 20001).excluded.empty());
  // One that is silent is over at once: its deadtime has passed.
  Other gone = good_c;
  gone.alive = false;
  EXPECT_EQ(look(deaf_b, gone, 30000), refuses("c", true));
  // It is back and still does not hear b, which has taken over.
  EXPECT_EQ(look(deaf_b, deaf_c, 31000).excluded, (std::set<std::string>{"c"}));
}

TEST(Lease, TheConfigurationIsRefusedWhenItsTimesDoNotFit) {
  const auto errors = [](const std::string& lines) {
    std::string all;
    const HaCfFile file = parse_ha_cf("node a b\nbcast eth0\ninitdead 30\n" + lines, "ha.cf", "a");
    for (const Diagnostic& each : file.diagnostics)
      if (each.severity == Severity::error) all += text(each) + "\n";
    return all;
  };
  const std::string times = "keepalive 200ms\nwarntime 1\ndeadtime 5\n";
  const std::string ping = "ping 10.0.0.1\n";
  EXPECT_EQ(errors(times + ping + "lease 1s 3s\n"), "");
  EXPECT_EQ(errors(times + ping + "lease 1s\n"), "");
  EXPECT_EQ(errors(times + ping + "lease 1s 4s\n"),
            "ha.cf:8: lease [1000 ms] and stop [4000 ms], with 1 % for clocks and keepalive [200 "
            "ms], are [5250 ms]: longer than deadtime [5000 ms], the other node would take over "
            "before this one has stopped\n");
  EXPECT_EQ(errors(times + ping + "lease 900ms 3s\n"),
            "ha.cf:8: lease [900 ms] is too small compared to keepalive [200 ms]: 5 heartbeats at "
            "least\n");
  EXPECT_NE(errors(times + ping + "lease 4.5\n").find("too little, make deadtime longer"),
            std::string::npos);
  EXPECT_NE(errors(times + "lease 1s 3s\n").find("needs a witness with two nodes"),
            std::string::npos);
  EXPECT_EQ(errors(times + "node c\nlease 1s 3s\n"), "");
  EXPECT_NE(
      errors(times + ping + "lease soon\n").find("Illegal value [soon] for directive [lease]"),
      std::string::npos);
  EXPECT_EQ(errors(times + ping + "lease 1s 3s\nwatchdog /dev/watchdog\n"), "");
  EXPECT_NE(errors(times + ping + "lease 1s 3s\nwatchdog /dev/w\nwatchdog_timeout 4\n")
                .find("watchdog_timeout [4000 ms] is longer than the stop time [3000 ms] of lease"),
            std::string::npos);
  EXPECT_NE(errors(times + ping + "lease 1s 800ms\nwatchdog /dev/w\n").find("whole seconds"),
            std::string::npos);
  // Without a lease it covers a program that hangs.
  EXPECT_EQ(errors(times + "watchdog /dev/watchdog\n"), "");
  EXPECT_EQ(parse_ha_cf("watchdog /dev/w\nkeepalive 200ms\ndeadtime 5\n", "", "a")
                .config.watchdog_timeout,
            Duration::seconds(4));
  EXPECT_NE(
      errors(times + "watchdog /dev/w\nwatchdog_timeout 5\n")
          .find("watchdog_timeout [5000 ms], with 1 % for clocks and two keepalives [200 ms], "
                "is longer than deadtime [5000 ms]"),
      std::string::npos);
}

}  // namespace
}  // namespace ha::membership
