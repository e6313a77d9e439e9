// The rules of state changes, one row per rule, with DRBD's numbers and texts.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine/decide/state_notation.hpp"

namespace replicator {
namespace {

using C = ConnectionState;
using D = DiskState;
constexpr Role P = Role::primary;
constexpr Role S = Role::secondary;
constexpr Role U = Role::unknown;

int number(StateCode code) { return static_cast<int>(code); }

TEST(state_codes, numbers_and_texts_are_drbds) {
  const std::vector<std::pair<int, const char*>> texts = {
      {0, "unknown error"},
      {-1, "Multiple primaries not allowed by config"},
      {-2, "Need access to UpToDate data"},
      {-4, "Can not resync without local disk"},
      {-5, "Can not resync without remote disk"},
      {-6, "Refusing to be Outdated while Connected"},
      {-7, "Refusing to be Primary while peer is not outdated"},
      {-8, "Can not start OV/resync since it is already active"},
      {-9, "Can not disconnect a StandAlone device"},
      {-10, "State change was refused by peer node"},
      {-11, "Device is diskless, the requested operation requires a disk"},
      {-12, "Device is held open by someone"},
      {-13, "Have no net/connection configuration"},
      {-14, "Need a verify algorithm to start online verify"},
      {-15, "Need a connection to start verify or resync"},
      {-16, "Disk state is lower than outdated"},
      {-17, "Peer does not support protocol"},
      {-18, "In transient state, retry after next state change"},
      {-19, "Concurrent state changes detected and aborted"},
      {-20, "Other vol primary on peer not allowed by config"},
      {-21, "Need a connection for a graceful disconnect/outdate peer"},
      {-99, "unknown error"},
  };
  for (const auto& [code, expected] : texts)
    EXPECT_EQ(text(static_cast<StateCode>(code)), expected) << code;
}

StateContext connected_context() {
  StateContext context;
  context.has_net_config = true;
  context.verify_alg_set = true;
  context.agreed_version = 101;
  return context;
}

struct ValidityRow {
  const char* what;
  int rule;  // its place in the table; 0: allowed
  VolumeState state;
  int code;
  void (*adjust)(StateContext&) = [](StateContext&) {};
};

const std::vector<ValidityRow>& validity_rows() {
  static const std::vector<ValidityRow> rows = {
      {"two Primaries", 1, volume_state(P, P, C::connected, D::up_to_date, D::up_to_date), -1},
      {"allowed", 0, volume_state(P, P, C::connected, D::up_to_date, D::up_to_date), 1,
       [](StateContext& c) { c.two_primaries = true; }},
      {"without net configuration", 0,
       volume_state(P, P, C::stand_alone, D::up_to_date, D::outdated), 1,
       [](StateContext& c) { c.has_net_config = false; }},
      {"the peer is Primary of another volume", 2,
       volume_state(P, S, C::connected, D::up_to_date, D::up_to_date), -20,
       [](StateContext& c) { c.other_volume_peer_primary = true; }},
      {"as Secondary that is fine", 0,
       volume_state(S, S, C::connected, D::up_to_date, D::up_to_date), 1,
       [](StateContext& c) { c.other_volume_peer_primary = true; }},
      {"demotion of an open device", 3,
       volume_state(S, S, C::connected, D::up_to_date, D::up_to_date), -12,
       [](StateContext& c) { c.device_open = true; }},
      {"a Primary may be open", 0, volume_state(P, S, C::connected, D::up_to_date, D::up_to_date),
       1, [](StateContext& c) { c.device_open = true; }},
      {"alone on an Outdated disk", 4,
       volume_state(P, U, C::wf_connection, D::outdated, D::d_unknown), -2},
      {"alone on a Consistent disk", 4,
       volume_state(P, U, C::stand_alone, D::consistent, D::outdated), -2},
      {"alone on a good disk", 0, volume_state(P, U, C::stand_alone, D::up_to_date, D::d_unknown),
       1},
      {"with fencing the peer must be known", 5,
       volume_state(P, U, C::wf_connection, D::up_to_date, D::d_unknown), -7,
       [](StateContext& c) { c.fencing = Fencing::resource_only; }},
      {"the same with stonith", 5,
       volume_state(P, U, C::wf_connection, D::up_to_date, D::d_unknown), -7,
       [](StateContext& c) { c.fencing = Fencing::resource_and_stonith; }},
      {"an Outdated peer is known", 0,
       volume_state(P, U, C::wf_connection, D::up_to_date, D::outdated), 1,
       [](StateContext& c) { c.fencing = Fencing::resource_only; }},
      {"no data anywhere", 6, volume_state(P, S, C::connected, D::inconsistent, D::inconsistent),
       -2},
      {"diskless on a diskless peer", 6, volume_state(P, S, C::connected, D::diskless, D::diskless),
       -2},
      {"diskless on a good peer", 0, volume_state(P, S, C::connected, D::diskless, D::up_to_date),
       1},
      {"resync without own disk", 7, volume_state(S, S, C::sync_target, D::diskless, D::up_to_date),
       -4},
      {"resync without peer's disk", 8,
       volume_state(S, S, C::sync_source, D::up_to_date, D::negotiating), -5},
      {"resync of two bad disks", 9,
       volume_state(S, S, C::wf_bitmap_t, D::inconsistent, D::outdated), -2},
      {"resync with one good disk", 0,
       volume_state(P, S, C::sync_target, D::inconsistent, D::up_to_date), 1},
      {"Outdated while Connected", 10, volume_state(S, S, C::connected, D::outdated, D::up_to_date),
       -6},
      {"Outdated source to be", 10, volume_state(S, S, C::wf_bitmap_s, D::outdated, D::up_to_date),
       -6},
      {"Outdated source", 10, volume_state(S, S, C::sync_source, D::outdated, D::up_to_date), -6},
      {"Outdated paused source", 10,
       volume_state(S, S, C::paused_sync_s, D::outdated, D::up_to_date), -6},
      {"an Outdated target is fine", 0,
       volume_state(S, S, C::wf_bitmap_t, D::outdated, D::up_to_date), 1},
      {"verify without algorithm", 11,
       volume_state(S, S, C::verify_s, D::up_to_date, D::up_to_date), -14,
       [](StateContext& c) { c.verify_alg_set = false; }},
      {"verify as the peer of such a one", 11,
       volume_state(S, S, C::verify_t, D::up_to_date, D::up_to_date), -14,
       [](StateContext& c) { c.verify_alg_set = false; }},
      {"verify with an old peer", 12, volume_state(S, S, C::verify_s, D::up_to_date, D::up_to_date),
       -17, [](StateContext& c) { c.agreed_version = 87; }},
      {"verify with protocol 88", 0, volume_state(S, S, C::verify_s, D::up_to_date, D::up_to_date),
       1, [](StateContext& c) { c.agreed_version = 88; }},
      {"two Consistent disks are no data", 13,
       volume_state(P, S, C::connected, D::consistent, D::consistent), -2},
      {"starting source without peer's disk", 14,
       volume_state(S, S, C::starting_sync_s, D::up_to_date, D::d_unknown), -15},
      {"starting target without peer's disk", 14,
       volume_state(S, S, C::starting_sync_t, D::up_to_date, D::d_unknown), -15},
      {"Connected to an unknown disk", 15,
       volume_state(S, S, C::connected, D::up_to_date, D::d_unknown), -6},
      {"Ahead of an unknown disk", 15, volume_state(P, S, C::ahead, D::up_to_date, D::d_unknown),
       -6},
  };
  return rows;
}

TEST(state_rules, validity) {
  std::vector<bool> covered(16, false);
  for (const ValidityRow& row : validity_rows()) {
    SCOPED_TRACE(row.what);
    StateContext context = connected_context();
    row.adjust(context);
    EXPECT_EQ(number(is_valid_state(row.state, context)), row.code);
    covered[static_cast<std::size_t>(row.rule)] = true;
  }
  EXPECT_EQ(std::count(covered.begin(), covered.end(), true), 16);
}

struct TransitionRow {
  const char* what;
  VolumeState before;
  VolumeState after;
  int code;
  bool handshake = false;
};

TEST(state_rules, soft_transitions) {
  const VolumeState idle = volume_state(S, S, C::connected, D::up_to_date, D::up_to_date);
  const auto with = [](VolumeState s, C connection) {
    s.connection = connection;
    return s;
  };
  const VolumeState lonely = volume_state(S, U, C::wf_connection, D::up_to_date, D::d_unknown);
  const VolumeState reporting = with(lonely, C::wf_report_params);
  const std::vector<TransitionRow> rows = {
      {"resync", idle, with(idle, C::starting_sync_s), 1},
      {"resync while one runs", with(idle, C::sync_source), with(idle, C::starting_sync_s), -8},
      {"resync during verify", with(idle, C::verify_t), with(idle, C::starting_sync_t), -8},
      {"disconnect of a StandAlone", with(lonely, C::stand_alone), with(lonely, C::disconnecting),
       -9},
      {"a disk state for a Diskless", volume_state(S, S, C::connected, D::diskless, D::up_to_date),
       idle, -11},
      {"attaching is for the Diskless",
       volume_state(S, S, C::connected, D::diskless, D::up_to_date),
       volume_state(S, S, C::connected, D::attaching, D::up_to_date), 1},
      {"listening without configuration", with(lonely, C::stand_alone), lonely, -13},
      {"listening again", with(lonely, C::unconnected), lonely, 1},
      {"outdating an Inconsistent",
       volume_state(S, U, C::stand_alone, D::inconsistent, D::d_unknown),
       volume_state(S, U, C::stand_alone, D::outdated, D::d_unknown), -16},
      {"attaching an Outdated", volume_state(S, U, C::stand_alone, D::attaching, D::d_unknown),
       volume_state(S, U, C::stand_alone, D::outdated, D::d_unknown), 1},
      {"disconnect while between attempts", with(lonely, C::unconnected),
       with(lonely, C::disconnecting), -18},
      {"promotion during the handshake", reporting,
       volume_state(P, U, C::wf_report_params, D::up_to_date, D::d_unknown), -18, true},
      {"the handshake itself", lonely, reporting, 1, true},
      {"the end of the handshake", reporting, idle, 1, true},
      {"promotion of a target to be",
       volume_state(S, S, C::wf_bitmap_t, D::outdated, D::up_to_date),
       volume_state(P, S, C::wf_bitmap_t, D::outdated, D::up_to_date), -18},
      {"promotion of a target until it has its identifier",
       volume_state(S, S, C::wf_sync_uuid, D::inconsistent, D::up_to_date),
       volume_state(P, S, C::wf_sync_uuid, D::inconsistent, D::up_to_date), -18},
      {"promotion of a target", volume_state(S, S, C::sync_target, D::inconsistent, D::up_to_date),
       volume_state(P, S, C::sync_target, D::inconsistent, D::up_to_date), 1},
      {"promotion of a diskless", volume_state(S, S, C::connected, D::diskless, D::up_to_date),
       volume_state(P, S, C::connected, D::diskless, D::up_to_date), 1},
      {"promotion of a good disk", idle,
       volume_state(P, S, C::connected, D::up_to_date, D::up_to_date), 1},
      {"verify while not connected", lonely, with(lonely, C::verify_s), -15},
      {"verify during resync", with(idle, C::paused_sync_s), with(idle, C::verify_s), -8},
      {"verify", idle, with(idle, C::verify_s), 1},
      {"resync while not connected", lonely, with(lonely, C::starting_sync_t), -15},
      {"from a failure straight to resync", with(lonely, C::network_failure),
       with(idle, C::sync_target), -15},
      {"a resync from the handshake", reporting, with(idle, C::sync_source), 1},
      {"outdating a peer that is away", lonely,
       volume_state(S, U, C::disconnecting, D::up_to_date, D::outdated), -21},
      {"parting from an outdated peer",
       volume_state(S, U, C::wf_connection, D::up_to_date, D::outdated),
       volume_state(S, U, C::disconnecting, D::up_to_date, D::outdated), 1},
      {"outdating a connected peer", idle,
       volume_state(S, U, C::disconnecting, D::up_to_date, D::outdated), 1},
  };
  for (const TransitionRow& row : rows) {
    StateContext context = connected_context();
    context.handshake_in_progress = row.handshake;
    EXPECT_EQ(number(is_valid_soft_transition(row.before, row.after, context)), row.code)
        << row.what;
  }
}

TEST(state_rules, hard_transitions) {
  struct Row {
    C from;
    C to;
    int code;
  };
  const std::vector<Row> rows = {
      {C::stand_alone, C::disconnecting, -9},
      {C::stand_alone, C::wf_connection, -15},
      {C::stand_alone, C::connected, -15},
      {C::stand_alone, C::unconnected, 1},
      {C::unconnected, C::connected, -15},
      {C::wf_connection, C::sync_target, -15},
      {C::wf_connection, C::wf_report_params, 1},
      {C::wf_report_params, C::connected, 1},
      {C::timeout, C::wf_connection, -18},
      {C::broken_pipe, C::stand_alone, -18},
      {C::network_failure, C::wf_report_params, -18},
      {C::tear_down, C::timeout, -18},
      {C::network_failure, C::unconnected, 1},
      {C::tear_down, C::disconnecting, 1},
      {C::disconnecting, C::unconnected, -18},
      {C::disconnecting, C::stand_alone, 1},
      {C::connected, C::timeout, 1},
      {C::connected, C::connected, 1},
      {C::disconnecting, C::connected, -15},
  };
  for (const Row& row : rows) {
    const VolumeState before = volume_state(S, S, row.from, D::up_to_date, D::up_to_date);
    const VolumeState after = volume_state(S, S, row.to, D::up_to_date, D::up_to_date);
    EXPECT_EQ(number(is_valid_transition(before, after)), row.code)
        << name(row.from) << " -> " << name(row.to);
  }
  // The disk rule overrides.
  EXPECT_EQ(
      number(is_valid_transition(volume_state(S, U, C::stand_alone, D::diskless, D::d_unknown),
                                 volume_state(S, U, C::disconnecting, D::failed, D::d_unknown))),
      -11);
}

TEST(judge, order_of_the_checks) {
  const StateContext context = connected_context();
  const VolumeState idle = volume_state(S, S, C::connected, D::up_to_date, D::up_to_date);
  EXPECT_EQ(judge(idle, StateDelta().role(S), false, context).code, StateCode::nothing_to_do);
  const StateVerdict promoted = judge(idle, StateDelta().role(P), false, context);
  EXPECT_EQ(promoted.code, StateCode::success);
  EXPECT_EQ(promoted.next.role, P);
  // Hard rules hold for facts as well, the others do not.
  const VolumeState alone = volume_state(P, U, C::stand_alone, D::up_to_date, D::d_unknown);
  EXPECT_EQ(number(judge(alone, StateDelta().connection(C::connected), true, context).code), -15);
  EXPECT_EQ(number(judge(alone, StateDelta().disk(D::outdated), false, context).code), -2);
  EXPECT_EQ(judge(alone, StateDelta().disk(D::outdated), true, context).code, StateCode::success);
  // A state that was bad already may change, as long as it is no worse.
  const VolumeState bad = volume_state(P, S, C::connected, D::inconsistent, D::inconsistent);
  EXPECT_EQ(judge(bad, StateDelta().peer_disk(D::diskless), false, context).code,
            StateCode::success);
  // A sanitized change that changes nothing is nothing.
  EXPECT_EQ(judge(idle, StateDelta().disk(D::outdated), false, context).code,
            StateCode::nothing_to_do);
}

TEST(cluster_wide, which_changes_need_the_peer) {
  const VolumeState idle = volume_state(S, S, C::connected, D::up_to_date, D::up_to_date);
  const auto needed = [&](VolumeState before, StateDelta delta) {
    return needs_cluster_wide(before, delta.applied_to(before));
  };
  EXPECT_TRUE(needed(idle, StateDelta().role(P)));
  EXPECT_TRUE(needed(idle, StateDelta().connection(C::starting_sync_s)));
  EXPECT_TRUE(needed(idle, StateDelta().connection(C::starting_sync_t)));
  EXPECT_TRUE(needed(idle, StateDelta().disk(D::failed)));
  EXPECT_TRUE(needed(idle, StateDelta().connection(C::verify_s)));
  EXPECT_FALSE(needed(idle, StateDelta().connection(C::verify_t)));
  EXPECT_FALSE(needed(idle, StateDelta().peer_role(P)));
  EXPECT_FALSE(needed(idle, StateDelta().disk(D::diskless)));
  VolumeState primary = idle;
  primary.role = P;
  EXPECT_FALSE(needed(primary, StateDelta().role(S)));  // demotion is local
  VolumeState away = volume_state(S, U, C::wf_connection, D::up_to_date, D::d_unknown);
  EXPECT_FALSE(needed(away, StateDelta().role(P)));
  EXPECT_FALSE(needed(away, StateDelta().disk(D::failed)));
  VolumeState source = idle;
  source.connection = C::sync_source;
  EXPECT_TRUE(needed(source, StateDelta().role(P)));
  EXPECT_FALSE(needed(source, StateDelta().connection(C::verify_s)));
}

struct WireRow {
  const char* what;
  std::uint32_t mask;
  std::uint32_t value;
  const char* mine;  // what it makes of an idle connection
  bool allowed;
};

// The requests of drbdsetup as they travel, and what they mean on this side.
TEST(cluster_wide, the_peers_requests_in_our_view) {
  const VolumeState idle = volume_state(S, S, C::connected, D::up_to_date, D::up_to_date);
  const std::vector<WireRow> rows = {
      {"primary", 0x3, 0x1, "Secondary/Primary Connected UpToDate/UpToDate", true},
      {"primary --force", 0x1e03, 0x1001, "Secondary/Primary Connected UpToDate/UpToDate", true},
      {"disconnect", 0x1f0, 0x10, "Secondary/Secondary TearDown UpToDate/UpToDate", true},
      {"disconnect, outdating us", 0x1e1f0, 0xa010,
       "Secondary/Secondary TearDown Outdated/UpToDate", true},
      {"disconnect, outdating itself", 0x1ff0, 0xa10,
       "Secondary/Secondary TearDown UpToDate/Outdated", true},
      {"invalidate", 0x1f0, 0xc0, "Secondary/Secondary StartingSyncS UpToDate/UpToDate", true},
      {"invalidate-remote", 0x1f0, 0xb0, "Secondary/Secondary StartingSyncT UpToDate/UpToDate",
       true},
      {"verify", 0x1f0, 0x120, "Secondary/Secondary VerifyT UpToDate/UpToDate", true},
      {"detach", 0x1e00, 0x400, "Secondary/Secondary Connected UpToDate/Failed", true},
      {"removal of the volume", 0x1f0, 0x90, "Secondary/Secondary WFReportParams UpToDate/UpToDate",
       true},
      {"secondary", 0x3, 0x2, "Secondary/Secondary Connected UpToDate/UpToDate", true},
      // What no peer may ask for.
      {"our role", 0xc, 0x4, "Primary/Secondary Connected UpToDate/UpToDate", false},
      {"our disk made good", 0x1e000, 0x10000, "Secondary/Secondary Connected UpToDate/UpToDate",
       false},
      {"our disk dropped", 0x1e000, 0, "Secondary/Secondary Connected Diskless/UpToDate", false},
      {"a connection state of its own", 0x1f0, 0x100,
       "Secondary/Secondary StandAlone UpToDate/UpToDate", false},
      {"a flag", 0x20000, 0x20000, "Secondary/Secondary Connected UpToDate/UpToDate susp", false},
      {"half a role", 0x1, 0x1, "Secondary/? Connected UpToDate/UpToDate", false},
      {"no role at all", 0x3, 0, "Secondary/Unknown Connected UpToDate/UpToDate", false},
      {"a disk number without a meaning", 0x1e00, 0x1200,
       "Secondary/Secondary Connected UpToDate/?", false},
      {"an unknown disk", 0x1e00, 0xc00, "Secondary/Secondary Connected UpToDate/DUnknown", false},
  };
  for (const WireRow& row : rows) {
    SCOPED_TRACE(row.what);
    const StateDelta delta = from_peer_view(row.mask, row.value);
    EXPECT_EQ(shown(delta.applied_to(idle)), row.mine);
    EXPECT_EQ(peer_may_request(delta), row.allowed);
  }
}

// P1: whatever the words say, an accepted request leads to a state with a name.
TEST(cluster_wide, any_two_words_are_a_request_or_refused) {
  const VolumeState idle = volume_state(S, S, C::connected, D::up_to_date, D::up_to_date);
  std::uint32_t word = 1;
  const auto next = [&word] { return word = word * 1664525U + 1013904223U; };
  int allowed = 0;
  for (int i = 0; i < 200000; ++i) {
    // Whole fields often, so that some pass.
    std::uint32_t mask = next() >> 7U;
    if (i % 2 == 0) {
      mask = ((mask & 1U) != 0 ? 0x3U : 0U) | ((mask & 2U) != 0 ? 0x1f0U : 0U) |
             ((mask & 4U) != 0 ? 0x1e00U : 0U);
    }
    const StateDelta delta = from_peer_view(mask, next() >> 7U);
    if (!peer_may_request(delta)) continue;
    ++allowed;
    const VolumeState s = delta.applied_to(idle);
    ASSERT_EQ(shown(s).find('?'), std::string::npos) << mask;
    ASSERT_EQ(s.role, S);
    ASSERT_GE(s.disk, D::outdated);
    ASSERT_FALSE(s.suspended());
  }
  EXPECT_GT(allowed, 1000);
}

TEST(state_delta, replaces_the_named_fields_only) {
  VolumeState s = volume_state(P, S, C::connected, D::up_to_date, D::inconsistent);
  s.suspended_fencing = s.sync_paused_by_user = true;
  EXPECT_EQ(StateDelta().applied_to(s), s);
  VolumeState expected = s;
  expected.connection = C::sync_source;
  expected.sync_paused_by_peer = true;
  StateDelta delta;
  delta.connection(C::ahead).connection(C::sync_source).sync_paused_by_peer(true);
  EXPECT_EQ(delta.mask, 0x801f0U);
  EXPECT_EQ(delta.value, 0x80100U);  // the last word counts
  EXPECT_EQ(delta.applied_to(s), expected);
  delta.sync_paused_by_peer(false);
  expected.sync_paused_by_peer = false;
  EXPECT_EQ(delta.applied_to(s), expected);
}

// The wire numbers of drbdsetup's requests.
TEST(state_delta, masks_and_values_of_the_wire) {
  struct Wire {
    StateDelta delta;
    std::uint32_t mask;
    std::uint32_t value;
  };
  const std::vector<Wire> rows = {
      {StateDelta().role(P), 0x3, 0x1},
      {StateDelta().role(P).disk(D::up_to_date), 0x1e03, 0x1001},
      {StateDelta().connection(C::disconnecting), 0x1f0, 0x10},
      {StateDelta().connection(C::disconnecting).peer_disk(D::outdated), 0x1e1f0, 0xa010},
      {StateDelta().connection(C::disconnecting).disk(D::outdated), 0x1ff0, 0xa10},
      {StateDelta().connection(C::starting_sync_t), 0x1f0, 0xc0},
      {StateDelta().connection(C::starting_sync_s), 0x1f0, 0xb0},
      {StateDelta().connection(C::verify_s), 0x1f0, 0x120},
      {StateDelta().disk(D::failed), 0x1e00, 0x400},
      {StateDelta().peer_role(P), 0xc, 0x4},
  };
  for (const Wire& row : rows) {
    EXPECT_EQ(row.delta.mask, row.mask);
    EXPECT_EQ(row.delta.value, row.value);
  }
}

}  // namespace
}  // namespace replicator
