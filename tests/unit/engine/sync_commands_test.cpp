// pause-sync, resume-sync, invalidate, invalidate-remote, new-current-uuid and resync-after on two
// simulated nodes.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class SyncCommands : public EngineTest {
 protected:
  SyncCommands() : EngineTest(ByteCount(64U << 20U)) {}

  std::int32_t pause(sim::Node& node, bool on) {
    return pair_.run(resource(node).pause_sync(0, on)).code;
  }
  std::int32_t invalidate(sim::Node& node, bool remote) {
    return pair_.run(resource(node).invalidate(0, remote)).code;
  }
  std::int32_t new_uuid(sim::Node& node, bool clear) {
    return pair_.run(resource(node).new_current_uuid(0, clear)).code;
  }
  void syncing() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    pair_.world.run_until(
        [&] { return volume(pair_.n2).state().connection == ConnectionState::sync_target; },
        Duration::seconds(10));
    ASSERT_EQ(name(volume(pair_.n2).state().connection), "SyncTarget");
  }
  void synced() {
    syncing();
    wait_until_synced();
  }
  // n1's state, then n2's.
  void expect_connections(std::string_view first, std::string_view second,
                          Duration after = Duration::seconds(1)) {
    pair_.world.run_for(after);
    EXPECT_EQ(name(volume(pair_.n1).state().connection), first);
    EXPECT_EQ(name(volume(pair_.n2).state().connection), second);
  }
};

TEST_F(SyncCommands, a_pause_of_the_target_holds_the_resync_until_it_is_resumed) {
  syncing();
  ASSERT_EQ(pause(pair_.n2, true), 0);
  expect_connections("PausedSyncS", "PausedSyncT");
  EXPECT_TRUE(volume(pair_.n1).state().sync_paused_by_peer);
  EXPECT_FALSE(volume(pair_.n1).state().sync_paused_by_user);
  const std::uint64_t left = volume(pair_.n2).out_of_sync_blocks();
  ASSERT_GT(left, 0U);
  pair_.world.run_for(Duration::seconds(30));
  EXPECT_EQ(volume(pair_.n2).out_of_sync_blocks(), left);
  EXPECT_EQ(pause(pair_.n2, true), 134);
  EXPECT_EQ(pause(pair_.n1, false), 157);
  ASSERT_EQ(pause(pair_.n2, false), 0);
  EXPECT_EQ(pause(pair_.n2, false), 135);
  wait_until_synced();
  expect_equal();
}

TEST_F(SyncCommands, a_pause_of_the_source_holds_it_as_well) {
  syncing();
  ASSERT_EQ(pause(pair_.n1, true), 0);
  expect_connections("PausedSyncS", "PausedSyncT");
  // Both have to resume when both paused.
  ASSERT_EQ(pause(pair_.n2, true), 0);
  ASSERT_EQ(pause(pair_.n1, false), 0);
  expect_connections("PausedSyncS", "PausedSyncT");
  ASSERT_EQ(pause(pair_.n2, false), 0);
  wait_until_synced();
}

TEST_F(SyncCommands, writes_go_on_while_the_resync_is_paused) {
  syncing();
  ASSERT_EQ(pause(pair_.n2, true), 0);
  pair_.world.run_for(Duration::seconds(1));
  const std::uint64_t left = volume(pair_.n1).out_of_sync_blocks();
  ASSERT_TRUE(write(pair_.n1, 60U << 20U, 65536, 0x33).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_LT(volume(pair_.n1).out_of_sync_blocks(), left);  // mirrored, and clean by that
  ASSERT_EQ(pause(pair_.n2, false), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(SyncCommands, a_pause_that_is_set_before_holds_the_resync_from_its_start) {
  up();
  ASSERT_EQ(pause(pair_.n2, true), 0);
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  expect_connections("PausedSyncS", "PausedSyncT");
  EXPECT_EQ(volume(pair_.n2).out_of_sync_blocks(), volume(pair_.n2).size().value() / 4096);
  ASSERT_EQ(pause(pair_.n2, false), 0);
  wait_until_synced();
}

TEST_F(SyncCommands, a_paused_resync_outlives_a_lost_connection) {
  syncing();
  ASSERT_EQ(pause(pair_.n2, true), 0);
  pair_.world.run_for(Duration::seconds(1));
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  pair_.world.run_for(Duration::seconds(10));
  expect_connections("PausedSyncS", "PausedSyncT");
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Inconsistent");
  ASSERT_EQ(pause(pair_.n2, false), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(SyncCommands, an_invalidated_secondary_is_copied_again) {
  synced();
  ASSERT_EQ(invalidate(pair_.n2, false), 0);
  expect_connections("SyncSource", "SyncTarget", Duration::milliseconds(60));
  EXPECT_EQ(invalidate(pair_.n2, false), -8);
  wait_until_synced();
  expect_equal();
}

// Neither generations nor flags tell of an invalidation that was not yet taken up.
TEST_F(SyncCommands, a_link_lost_before_the_resync_begins_does_not_undo_an_invalidation) {
  sim::DiskTiming slow;
  slow.fastest = slow.slowest = Duration::milliseconds(20);
  synced();
  // A Primary would begin a generation when it is alone.
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::secondary, false)).code, 0);
  pair_.n2.disk().image().write(ByteOffset(0), std::vector<std::byte>(4096, std::byte{0x77}));
  pair_.n1.disk().set_timing(slow);
  ASSERT_EQ(invalidate(pair_.n2, false), 0);
  pair_.world.run_until(
      [&] { return volume(pair_.n2).state().connection == ConnectionState::wf_sync_uuid; },
      Duration::seconds(10));
  ASSERT_EQ(name(volume(pair_.n2).state().connection), "WFSyncUUID");
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  pair_.world.run_for(Duration::seconds(1));
  wait_until_synced();
  expect_equal();
}

TEST_F(SyncCommands, an_invalidated_primary_is_copied_again) {
  synced();
  ASSERT_EQ(invalidate(pair_.n1, false), 0);
  expect_connections("SyncTarget", "SyncSource", Duration::milliseconds(60));
  wait_until_synced();
}

TEST_F(SyncCommands, the_peer_can_be_invalidated_from_here) {
  synced();
  ASSERT_EQ(invalidate(pair_.n1, true), 0);
  expect_connections("SyncSource", "SyncTarget", Duration::milliseconds(60));
  wait_until_synced();
}

TEST_F(SyncCommands, a_stand_alone_secondary_can_invalidate_itself_and_a_primary_its_peer) {
  synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  EXPECT_EQ(invalidate(pair_.n2, true), -15);
  EXPECT_EQ(invalidate(pair_.n1, true), -15);  // it waits for the peer
  ASSERT_EQ(pair_.run(resource(pair_.n1).disconnect(false)).code, 0);
  EXPECT_EQ(invalidate(pair_.n1, false), -15);
  ASSERT_EQ(invalidate(pair_.n1, true), 0);
  EXPECT_EQ(name(volume(pair_.n1).state().peer_disk), "Inconsistent");
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), volume(pair_.n1).size().value() / 4096);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_for(ConnectionState::connected);
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  ASSERT_EQ(invalidate(pair_.n2, false), 0);
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Inconsistent");
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(SyncCommands, without_a_disk_nothing_is_invalidated_or_begun) {
  EXPECT_EQ(invalidate(pair_.n1, false), 138);
  EXPECT_EQ(invalidate(pair_.n1, true), 138);
  EXPECT_EQ(new_uuid(pair_.n1, true), 138);
}

TEST_F(SyncCommands, a_fresh_pair_skips_its_initial_sync) {
  up();
  ASSERT_EQ(new_uuid(pair_.n1, true), 0);
  pair_.world.run_for(Duration::seconds(2));
  wait_until_synced();
  expect_connections("Connected", "Connected");
  const GenerationSet& here = volume(pair_.n1).backing()->superblock().generations;
  const GenerationSet& there = volume(pair_.n2).backing()->superblock().generations;
  EXPECT_EQ(here.current, there.current);
  EXPECT_GT(here.current, uuid_just_created);
  EXPECT_EQ(here.bitmap, 0U);
  EXPECT_EQ(there.bitmap, 0U);
  // It holds after a restart.
  pair_.n1.kill();
  pair_.n2.kill();
  boot(pair_.n1);
  boot(pair_.n2);
  up();
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, false)).code, 0);
}

TEST_F(SyncCommands, a_pair_in_use_refuses_a_new_generation_while_connected) {
  synced();
  EXPECT_EQ(new_uuid(pair_.n1, true), 151);
  EXPECT_EQ(new_uuid(pair_.n2, false), 151);
}

TEST_F(SyncCommands, a_fresh_pair_needs_clear_bitmap_while_connected) {
  up();
  EXPECT_EQ(new_uuid(pair_.n1, false), 151);
}

TEST_F(SyncCommands, a_stand_alone_node_begins_a_generation) {
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_EQ(new_uuid(pair_.n1, true), 0);
  const GenerationSet& own = volume(pair_.n1).backing()->superblock().generations;
  EXPECT_EQ(own.bitmap, uuid_just_created);
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 0U);
}

// Two resources in one program; the second one's volume comes after the first one's.
class TwoResources final : public sim::Node::Program {
 public:
  explicit TwoResources(sim::Node& node)
      : incoming_(4U << 20U, false),
        replies_(4U << 20U, false),
        first(node.io(), Memory{incoming_, replies_}, "r0", ResourceOptions(), &order_),
        second(node.io(), Memory{incoming_, replies_}, "r1", ResourceOptions(), &order_) {
    first.new_volume(0, 0);
    second.new_volume(0, 1);
  }

 private:
  io::BufferPool incoming_;
  io::BufferPool replies_;
  ResyncOrder order_;

 public:
  Resource first;
  Resource second;
};

class ResyncAfter : public testing::Test {
 protected:
  ResyncAfter() : pair_(1, ByteCount(64U << 20U)) {
    for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
      node->add_disk("/dev/second", ByteCount(64U << 20U));
      for (const char* path : {"/dev/disk", "/dev/second"}) {
        EXPECT_TRUE(pair_.run(testing_support::create_metadata(node->io(), path)).ok());
      }
      node->boot([](sim::Node& n) { return std::make_unique<TwoResources>(n); });
    }
  }
  static TwoResources& on(sim::Node& node) { return *static_cast<TwoResources*>(node.program()); }
  std::int32_t attach(Resource& resource, const char* path, std::int32_t after) {
    BackingConfig backing;
    backing.disk_path = path;
    backing.meta_disk_path = path;
    DiskOptions options;
    options.resync_after_minor = after;
    options.resync_rate = 20000;
    options.c_plan_ahead_tenths = 0;
    return pair_.run(resource.attach(0, backing, options)).code;
  }
  void connect(sim::Node& node, sim::Node& peer) {
    for (std::uint16_t i = 0; i < 2; ++i) {
      PeerConfig config;
      config.local = node.address(static_cast<std::uint16_t>(7789 + i));
      config.peer = peer.address(static_cast<std::uint16_t>(7789 + i));
      Resource& resource = i == 0 ? on(node).first : on(node).second;
      ASSERT_EQ(pair_.run(resource.connect(config, NetOptions(), peer.name())).code, 0);
    }
  }
  static std::string state(Resource& resource) { return shown_state(resource.volume(0)->state()); }
  static std::string shown_state(const VolumeState& s) {
    return std::string(name(s.connection)) + (s.sync_paused_by_dependency ? " aftr" : "") +
           (s.sync_paused_by_peer ? " peer" : "") + (s.sync_paused_by_user ? " user" : "");
  }

  sim::TwoNodes pair_;
};

TEST_F(ResyncAfter, the_second_volume_waits_for_the_first_one_to_finish) {
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    ASSERT_EQ(attach(on(*node).first, "/dev/disk", -1), 0);
    ASSERT_EQ(attach(on(*node).second, "/dev/second", node == &pair_.n2 ? 0 : -1), 0);
  }
  connect(pair_.n1, pair_.n2);
  connect(pair_.n2, pair_.n1);
  pair_.world.run_for(Duration::seconds(3));
  Resource& first = on(pair_.n1).first;
  Resource& second = on(pair_.n1).second;
  ASSERT_EQ(pair_.run(second.set_role(Role::primary, true)).code, 0);
  pair_.world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(state(on(pair_.n2).second), "SyncTarget");
  ASSERT_EQ(pair_.run(first.set_role(Role::primary, true)).code, 0);
  pair_.world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(state(on(pair_.n2).first), "SyncTarget");
  EXPECT_EQ(state(on(pair_.n2).second), "PausedSyncT aftr");
  EXPECT_EQ(state(on(pair_.n1).second), "PausedSyncS peer");
  EXPECT_EQ(pair_.run(on(pair_.n2).second.pause_sync(0, false)).code, 156);
  pair_.world.run_until(
      [&] { return on(pair_.n2).first.volume(0)->state().disk == DiskState::up_to_date; },
      Duration::seconds(60));
  pair_.world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(state(on(pair_.n2).second), "SyncTarget");
  EXPECT_EQ(state(on(pair_.n1).second), "SyncSource");
  pair_.world.run_until(
      [&] { return on(pair_.n2).second.volume(0)->state().disk == DiskState::up_to_date; },
      Duration::seconds(60));
  EXPECT_EQ(state(on(pair_.n2).second), "Connected");
}

TEST_F(ResyncAfter, a_pause_by_hand_of_the_first_holds_the_second_too) {
  ASSERT_EQ(attach(on(pair_.n1).first, "/dev/disk", -1), 0);
  ASSERT_EQ(attach(on(pair_.n1).second, "/dev/second", 0), 0);
  EXPECT_EQ(state(on(pair_.n1).second), "StandAlone");
  ASSERT_EQ(pair_.run(on(pair_.n1).first.pause_sync(0, true)).code, 0);
  pair_.world.run_for(Duration::milliseconds(100));
  EXPECT_EQ(state(on(pair_.n1).second), "StandAlone aftr");
  DiskOptions options;
  ASSERT_EQ(on(pair_.n1).second.set_disk_options(0, options).code, 0);
  EXPECT_EQ(state(on(pair_.n1).second), "StandAlone");
}

TEST_F(ResyncAfter, a_cycle_is_refused) {
  ASSERT_EQ(attach(on(pair_.n1).first, "/dev/disk", 1), 0);
  EXPECT_EQ(attach(on(pair_.n1).second, "/dev/second", 0), 133);
  EXPECT_EQ(attach(on(pair_.n1).second, "/dev/second", 1), 133);
  ASSERT_EQ(attach(on(pair_.n1).second, "/dev/second", -1), 0);
  DiskOptions options;
  options.resync_after_minor = 0;
  EXPECT_EQ(on(pair_.n1).second.set_disk_options(0, options).code, 133);
}

}  // namespace
}  // namespace replicator
