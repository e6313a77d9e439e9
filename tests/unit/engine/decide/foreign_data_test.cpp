#include "engine/decide/foreign_data.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

TEST(ForeignData, EveryConnectionState) {
  for (int value = 0; value <= static_cast<int>(ConnectionState::behind); ++value) {
    VolumeState before;
    VolumeState next;
    before.connection = ConnectionState::connected;
    next.connection = static_cast<ConnectionState>(value);
    bool wanted = false;
    for (const ConnectionState target :
         {ConnectionState::starting_sync_t, ConnectionState::wf_bitmap_t,
          ConnectionState::wf_sync_uuid, ConnectionState::sync_target,
          ConnectionState::paused_sync_t, ConnectionState::behind})
      wanted = wanted || next.connection == target;
    EXPECT_EQ(data_become_the_peers(before, next), wanted) << value;
    // Only the beginning is news.
    EXPECT_FALSE(data_become_the_peers(next, next)) << value;
  }
}

TEST(ForeignData, APeerThatBecomesPrimary) {
  for (const Role from : {Role::unknown, Role::primary, Role::secondary}) {
    for (const Role to : {Role::unknown, Role::primary, Role::secondary}) {
      VolumeState before;
      VolumeState next;
      before.peer_role = from;
      next.peer_role = to;
      EXPECT_EQ(data_become_the_peers(before, next), to == Role::primary && from != Role::primary);
    }
  }
}

}  // namespace
}  // namespace replicator
