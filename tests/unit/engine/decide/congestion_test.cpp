// When a Primary stops sending to a peer that does not keep up.
#include "engine/decide/congestion.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/engine/decide/state_notation.hpp"

namespace replicator {
namespace {

using C = ConnectionState;
using D = DiskState;

NetOptions policy(OnCongestion what, std::uint64_t fill, std::uint32_t extents) {
  NetOptions net;
  net.protocol = WireProtocol::a;
  net.on_congestion = what;
  net.congestion_fill_sectors = fill;
  net.congestion_extents = extents;
  return net;
}

VolumeState in_sync() {
  return volume_state(Role::primary, Role::secondary, C::connected, D::up_to_date, D::up_to_date);
}

TEST(Congestion, ThresholdsAndPolicy) {
  struct Row {
    OnCongestion policy;
    std::uint64_t fill;
    std::uint32_t extents;
    Backlog backlog;
    Relief relief;
  };
  const std::vector<Row> rows = {
      {OnCongestion::block, 1, 1, {100, 100, true}, Relief::none},
      {OnCongestion::pull_ahead, 100, 10, {99, 9, false}, Relief::none},
      {OnCongestion::pull_ahead, 100, 10, {100, 0, false}, Relief::pull_ahead},
      {OnCongestion::pull_ahead, 0, 10, {1U << 30U, 9, false}, Relief::none},  // 0 is off
      {OnCongestion::pull_ahead, 0, 10, {0, 10, false}, Relief::pull_ahead},
      {OnCongestion::pull_ahead, 0, 10, {0, 0, true}, Relief::pull_ahead},
      {OnCongestion::disconnect, 100, 10, {100, 0, false}, Relief::disconnect},
  };
  for (const Row& row : rows) {
    const NetOptions net = policy(row.policy, row.fill, row.extents);
    EXPECT_EQ(static_cast<int>(relief(net, in_sync(), 101, row.backlog)),
              static_cast<int>(row.relief))
        << "row " << &row - rows.data();
  }
}

TEST(Congestion, OnlyBetweenTwoGoodDisksThatAreConnected) {
  const NetOptions net = policy(OnCongestion::pull_ahead, 1, 1);
  const Backlog backlog{100, 100, true};
  EXPECT_EQ(static_cast<int>(relief(net, in_sync(), 101, backlog)),
            static_cast<int>(Relief::pull_ahead));
  EXPECT_EQ(static_cast<int>(relief(net, in_sync(), 95, backlog)), static_cast<int>(Relief::none));
  for (const C connection :
       {C::ahead, C::sync_source, C::wf_bitmap_s, C::verify_s, C::stand_alone}) {
    VolumeState s = in_sync();
    s.connection = connection;
    EXPECT_EQ(static_cast<int>(relief(net, s, 101, backlog)), static_cast<int>(Relief::none));
  }
  VolumeState diskless = in_sync();
  diskless.disk = D::diskless;
  EXPECT_EQ(static_cast<int>(relief(net, diskless, 101, backlog)), static_cast<int>(Relief::none));
}

TEST(Congestion, SaysWhichThreshold) {
  const NetOptions net = policy(OnCongestion::pull_ahead, 100, 10);
  EXPECT_STREQ(congested_by(net, {100, 0, false}), "Congestion-fill threshold reached");
  EXPECT_STREQ(congested_by(net, {0, 10, false}), "Congestion-extents threshold reached");
  EXPECT_STREQ(congested_by(net, {0, 0, true}), "The transfer log is full");
  EXPECT_EQ(congested_by(net, {0, 0, false}), nullptr);
}

}  // namespace
}  // namespace replicator
