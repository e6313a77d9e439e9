// Where reads and writes go (E6, E9, S6).
#include "engine/decide/route.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/engine/decide/state_notation.hpp"

namespace replicator {
namespace {

using C = ConnectionState;
using D = DiskState;
constexpr Role P = Role::primary;
constexpr Role S = Role::secondary;

struct Row {
  C connection;
  D disk;
  D peer_disk;
  Route route;
};

TEST(route, writes) {
  const std::vector<Row> rows = {
      {C::connected, D::up_to_date, D::up_to_date, Route::mirror},
      {C::connected, D::diskless, D::up_to_date, Route::mirror},
      {C::connected, D::inconsistent, D::up_to_date, Route::mirror},
      {C::connected, D::up_to_date, D::inconsistent, Route::record_only},
      {C::connected, D::up_to_date, D::diskless, Route::record_only},
      {C::connected, D::up_to_date, D::failed, Route::record_only},
      {C::connected, D::inconsistent, D::inconsistent, Route::refuse},
      {C::connected, D::diskless, D::diskless, Route::refuse},
      {C::connected, D::failed, D::negotiating, Route::refuse},
      {C::stand_alone, D::up_to_date, D::d_unknown, Route::record_only},
      {C::wf_connection, D::up_to_date, D::outdated, Route::record_only},
      {C::wf_report_params, D::up_to_date, D::d_unknown, Route::record_only},
      {C::network_failure, D::outdated, D::d_unknown, Route::refuse},
      {C::wf_connection, D::diskless, D::d_unknown, Route::refuse},
      {C::starting_sync_s, D::up_to_date, D::inconsistent, Route::record_only},
      {C::wf_bitmap_s, D::up_to_date, D::consistent, Route::announce},
      {C::sync_source, D::up_to_date, D::inconsistent, Route::mirror},
      {C::paused_sync_s, D::up_to_date, D::inconsistent, Route::mirror},
      {C::sync_target, D::inconsistent, D::up_to_date, Route::mirror},
      {C::paused_sync_t, D::inconsistent, D::up_to_date, Route::mirror},
      {C::verify_s, D::up_to_date, D::up_to_date, Route::mirror},
      {C::verify_t, D::up_to_date, D::up_to_date, Route::mirror},
      {C::ahead, D::up_to_date, D::consistent, Route::announce},
      {C::behind, D::inconsistent, D::up_to_date, Route::mirror},
  };
  for (const Row& row : rows) {
    const VolumeState s = volume_state(P, S, row.connection, row.disk, row.peer_disk);
    EXPECT_EQ(static_cast<int>(route_write(s)), static_cast<int>(row.route)) << shown(s);
  }
}

template <class Visit>
void for_each_sanitized(const Visit& visit) {
  for (unsigned connection = 0; connection <= 23; ++connection) {
    for (unsigned disk = 0; disk <= 8; ++disk) {
      for (unsigned peer_disk = 0; peer_disk <= 8; ++peer_disk) {
        visit(sanitize(VolumeState(),
                       volume_state(P, S, static_cast<C>(connection), static_cast<D>(disk),
                                    static_cast<D>(peer_disk)),
                       StateContext()));
      }
    }
  }
}

// S6: a write that nobody mirrors is a write to good local data, and the peer's copy is sent
// nothing that it could not apply.
TEST(route, every_write_reaches_current_data) {
  for_each_sanitized([](const VolumeState& s) {
    const Route route = route_write(s);
    if (route == Route::announce || route == Route::record_only) {
      ASSERT_EQ(s.disk, D::up_to_date) << shown(s);
    }
    if (route == Route::mirror) {
      ASSERT_TRUE(s.disk == D::up_to_date || s.peer_disk == D::up_to_date) << shown(s);
      ASSERT_GE(s.connection, C::connected) << shown(s);
      ASSERT_GE(s.peer_disk, D::inconsistent) << shown(s);
    }
    if (route == Route::refuse) {
      ASSERT_TRUE(s.disk != D::up_to_date && s.peer_disk != D::up_to_date) << shown(s);
    }
  });
}

TEST(route, application_io_is_held_back) {
  const auto accepted = [](C connection, D disk, int version = 101) {
    return accepts_application_io(volume_state(P, S, connection, disk, D::up_to_date), version);
  };
  EXPECT_TRUE(accepted(C::connected, D::up_to_date));
  EXPECT_FALSE(accepted(C::wf_bitmap_t, D::outdated));
  EXPECT_FALSE(accepted(C::wf_sync_uuid, D::outdated));
  EXPECT_TRUE(accepted(C::sync_target, D::inconsistent));
  EXPECT_FALSE(accepted(C::stand_alone, D::attaching));
  EXPECT_FALSE(accepted(C::connected, D::negotiating));
  EXPECT_TRUE(accepted(C::connected, D::diskless));
  EXPECT_TRUE(accepted(C::stand_alone, D::up_to_date, 0));
  // Protocol 96 brought the packet that makes this possible.
  EXPECT_TRUE(accepted(C::wf_bitmap_s, D::up_to_date, 96));
  EXPECT_FALSE(accepted(C::wf_bitmap_s, D::up_to_date, 95));
  for (bool VolumeState::* const flag :
       {&VolumeState::suspended_by_user, &VolumeState::suspended_no_data,
        &VolumeState::suspended_fencing}) {
    VolumeState s = volume_state(P, S, C::connected, D::up_to_date, D::up_to_date);
    s.*flag = true;
    EXPECT_FALSE(accepts_application_io(s, 101));
  }
}

TEST(route, reads) {
  const auto state = [](C connection, D disk, D peer_disk) {
    return volume_state(P, S, connection, disk, peer_disk);
  };
  EXPECT_TRUE(local_readable(state(C::connected, D::up_to_date, D::up_to_date), false));
  EXPECT_TRUE(local_readable(state(C::sync_target, D::inconsistent, D::up_to_date), true));
  EXPECT_FALSE(local_readable(state(C::sync_target, D::inconsistent, D::up_to_date), false));
  for (const D disk :
       {D::diskless, D::attaching, D::failed, D::negotiating, D::outdated, D::consistent}) {
    EXPECT_FALSE(local_readable(state(C::connected, disk, D::up_to_date), true)) << name(disk);
  }
  EXPECT_TRUE(peer_readable(state(C::sync_target, D::inconsistent, D::up_to_date)));
  EXPECT_TRUE(peer_readable(state(C::connected, D::diskless, D::up_to_date)));
  EXPECT_FALSE(peer_readable(state(C::sync_source, D::up_to_date, D::inconsistent)));
  EXPECT_FALSE(peer_readable(state(C::wf_bitmap_s, D::up_to_date, D::consistent)));
  EXPECT_FALSE(peer_readable(state(C::wf_report_params, D::diskless, D::up_to_date)));
}

}  // namespace
}  // namespace replicator
