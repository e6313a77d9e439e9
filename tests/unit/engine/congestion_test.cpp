// Ahead and Behind, on two simulated nodes: the Primary pulls ahead of a Secondary whose disk is
// stuck.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class CongestionTest : public EngineTest {
 protected:
  void primary(OnCongestion policy) {
    net.protocol = WireProtocol::a;
    net.on_congestion = policy;
    net.congestion_fill_sectors = 64;  // 32 KiB
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    sim::DiskFault fault;
    fault.kinds = sim::bit(sim::DiskOp::write) | sim::bit(sim::DiskOp::zeroes);
    fault.where = ByteRange(ByteOffset(0), ByteCount(1U << 20U));  // not its meta data
    fault.sticky = true;
    fault.stuck = true;
    pair_.n2.disk().inject(fault);
  }
  void congest() {
    for (std::uint64_t i = 0; i < 16; ++i) {
      ASSERT_TRUE(write(pair_.n1, i * 8192, 4096, static_cast<std::uint8_t>(i + 1)).ok()) << i;
    }
  }
  void release() {
    pair_.n2.disk().clear_faults();
    pair_.n2.disk().release_stuck();
  }
  std::string connection(sim::Node& node) {
    return std::string(name(volume(node).state().connection));
  }
};

TEST_F(CongestionTest, pulls_ahead_and_comes_back) {
  primary(OnCongestion::pull_ahead);
  congest();
  EXPECT_EQ(connection(pair_.n1), "Ahead");
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 8U);  // eight were sent before the threshold
  EXPECT_EQ(name(volume(pair_.n1).state().peer_disk), "Consistent");
  release();
  pair_.world.run_until([&] { return volume(pair_.n2).out_of_sync_blocks() == 8; },
                        Duration::seconds(5));
  EXPECT_EQ(connection(pair_.n2), "Behind");
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Outdated");
  EXPECT_EQ(volume(pair_.n2).out_of_sync_blocks(), 8U);
  wait_until_synced();
  expect_equal();
}

TEST_F(CongestionTest, a_flush_waits_until_the_peer_knows_that_it_is_behind) {
  primary(OnCongestion::pull_ahead);
  congest();
  ASSERT_EQ(connection(pair_.n1), "Ahead");
  Task<Status> flush = volume(pair_.n1).flush();
  flush.start();
  EXPECT_FALSE(pair_.world.run_until([&] { return flush.done(); }, Duration::seconds(2)));
  release();
  EXPECT_TRUE(pair_.world.run_until([&] { return flush.done(); }, Duration::seconds(2)));
  EXPECT_TRUE(flush.take().ok());
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Outdated");
  EXPECT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, false)).code, -1);
  wait_until_synced();
}

TEST_F(CongestionTest, a_link_lost_while_ahead_costs_a_resync_and_no_data) {
  primary(OnCongestion::pull_ahead);
  congest();
  ASSERT_EQ(connection(pair_.n1), "Ahead");
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  release();
  wait_until_synced();
  expect_equal();
}

TEST_F(CongestionTest, disconnects_when_told_so) {
  primary(OnCongestion::disconnect);
  congest();
  pair_.world.run_until([&] { return connection(pair_.n1) == "StandAlone"; }, Duration::seconds(5));
  EXPECT_EQ(connection(pair_.n1), "StandAlone");
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 16U);
  release();
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
  expect_equal();
}

// The only good disk is the one that is ahead.
TEST_F(CongestionTest, the_disk_that_is_ahead_is_not_detached) {
  primary(OnCongestion::pull_ahead);
  congest();
  ASSERT_EQ(connection(pair_.n1), "Ahead");
  Task<AdminResult> detach = resource(pair_.n1).detach(0, false);
  detach.start();
  release();
  pair_.world.run_until([&] { return detach.done(); }, Duration::seconds(5));
  ASSERT_TRUE(detach.done());
  EXPECT_EQ(detach.take().code, -2);
  wait_until_synced();
}

TEST_F(CongestionTest, a_disk_that_fails_while_ahead_leaves_no_good_data) {
  for (const char* line : {"local ", "disk failed, detaching"})
    pair_.world.expect_error(line);
  primary(OnCongestion::pull_ahead);
  congest();
  ASSERT_EQ(connection(pair_.n1), "Ahead");
  EXPECT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
  EXPECT_EQ(name(volume(pair_.n1).state().peer_disk), "Inconsistent");
  EXPECT_FALSE(write(pair_.n1, 0, 4096, 1).ok());
  release();
  pair_.world.run_until([&] { return volume(pair_.n2).state().disk == DiskState::inconsistent; },
                        Duration::seconds(5));
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Inconsistent");
}

}  // namespace
}  // namespace replicator
