// What a wanted state implies: each step of the sanitizing, and what two kernels logged.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/engine/decide/state_notation.hpp"

namespace replicator {
namespace {

using C = ConnectionState;
using D = DiskState;
constexpr Role P = Role::primary;
constexpr Role S = Role::secondary;
constexpr Role U = Role::unknown;

struct Row {
  const char* what;
  VolumeState wanted;
  const char* result;
};

TEST(sanitize, disks_follow_the_connection) {
  const std::vector<Row> rows = {
      // 1: not connected
      {"the peer is unknown", volume_state(P, P, C::network_failure, D::up_to_date, D::up_to_date),
       "Primary/Unknown NetworkFailure UpToDate/DUnknown"},
      {"a diskless peer is unknown", volume_state(S, S, C::wf_connection, D::up_to_date, D::failed),
       "Secondary/Unknown WFConnection UpToDate/DUnknown"},
      {"consistent is unknown", volume_state(S, S, C::timeout, D::up_to_date, D::consistent),
       "Secondary/Unknown Timeout UpToDate/DUnknown"},
      {"outdated is remembered", volume_state(S, S, C::wf_connection, D::up_to_date, D::outdated),
       "Secondary/Unknown WFConnection UpToDate/Outdated"},
      {"inconsistent is remembered",
       volume_state(S, S, C::stand_alone, D::up_to_date, D::inconsistent),
       "Secondary/Unknown StandAlone UpToDate/Inconsistent"},
      {"the own disk stays Consistent",
       volume_state(S, U, C::wf_connection, D::consistent, D::d_unknown),
       "Secondary/Unknown WFConnection Consistent/DUnknown"},
      // 3: a resync without one of the disks ends
      {"own disk failed", volume_state(P, S, C::sync_target, D::failed, D::up_to_date),
       "Primary/Secondary Connected Failed/UpToDate"},
      {"peer's disk failed", volume_state(P, S, C::sync_source, D::up_to_date, D::failed),
       "Primary/Secondary Connected UpToDate/Failed"},
      {"verify without the peer's disk",
       volume_state(P, S, C::verify_s, D::up_to_date, D::diskless),
       "Primary/Secondary Connected UpToDate/Diskless"},
      {"the source's disk failed before the target got anything",
       volume_state(S, P, C::wf_sync_uuid, D::outdated, D::failed),
       "Secondary/Primary Connected Inconsistent/Failed"},
      {"own disk failed before the target got anything",
       volume_state(P, S, C::wf_bitmap_s, D::failed, D::consistent),
       "Primary/Secondary Connected Failed/Inconsistent"},
      // 5: connected and nothing to copy
      {"outdated becomes UpToDate", volume_state(S, S, C::connected, D::outdated, D::up_to_date),
       "Secondary/Secondary Connected UpToDate/UpToDate"},
      {"consistent becomes UpToDate",
       volume_state(S, P, C::connected, D::consistent, D::consistent),
       "Secondary/Primary Connected UpToDate/UpToDate"},
      {"inconsistent stays", volume_state(S, S, C::connected, D::inconsistent, D::inconsistent),
       "Secondary/Secondary Connected Inconsistent/Inconsistent"},
      {"negotiating stays", volume_state(S, S, C::connected, D::negotiating, D::up_to_date),
       "Secondary/Secondary Connected Negotiating/UpToDate"},
      {"Ahead does not improve the peer", volume_state(P, S, C::ahead, D::up_to_date, D::outdated),
       "Primary/Secondary Ahead UpToDate/Outdated"},
      // 6: ranges
      {"a coming target is at most Outdated",
       volume_state(S, P, C::wf_bitmap_t, D::up_to_date, D::up_to_date),
       "Secondary/Primary WFBitMapT Outdated/UpToDate"},
      {"and keeps Inconsistent", volume_state(S, P, C::wf_sync_uuid, D::inconsistent, D::outdated),
       "Secondary/Primary WFSyncUUID Inconsistent/UpToDate"},
      {"negotiating becomes Inconsistent",
       volume_state(S, P, C::wf_bitmap_t, D::negotiating, D::up_to_date),
       "Secondary/Primary WFBitMapT Inconsistent/UpToDate"},
      {"starting target", volume_state(S, P, C::starting_sync_t, D::up_to_date, D::consistent),
       "Secondary/Primary StartingSyncT Outdated/UpToDate"},
      {"behind", volume_state(S, P, C::behind, D::up_to_date, D::up_to_date),
       "Secondary/Primary Behind Outdated/UpToDate"},
      {"a coming source has an at most Consistent peer",
       volume_state(P, S, C::wf_bitmap_s, D::up_to_date, D::up_to_date),
       "Primary/Secondary WFBitMapS UpToDate/Consistent"},
      {"a source is UpToDate", volume_state(P, S, C::starting_sync_s, D::outdated, D::inconsistent),
       "Primary/Secondary StartingSyncS UpToDate/Inconsistent"},
      {"target", volume_state(S, P, C::sync_target, D::up_to_date, D::inconsistent),
       "Secondary/Primary SyncTarget Inconsistent/UpToDate"},
      {"source", volume_state(P, S, C::sync_source, D::inconsistent, D::up_to_date),
       "Primary/Secondary SyncSource UpToDate/Inconsistent"},
      {"verify", volume_state(P, S, C::verify_t, D::inconsistent, D::inconsistent),
       "Primary/Secondary VerifyT UpToDate/UpToDate"},
      {"numbers without a meaning", volume_state(P, S, C::connected, D::mask, D::mask),
       "Primary/Secondary Connected UpToDate/UpToDate"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(shown(sanitize(VolumeState(), row.wanted, StateContext())), row.result) << row.what;
  }
}

TEST(sanitize, pause_flags) {
  const StateContext context;
  VolumeState s = volume_state(S, P, C::sync_target, D::inconsistent, D::up_to_date);
  for (bool VolumeState::* const flag :
       {&VolumeState::sync_paused_by_dependency, &VolumeState::sync_paused_by_peer,
        &VolumeState::sync_paused_by_user}) {
    VolumeState paused = s;
    paused.*flag = true;
    paused = sanitize(s, paused, context);
    EXPECT_EQ(paused.connection, C::paused_sync_t);
    VolumeState resumed = paused;
    resumed.*flag = false;
    EXPECT_EQ(sanitize(paused, resumed, context), s);
  }
  VolumeState source = volume_state(P, S, C::sync_source, D::up_to_date, D::inconsistent);
  source.sync_paused_by_user = true;
  EXPECT_EQ(sanitize(source, source, context).connection, C::paused_sync_s);
  // S5: whatever it was called while paused, a target is Inconsistent.
  const VolumeState outdated = volume_state(S, P, C::paused_sync_t, D::outdated, D::up_to_date);
  EXPECT_EQ(shown(sanitize(outdated, outdated, context)),
            "Secondary/Primary SyncTarget Inconsistent/UpToDate");
  // The peer's flag goes with the connection; the dependency's with the last interest in the
  // device.
  VolumeState lost = volume_state(S, U, C::stand_alone, D::diskless, D::d_unknown);
  lost.sync_paused_by_peer = lost.sync_paused_by_dependency = lost.sync_paused_by_user = true;
  EXPECT_EQ(shown(sanitize(VolumeState(), lost, context)),
            "Secondary/Unknown StandAlone Diskless/DUnknown user_isp");
  lost.disk = D::inconsistent;
  EXPECT_TRUE(sanitize(VolumeState(), lost, context).sync_paused_by_dependency);
}

// G8: the connection is lost before the handshake has judged a disk that is being attached.
TEST(sanitize, negotiation_ends_with_the_connection) {
  StateContext context;
  context.attach_state = volume_state(S, U, C::stand_alone, D::up_to_date, D::outdated);
  context.on_disk_current_uuid = 0x1000;
  const VolumeState lost = volume_state(P, S, C::network_failure, D::negotiating, D::up_to_date);
  struct Case {
    const char* what;
    std::uint64_t exposed;
    D disk;
    D peer_disk;
  };
  const std::vector<Case> cases = {
      {"the data in use", 0x1000, D::up_to_date, D::outdated},
      {"the data in use, role marker", 0x1001, D::up_to_date, D::outdated},
      {"nobody has seen any data", 0, D::up_to_date, D::outdated},
      {"other data is in use", 0x2000, D::diskless, D::d_unknown},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    context.exposed_uuid = each.exposed;
    const VolumeState s = sanitize(lost, lost, context);
    EXPECT_EQ(s.disk, each.disk);
    EXPECT_EQ(s.peer_disk, each.peer_disk);
  }
}

// S3: the freeze is part of the change that loses the peer, and happens once.
TEST(sanitize, freezes) {
  StateContext context;
  const VolumeState up = volume_state(P, S, C::connected, D::up_to_date, D::up_to_date);
  VolumeState lost = up;
  lost.connection = C::network_failure;
  EXPECT_FALSE(sanitize(up, lost, context).suspended());
  context.fencing = Fencing::resource_only;
  EXPECT_FALSE(sanitize(up, lost, context).suspended());
  context.fencing = Fencing::resource_and_stonith;
  const VolumeState frozen = sanitize(up, lost, context);
  EXPECT_TRUE(frozen.suspended_fencing);
  VolumeState thawed = frozen;
  thawed.suspended_fencing = false;
  thawed.connection = C::unconnected;
  EXPECT_FALSE(sanitize(frozen, thawed, context).suspended());
  VolumeState fenced = up;
  fenced.connection = C::network_failure;
  fenced.peer_disk = D::outdated;
  EXPECT_FALSE(sanitize(up, fenced, context).suspended());
  VolumeState secondary = lost;
  secondary.role = S;
  EXPECT_FALSE(sanitize(up, secondary, context).suspended());

  context = StateContext();
  VolumeState blind = up;
  blind.disk = D::failed;
  blind.peer_disk = D::diskless;
  EXPECT_FALSE(sanitize(up, blind, context).suspended());
  context.on_no_data = OnNoData::suspend_io;
  EXPECT_TRUE(sanitize(up, blind, context).suspended_no_data);
  blind.peer_disk = D::up_to_date;
  EXPECT_FALSE(sanitize(up, blind, context).suspended());
}

template <class Visit>
void for_each_state(const Visit& visit) {
  for (unsigned connection = 0; connection <= 23; ++connection) {
    for (unsigned disk = 0; disk <= 8; ++disk) {
      for (unsigned peer_disk = 0; peer_disk <= 8; ++peer_disk) {
        for (unsigned bits = 0; bits < 4 * 8; ++bits) {
          VolumeState s = volume_state((bits & 1U) != 0 ? P : S, (bits & 2U) != 0 ? P : S,
                                       static_cast<C>(connection), static_cast<D>(disk),
                                       static_cast<D>(peer_disk));
          s.sync_paused_by_dependency = (bits & 4U) != 0;
          s.sync_paused_by_peer = (bits & 8U) != 0;
          s.sync_paused_by_user = (bits & 16U) != 0;
          visit(s);
        }
      }
    }
  }
}

TEST(sanitize, twice_is_once) {
  StateContext context;
  context.fencing = Fencing::resource_and_stonith;
  context.on_no_data = OnNoData::suspend_io;
  context.attach_state = volume_state(S, U, C::stand_alone, D::consistent, D::outdated);
  for_each_state([&](const VolumeState& wanted) {
    const VolumeState once = sanitize(VolumeState(), wanted, context);
    ASSERT_EQ(shown(sanitize(VolumeState(), once, context)), shown(once)) << shown(wanted);
    ASSERT_EQ(shown(sanitize(once, once, context)), shown(once)) << shown(wanted);
  });
}

TEST(sanitize, a_running_resync_has_one_good_and_one_bad_disk) {
  for_each_state([&](const VolumeState& wanted) {
    const VolumeState s = sanitize(VolumeState(), wanted, StateContext());
    if (s.connection == C::sync_source) {
      ASSERT_TRUE(s.disk == D::up_to_date && s.peer_disk == D::inconsistent) << shown(wanted);
    }
    if (s.connection == C::sync_target) {
      ASSERT_TRUE(s.disk == D::inconsistent && s.peer_disk == D::up_to_date) << shown(wanted);
    }
    ASSERT_FALSE(s.connection < C::connected && s.peer_role != U) << shown(wanted);
  });
}

struct Logged {
  std::string line;
  VolumeState before;
  VolumeState after;
  std::string text;
};

std::vector<Logged> logged() {
  std::ifstream file("tests/fixtures/handshake/state-changes-8.4.11.txt");
  std::vector<Logged> all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    std::string role, peer, connection, disk, peer_disk, bar;
    in >> role >> peer >> connection >> disk >> peer_disk >> bar;
    Logged one;
    one.line = line;
    one.text = line.substr(line.find('|') + 2);
    one.before =
        volume_state(state_named<Role>(role), state_named<Role>(peer), state_named<C>(connection),
                     state_named<D>(disk), state_named<D>(peer_disk));
    one.after = one.before;
    std::string field, from, arrow, to, close;
    while (in >> field >> from >> arrow >> to >> close) {
      if (field == "role(") one.after.role = state_named<Role>(to);
      else if (field == "peer(") one.after.peer_role = state_named<Role>(to);
      else if (field == "conn(") one.after.connection = state_named<C>(to);
      else if (field == "disk(") one.after.disk = state_named<D>(to);
      else if (field == "pdsk(") one.after.peer_disk = state_named<D>(to);
    }
    all.push_back(one);
  }
  return all;
}

// What was asked for: the connection state and roles, and a disk only where the connection state
// does not imply it.
StateDelta cause(const Logged& change) {
  const VolumeState& a = change.after;
  StateDelta delta;
  if (a.role != change.before.role) delta.role(a.role);
  if (a.connection != change.before.connection) delta.connection(a.connection);
  if (a.connection < C::connected) {
    if (a.disk != change.before.disk) delta.disk(a.disk);
    return delta;
  }
  if (a.peer_role != change.before.peer_role) delta.peer_role(a.peer_role);
  const bool handshake = change.before.connection == C::wf_report_params;
  if (handshake && a.connection >= C::wf_bitmap_s) return delta.peer_disk(D::up_to_date);
  if (a.connection == C::sync_source || a.connection == C::sync_target) return delta;
  if (a.disk != change.before.disk) delta.disk(a.disk);
  if (a.peer_disk != change.before.peer_disk) delta.peer_disk(a.peer_disk);
  return delta;
}

TEST(state_change_golden, same_states_as_the_kernel) {
  const std::vector<Logged> all = logged();
  ASSERT_EQ(all.size(), 67U);
  StateContext context;
  context.has_net_config = true;
  context.verify_alg_set = true;
  context.agreed_version = 101;
  for (const Logged& change : all) {
    SCOPED_TRACE(change.line);
    const StateVerdict verdict = judge(change.before, cause(change), true, context);
    EXPECT_EQ(verdict.code, StateCode::success);
    EXPECT_EQ(shown(verdict.next), shown(change.after));
    EXPECT_EQ(describe_change(change.before, verdict.next), change.text);
  }
}

}  // namespace
}  // namespace replicator
