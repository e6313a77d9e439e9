// What is believed of the disk that the peer reports (G1).
#include "engine/decide/peer_disk.hpp"

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
  C peers_connection;
  D reported;
  D believed;
};

TEST(peer_disk, reports) {
  const std::vector<Row> rows = {
      // As it is said.
      {C::wf_report_params, D::up_to_date, D::d_unknown, C::wf_report_params, D::outdated,
       D::outdated},
      {C::connected, D::up_to_date, D::up_to_date, C::connected, D::diskless, D::diskless},
      {C::sync_source, D::up_to_date, D::inconsistent, C::sync_target, D::inconsistent,
       D::inconsistent},
      // A target that prepares told its state before it began.
      {C::wf_bitmap_s, D::up_to_date, D::consistent, C::wf_bitmap_t, D::up_to_date,
       D::inconsistent},
      {C::sync_source, D::up_to_date, D::inconsistent, C::wf_sync_uuid, D::up_to_date,
       D::inconsistent},
      // So does one that waits for its turn, or was Behind.
      {C::paused_sync_s, D::up_to_date, D::inconsistent, C::wf_sync_uuid, D::outdated,
       D::inconsistent},
      {C::sync_source, D::up_to_date, D::inconsistent, C::wf_bitmap_t, D::consistent,
       D::inconsistent},
      {C::paused_sync_s, D::up_to_date, D::inconsistent, C::behind, D::outdated, D::inconsistent},
      {C::paused_sync_s, D::up_to_date, D::inconsistent, C::wf_sync_uuid, D::diskless, D::diskless},
      {C::ahead, D::up_to_date, D::consistent, C::behind, D::outdated, D::outdated},
      // It speaks of a resync that is over.
      {C::connected, D::up_to_date, D::up_to_date, C::sync_target, D::inconsistent, D::up_to_date},
      {C::connected, D::up_to_date, D::up_to_date, C::sync_source, D::inconsistent,
       D::inconsistent},
      // Our disk failed before the resync began: old data stay old.
      {C::connected, D::diskless, D::inconsistent, C::wf_bitmap_t, D::outdated, D::inconsistent},
      {C::connected, D::failed, D::inconsistent, C::wf_sync_uuid, D::consistent, D::inconsistent},
      {C::connected, D::diskless, D::inconsistent, C::wf_bitmap_t, D::diskless, D::diskless},
      {C::connected, D::diskless, D::inconsistent, C::connected, D::outdated, D::outdated},
      {C::connected, D::up_to_date, D::inconsistent, C::wf_bitmap_t, D::outdated, D::outdated},
  };
  for (const Row& row : rows) {
    const VolumeState own = volume_state(P, S, row.connection, row.disk, row.peer_disk);
    const VolumeState peer = volume_state(S, P, row.peers_connection, row.reported, row.disk);
    EXPECT_EQ(believed_peer_disk(own, peer, false), row.believed)
        << shown(own) << " is told " << shown(peer);
  }
}

TEST(peer_disk, negotiating_disk_is_what_its_identifiers_say) {
  const VolumeState own = volume_state(P, S, C::connected, D::up_to_date, D::diskless);
  const VolumeState peer = volume_state(S, P, C::connected, D::negotiating, D::up_to_date);
  EXPECT_EQ(believed_peer_disk(own, peer, true), D::inconsistent);
  EXPECT_EQ(believed_peer_disk(own, peer, false), D::consistent);
}

TEST(peer_disk, only_a_source_is_told_that_a_resync_ended) {
  const VolumeState peer = volume_state(S, P, C::connected, D::up_to_date, D::up_to_date);
  EXPECT_TRUE(resync_ended_at_target(
      volume_state(P, S, C::sync_source, D::up_to_date, D::inconsistent), peer));
  EXPECT_FALSE(resync_ended_at_target(
      volume_state(P, S, C::wf_bitmap_s, D::up_to_date, D::inconsistent), peer));
  EXPECT_FALSE(resync_ended_at_target(
      volume_state(P, S, C::sync_source, D::up_to_date, D::up_to_date), peer));
}

}  // namespace
}  // namespace replicator
