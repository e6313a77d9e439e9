// The engine on two simulated nodes: the main job, step by step, with real meta data on simulated
// disks.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

TEST_F(EngineTest, attach_sizes_the_device_and_marks_everything_out_of_sync) {
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "Inconsistent");
  EXPECT_GT(volume(pair_.n1).size().value(), 7U << 20U);
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), volume(pair_.n1).size().value() / 4096);
}

TEST_F(EngineTest, promotion_without_good_data_is_refused_with_minus_two) {
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, false)).code, -2);
}

TEST_F(EngineTest, the_main_job) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  expect_equal();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(write(pair_.n1, static_cast<std::uint64_t>(i) * 40960, 8192, 0x5a).ok()) << i;
  }
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
  // The roles change places.
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::secondary, false)).code, 0);
  ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, false)).code, 0);
  ASSERT_TRUE(write(pair_.n2, 0, 4096, 0x77).ok());
  EXPECT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, false)).code, -1);
  ASSERT_TRUE(pair_.run(volume(pair_.n2).flush()).ok());
  expect_equal();
}

TEST_F(EngineTest, writes_during_link_loss_are_resynced_by_bitmap) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  EXPECT_EQ(name(volume(pair_.n2).state().connection), "StandAlone");
  ASSERT_TRUE(write(pair_.n1, 1U << 20U, 65536, 0x11).ok());
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 16U);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(EngineTest, a_crashed_primary_resyncs_its_activity_log) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  pair_.n1.power_cut();
  boot(pair_.n1);
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
  EXPECT_GE(volume(pair_.n1).out_of_sync_blocks(), 1024U);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
  expect_equal();
}

// The extents of the writes in doubt must not outlive the activity log they are held in.
TEST_F(EngineTest, the_disk_of_a_primary_in_use_can_be_detached) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  io::BufferPool pool(1U << 20U, false);
  io::BufferPool::Buffer buffer = pool.try_take(4096);
  std::vector<Task<Status>> writes;
  for (std::uint64_t i = 0; i < 64; ++i) {
    const ByteRange range(ByteOffset(i * 65536), ByteCount(4096));
    writes.push_back(volume(pair_.n1).write(range, buffer.bytes(), false));
    writes.back().start();
  }
  EXPECT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
  EXPECT_EQ(volume(pair_.n1).backing(), nullptr);
  for (Task<Status>& one : writes) {
    pair_.world.run_until([&] { return one.done(); }, Duration::seconds(60));
    EXPECT_TRUE(one.take().ok());
  }
  EXPECT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());  // ends the epochs they were in
  ASSERT_EQ(attach(pair_.n1), 0);
  wait_until_synced();
  expect_equal();
}

// The data in use is the peer's from then on: the old disk must not pass for current when the link
// is lost before its resync.
TEST_F(EngineTest, a_detached_disk_of_a_primary_is_stale_until_it_was_resynced) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, false)).code, 0);
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x21).ok());
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::silent);
  static_cast<void>(attach(pair_.n1));
  pair_.network.reveal_dead();
  pair_.world.run_until(
      [&] { return volume(pair_.n1).state().connection < ConnectionState::connected; },
      Duration::seconds(60));
  EXPECT_NE(name(volume(pair_.n1).state().disk), "UpToDate");
}

TEST_F(EngineTest, a_disk_can_be_attached_again_when_its_negotiation_broke_off) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).detach(0, true)).code, 0);
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x21).ok());
  pair_.world.run_for(Duration::milliseconds(10));  // the new generation is told
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::silent);
  ASSERT_EQ(attach(pair_.n2), 0);
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Negotiating");
  pair_.n1.power_cut();
  boot(pair_.n1);
  pair_.network.reveal_dead();
  pair_.world.run_until([&] { return volume(pair_.n2).backing() == nullptr; },
                        Duration::seconds(60));
  EXPECT_EQ(attach(pair_.n2), 0);
}

TEST_F(EngineTest, down_ends_in_every_state) {
  up();
  EXPECT_EQ(pair_.run(resource(pair_.n1).down()).code, 0);
  EXPECT_EQ(name(volume(pair_.n1).state().connection), "StandAlone");
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "Diskless");
  EXPECT_EQ(pair_.run(resource(pair_.n2).down()).code, 0);
}

}  // namespace
}  // namespace replicator
