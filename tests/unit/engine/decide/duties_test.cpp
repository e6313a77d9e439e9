// What follows from a state change, and what of it the superblock remembers (G3, S2, S5).
#include <gtest/gtest.h>

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

const VolumeState up = volume_state(P, S, C::connected, D::up_to_date, D::up_to_date);

struct RotationRow {
  const char* what;
  VolumeState before;
  VolumeState after;
  bool rotated;
};

// G3: a new generation begins when good data of the peer gets out of reach, exactly once.
TEST(duties, new_generation) {
  const auto lost = [](D disk, D peer_disk, Role role = P) {
    return volume_state(role, U, C::network_failure, disk, peer_disk);
  };
  const std::vector<RotationRow> rows = {
      {"the Primary loses its peer", up, lost(D::up_to_date, D::d_unknown), true},
      {"the peer is outdated in the same step", up, lost(D::up_to_date, D::outdated), true},
      {"a Secondary loses its peer", volume_state(S, S, C::connected, D::up_to_date, D::up_to_date),
       lost(D::up_to_date, D::d_unknown, S), false},
      {"the peer's disk fails", up, volume_state(P, S, C::connected, D::up_to_date, D::failed),
       true},
      {"it fails on the peer that is Primary",
       volume_state(S, P, C::connected, D::up_to_date, D::up_to_date),
       volume_state(S, P, C::connected, D::up_to_date, D::failed), true},
      {"and is gone then", volume_state(P, S, C::connected, D::up_to_date, D::failed),
       volume_state(P, S, C::connected, D::up_to_date, D::diskless), false},
      {"an Inconsistent peer is lost",
       volume_state(P, S, C::sync_source, D::up_to_date, D::inconsistent),
       lost(D::up_to_date, D::d_unknown), true},
      {"own data is not good", volume_state(P, S, C::sync_target, D::inconsistent, D::up_to_date),
       lost(D::inconsistent, D::d_unknown), false},
      {"known to be Outdated already", volume_state(P, S, C::connected, D::up_to_date, D::outdated),
       lost(D::up_to_date, D::d_unknown), false},
      {"unknown, and now known to be outdated", lost(D::up_to_date, D::d_unknown),
       lost(D::up_to_date, D::outdated), true},
      {"unknown, and back without a disk", lost(D::up_to_date, D::d_unknown),
       volume_state(P, S, C::connected, D::up_to_date, D::diskless), true},
      {"unknown, and back", lost(D::up_to_date, D::d_unknown), up, false},
      {"a diskless peer becomes Primary",
       volume_state(S, S, C::connected, D::up_to_date, D::diskless),
       volume_state(S, P, C::connected, D::up_to_date, D::diskless), true},
      {"a peer with a disk becomes Primary",
       volume_state(S, S, C::connected, D::up_to_date, D::up_to_date),
       volume_state(S, P, C::connected, D::up_to_date, D::up_to_date), false},
      {"a Primary gets its disk back while it is alone",
       volume_state(P, U, C::wf_connection, D::attaching, D::d_unknown),
       volume_state(P, U, C::wf_connection, D::up_to_date, D::d_unknown), true},
      {"the connection breaks while it negotiates",
       volume_state(P, S, C::connected, D::negotiating, D::up_to_date),
       lost(D::up_to_date, D::d_unknown), true},
      {"a Secondary gets it back", volume_state(S, U, C::wf_connection, D::attaching, D::d_unknown),
       volume_state(S, U, C::wf_connection, D::up_to_date, D::d_unknown), false},
      {"a Primary gets it back from its peer",
       volume_state(P, S, C::connected, D::negotiating, D::up_to_date), up, false},
      {"nothing of the kind", up, volume_state(P, S, C::verify_s, D::up_to_date, D::up_to_date),
       false},
  };
  for (const RotationRow& row : rows) {
    SCOPED_TRACE(row.what);
    StateContext context;
    const Duties duties = after_change(row.before, row.after, context);
    EXPECT_EQ(duties.new_current_uuid, row.rotated);
    EXPECT_FALSE(duties.new_current_uuid_owed);
    // The peer hears of it while there is one.
    EXPECT_EQ(duties.send_uuids, row.rotated && row.after.connection >= C::connected);
    // A bitmap that already records changes since an older generation goes on doing so.
    context.bitmap_uuid = 0x1000;
    EXPECT_FALSE(after_change(row.before, row.after, context).new_current_uuid);
  }
}

TEST(duties, a_frozen_primary_owes_the_generation) {
  VolumeState frozen = volume_state(P, U, C::network_failure, D::up_to_date, D::d_unknown);
  frozen.suspended_fencing = true;
  const Duties duties = after_change(up, frozen, StateContext());
  EXPECT_FALSE(duties.new_current_uuid);
  EXPECT_TRUE(duties.new_current_uuid_owed);
}

struct DutyRow {
  const char* what;
  VolumeState before;
  VolumeState after;
  bool send_state;
  bool write_bitmap;
  bool clear_crashed;
  bool detached;
};

TEST(duties, the_rest) {
  const auto connected = [](D disk, D peer_disk, Role role = P) {
    return volume_state(role, S, C::connected, disk, peer_disk);
  };
  VolumeState paused = volume_state(P, S, C::paused_sync_s, D::up_to_date, D::inconsistent);
  paused.sync_paused_by_user = true;
  VolumeState peer_paused = volume_state(P, S, C::paused_sync_s, D::up_to_date, D::inconsistent);
  peer_paused.sync_paused_by_peer = true;
  const VolumeState source = volume_state(P, S, C::sync_source, D::up_to_date, D::inconsistent);
  const std::vector<DutyRow> rows = {
      {"own disk fails", up, connected(D::failed, D::up_to_date), true, true, false, true},
      {"own disk is gone", connected(D::failed, D::up_to_date),
       connected(D::diskless, D::up_to_date), true, true, false, true},
      {"own disk fails alone", volume_state(P, U, C::wf_connection, D::up_to_date, D::d_unknown),
       volume_state(P, U, C::wf_connection, D::failed, D::d_unknown), false, true, false, true},
      {"the handshake is over",
       volume_state(S, U, C::wf_report_params, D::up_to_date, D::d_unknown),
       connected(D::up_to_date, D::up_to_date, S), true, false, true, false},
      {"the user pauses", source, paused, true, false, false, false},
      {"the peer pauses", source, peer_paused, false, false, false, false},
      {"a pass-on error", up, connected(D::inconsistent, D::up_to_date), true, false, false, false},
      {"the peer has attached", connected(D::up_to_date, D::diskless),
       connected(D::up_to_date, D::negotiating), true, false, false, false},
      {"the only copy of a diskless Primary loses it",
       volume_state(S, P, C::connected, D::up_to_date, D::diskless),
       volume_state(S, U, C::network_failure, D::up_to_date, D::d_unknown), false, true, false,
       false},
      {"pulled ahead", up, volume_state(P, S, C::ahead, D::up_to_date, D::consistent), true, false,
       false, false},
      {"a resync ends", source, up, false, true, true, false},
      {"a resync is cut off", source,
       volume_state(P, U, C::network_failure, D::up_to_date, D::d_unknown), false, true, false,
       false},
      {"demotion", up, connected(D::up_to_date, D::up_to_date, S), false, true, false, false},
      {"promotion", connected(D::up_to_date, D::up_to_date, S), up, false, false, false, false},
  };
  for (const DutyRow& row : rows) {
    SCOPED_TRACE(row.what);
    const Duties duties = after_change(row.before, row.after, StateContext());
    EXPECT_EQ(duties.send_state, row.send_state);
    EXPECT_EQ(duties.write_bitmap, row.write_bitmap);
    EXPECT_EQ(duties.clear_crashed_primary, row.clear_crashed);
    EXPECT_EQ(duties.detached, row.detached);
  }
  EXPECT_TRUE(after_change(connected(D::up_to_date, D::diskless),
                           connected(D::up_to_date, D::negotiating), StateContext())
                  .send_uuids);
  EXPECT_TRUE(after_change(connected(D::attaching, D::up_to_date),
                           connected(D::negotiating, D::up_to_date), StateContext())
                  .introduce_disk);
  EXPECT_FALSE(after_change(connected(D::attaching, D::up_to_date),
                            connected(D::up_to_date, D::up_to_date), StateContext())
                   .introduce_disk);
}

constexpr std::uint32_t consistent = 0x1;
constexpr std::uint32_t primary = 0x2;
constexpr std::uint32_t connected_before = 0x4;
constexpr std::uint32_t full_sync = 0x8;
constexpr std::uint32_t was_up_to_date = 0x10;
constexpr std::uint32_t peer_outdated = 0x20;
constexpr std::uint32_t crashed = 0x40;

TEST(superblock_flags, of_a_state) {
  struct Row {
    VolumeState state;
    std::uint32_t flags;
  };
  const std::vector<Row> rows = {
      {up, consistent | primary | connected_before | was_up_to_date},
      {volume_state(S, S, C::connected, D::up_to_date, D::up_to_date),
       consistent | connected_before | was_up_to_date},
      {volume_state(S, S, C::connected, D::inconsistent, D::inconsistent),
       connected_before | peer_outdated},
      {volume_state(S, P, C::sync_target, D::inconsistent, D::up_to_date), connected_before},
      {volume_state(S, P, C::wf_bitmap_t, D::outdated, D::up_to_date),
       consistent | connected_before},
      {volume_state(S, U, C::wf_connection, D::consistent, D::d_unknown),
       consistent | was_up_to_date},
      {volume_state(P, U, C::stand_alone, D::up_to_date, D::outdated),
       consistent | primary | was_up_to_date | peer_outdated},
      {volume_state(S, U, C::wf_report_params, D::up_to_date, D::d_unknown),
       consistent | was_up_to_date},
      // The data of a diskless Primary is here.
      {volume_state(S, P, C::connected, D::up_to_date, D::diskless),
       consistent | primary | connected_before | was_up_to_date},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(superblock_flags(row.state, false, 0), row.flags) << shown(row.state);
    EXPECT_EQ(superblock_flags(row.state, true, full_sync), row.flags | crashed | full_sync);
    // Recomputed, not accumulated.
    EXPECT_EQ(superblock_flags(row.state, false, 0x7f & ~full_sync), row.flags);
  }
}

TEST(superblock_flags, a_disk_that_is_not_in_use_keeps_its_own) {
  for (const D disk : {D::diskless, D::attaching, D::failed, D::negotiating}) {
    const VolumeState s = volume_state(P, S, C::connected, disk, D::up_to_date);
    EXPECT_EQ(superblock_flags(s, true, consistent | full_sync), consistent | full_sync);
  }
}

TEST(superblock_flags, what_attaching_makes_of_them) {
  struct Row {
    std::uint32_t flags;
    Fencing fencing;
    D disk;
    D peer_disk;
  };
  const std::vector<Row> rows = {
      {0, Fencing::dont_care, D::inconsistent, D::d_unknown},
      {was_up_to_date, Fencing::dont_care, D::inconsistent, D::d_unknown},
      {consistent, Fencing::dont_care, D::outdated, D::d_unknown},
      {consistent | was_up_to_date, Fencing::dont_care, D::up_to_date, D::d_unknown},
      {consistent | was_up_to_date, Fencing::resource_only, D::consistent, D::d_unknown},
      {consistent | was_up_to_date, Fencing::resource_and_stonith, D::consistent, D::d_unknown},
      {consistent | was_up_to_date | peer_outdated, Fencing::resource_and_stonith, D::up_to_date,
       D::outdated},
      {consistent | peer_outdated, Fencing::dont_care, D::outdated, D::outdated},
      {peer_outdated, Fencing::resource_only, D::inconsistent, D::outdated},
  };
  for (const Row& row : rows) {
    const VolumeState s = state_from_superblock(row.flags, row.fencing);
    EXPECT_EQ(s.disk, row.disk) << row.flags;
    EXPECT_EQ(s.peer_disk, row.peer_disk) << row.flags;
  }
}

// S5: what is Inconsistent or Outdated now is no better after a crash at this instant.
TEST(superblock_flags, attaching_never_improves_a_disk) {
  for (const D disk : {D::inconsistent, D::outdated, D::consistent, D::up_to_date}) {
    for (const D peer_disk :
         {D::diskless, D::inconsistent, D::outdated, D::d_unknown, D::up_to_date}) {
      const VolumeState s = volume_state(P, S, C::connected, disk, peer_disk);
      const std::uint32_t flags = superblock_flags(s, false, 0);
      const D after = state_from_superblock(flags, Fencing::resource_and_stonith).disk;
      if (disk <= D::outdated) {
        EXPECT_EQ(after, disk) << shown(s);
      } else {
        EXPECT_GE(after, D::consistent) << shown(s);
      }
    }
  }
}

TEST(describe_change, only_what_differs) {
  EXPECT_EQ(describe_change(up, up), "");
  VolumeState frozen = up;
  frozen.connection = C::network_failure;
  frozen.peer_role = U;
  frozen.peer_disk = D::d_unknown;
  frozen.suspended_fencing = true;
  EXPECT_EQ(describe_change(up, frozen),
            "peer( Secondary -> Unknown ) conn( Connected -> NetworkFailure ) "
            "pdsk( UpToDate -> DUnknown ) susp( 0 -> 1 )");
}

}  // namespace
}  // namespace replicator
