#include "protocol/state_delta.hpp"

#include <gtest/gtest.h>

namespace {

using namespace replicator;
using C = ConnectionState;
using D = DiskState;

// The requests that a kernel sends, docs/protocol.md#state-changes.
TEST(StateDelta, MasksAndValues) {
  const auto is = [](const StateDelta& delta, std::uint32_t mask, std::uint32_t value) {
    return delta.mask == mask && delta.value == value;
  };
  EXPECT_TRUE(is(StateDelta().role(Role::primary), 0x3, 0x1));
  EXPECT_TRUE(is(StateDelta().role(Role::primary).disk(D::up_to_date), 0x1e03, 0x1001));
  EXPECT_TRUE(is(StateDelta().connection(C::disconnecting), 0x1f0, 0x10));
  EXPECT_TRUE(
      is(StateDelta().connection(C::disconnecting).peer_disk(D::outdated), 0x1e1f0, 0xa010));
  EXPECT_TRUE(is(StateDelta().connection(C::disconnecting).disk(D::outdated), 0x1ff0, 0xa10));
  EXPECT_TRUE(is(StateDelta().disk(D::failed), 0x1e00, 0x400));
  EXPECT_TRUE(is(StateDelta().connection(C::starting_sync_t), 0x1f0, 0xc0));
}

TEST(StateDelta, OnlyNamedFieldsChange) {
  VolumeState before;
  before.connection = C::connected;
  before.disk = D::up_to_date;
  before.suspended_fencing = true;
  VolumeState after = before;
  after.disk = D::failed;
  after.sync_paused_by_peer = true;
  EXPECT_EQ(StateDelta().disk(D::failed).sync_paused_by_peer(true).applied_to(before), after);
  // The last word on a field counts.
  EXPECT_EQ(StateDelta().disk(D::failed).disk(D::up_to_date).applied_to(before), before);
}

}  // namespace
