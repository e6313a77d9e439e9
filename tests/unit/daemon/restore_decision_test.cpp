#include "daemon/restore_decision.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

constexpr auto promote = RestoreStep::promote;
constexpr auto wait = RestoreStep::wait;
constexpr auto leave = RestoreStep::leave_to_administrator;

struct Case {
  const char* what;
  bool left, was_connected, users, connected, peer_primary, two;
  Duration waited;
  RestoreStep step;
};

TEST(RestoreDecision, Table) {
  constexpr Duration none = Duration::seconds(0);
  constexpr Duration day = Duration::seconds(86400);
  constexpr Duration enough = patience_with_peer;
  const Case cases[] = {
      {"killed, nobody waits", false, false, false, true, false, false, none, leave},
      {"killed, the peer is Secondary", false, false, true, true, false, false, none, promote},
      {"killed, the peer took over", false, false, true, true, true, false, none, leave},
      {"killed, two are allowed", false, false, true, true, true, true, none, promote},
      {"killed, no peer", false, false, true, false, false, false, none, wait},
      {"killed, never a peer", false, false, true, false, false, false, day, wait},
      {"left, the peer is back", true, true, true, true, false, false, none, promote},
      {"left, nobody waits", true, true, false, true, false, false, none, promote},
      {"left, the peer took over", true, true, true, true, true, false, none, leave},
      {"left, two are allowed", true, true, true, true, true, true, none, promote},
      {"left, the peer is not back", true, true, true, false, false, false, none, wait},
      {"left, the peer stays away", true, true, true, false, false, false, enough, promote},
      {"left, there was no peer", true, false, true, false, false, false, none, promote},
      {"left, a peer came", true, false, true, true, true, false, none, leave},
  };
  for (const Case& each : cases) {
    RestoreSituation now;
    now.left_on_purpose = each.left;
    now.was_connected = each.was_connected;
    now.users_wait = each.users;
    now.connected = each.connected;
    now.peer_primary = each.peer_primary;
    now.two_primaries = each.two;
    now.waited = each.waited;
    EXPECT_EQ(decide_restore(now), each.step) << each.what;
    now.users_waited = now.users_wait;
    EXPECT_EQ(decide_restore(now), each.step) << each.what;
    // The peer was Primary and is no more: somebody has decided meanwhile.
    now.users_waited = true;
    now.users_wait = false;
    EXPECT_EQ(decide_restore(now), leave) << each.what;
  }
}

}  // namespace
}  // namespace replicator
