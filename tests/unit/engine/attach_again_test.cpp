// A disk that is attached while its node is connected: what the other side refuses, what was under
// way when the disk went, and a connection that breaks in between. Nothing may negotiate for good
// (L1), and no two generations may pass for one (G3).
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class AttachAgainTest : public EngineTest {
 protected:
  AttachAgainTest() {
    for (const char* line : {"local ", "disk failed, detaching"})
      pair_.world.expect_error(line);
  }
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }

  void in_use() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  std::int32_t detach(sim::Node& node) { return pair_.run(resource(node).detach(0, false)).code; }
  static const GenerationSet& generations(sim::Node& node) {
    return volume(node).backing()->superblock().generations;
  }
  std::int32_t disconnect(sim::Node& node) {
    return pair_.run(resource(node).disconnect(false)).code;
  }
  void wait_for_connection(sim::Node& node, ConnectionState state) {
    pair_.world.run_until([&] { return volume(node).state().connection == state; },
                          Duration::seconds(60));
    ASSERT_EQ(name(volume(node).state().connection), name(state));
  }
  void wait_for_disk(sim::Node& node, DiskState state) {
    pair_.world.run_until([&] { return volume(node).state().disk == state; },
                          Duration::seconds(60));
    ASSERT_EQ(name(volume(node).state().disk), name(state));
  }
};

// The node that attaches asks and waits: when the answer is no, it must be given.
TEST_F(AttachAgainTest, a_split_brain_is_told_to_the_node_that_attaches) {
  for (const char* line : {"Split-Brain detected but unresolved",
                           "Disk attach process on the peer node was aborted"}) {
    pair_.world.expect_error(line);
  }
  in_use();
  ASSERT_EQ(disconnect(pair_.n1), 0);
  ASSERT_EQ(disconnect(pair_.n2), 0);
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x11).ok());
  ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, true)).code, 0);
  ASSERT_TRUE(write(pair_.n2, 65536, 4096, 0x22).ok());
  ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::secondary, false)).code, 0);
  ASSERT_EQ(detach(pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_for(ConnectionState::connected);

  ASSERT_EQ(attach(pair_.n2), 0);
  wait_for_disk(pair_.n2, DiskState::diskless);
  pair_.world.run_for(Duration::seconds(2));
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    EXPECT_EQ(name(volume(*node).state().connection), "Connected");
  }
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
  EXPECT_EQ(name(volume(pair_.n1).state().peer_disk), "Diskless");
}

// Writes that the peer refuses because its disk just went: their answers may come when the disk is
// back and the bitmaps are exchanged. Both bitmaps must have them, or the resync never ends.
TEST_F(AttachAgainTest, writes_that_are_refused_late_are_resynced) {
  in_use();
  // Data takes long, what the peer answers does not.
  sim::PathOptions& path = pair_.network.path(pair_.n1.id(), pair_.n2.id());
  path.bytes_per_second = 400'000;
  constexpr std::size_t writes = 64;
  io::BufferPool pool(8U << 20U, false);
  std::vector<io::BufferPool::Buffer> buffers;
  std::vector<Task<Status>> tasks;
  for (std::size_t i = 0; i < writes; ++i) {
    buffers.push_back(pool.try_take(16384));
    fill_bytes(buffers.back().bytes(), std::byte{0x33});
    const ByteRange range(ByteOffset(i * 32768), ByteCount(16384));
    tasks.push_back(volume(pair_.n1).write(range, buffers.back().bytes(), false));
    tasks.back().start();
  }
  pair_.world.run_for(Duration::milliseconds(50));
  ASSERT_EQ(pair_.run(resource(pair_.n2).detach(0, true)).code, 0);
  ASSERT_EQ(attach(pair_.n2), 0);
  for (Task<Status>& task : tasks) {
    pair_.world.run_until([&] { return task.done(); }, Duration::seconds(60));
    ASSERT_TRUE(task.done());
    EXPECT_TRUE(task.take().ok());
  }
  path.bytes_per_second = 0;
  wait_until_synced();
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
}

// The handler before a resync takes its time, and the disk that was to be its target is replaced
// meanwhile: the resync that was to begin is no more, and another one begins.
TEST_F(AttachAgainTest, a_resync_that_was_about_to_begin_does_not_outlive_its_disk) {
  in_use();
  ASSERT_EQ(detach(pair_.n2), 0);
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x44).ok());
  pair_.n2.helper().set_script([](const io::HelperCall& call) {
    sim::HelperAnswer answer;
    if (call.handler == "before-resync-target") answer.takes = Duration::seconds(3);
    return answer;
  });
  ASSERT_EQ(attach(pair_.n2), 0);
  wait_for_connection(pair_.n2, ConnectionState::wf_sync_uuid);
  wait_for_connection(pair_.n1, ConnectionState::sync_source);
  pair_.world.run_for(Duration::milliseconds(100));
  ASSERT_EQ(pair_.run(resource(pair_.n2).detach(0, true)).code, 0);
  ASSERT_EQ(attach(pair_.n2), 0);
  bool broke = false;
  pair_.world.run_until(
      [&] {
        broke = broke || volume(pair_.n2).state().connection < ConnectionState::connected;
        return volume(pair_.n2).state().disk == DiskState::up_to_date;
      },
      Duration::seconds(30));
  EXPECT_FALSE(broke);
  wait_until_synced();
  expect_equal();
}

// A source that loses its disk twice: what the target has of it so far is nothing that the Primary
// uses, so its own disk stays the one that is current.
TEST_F(AttachAgainTest, a_source_whose_disk_fails_twice_gets_it_back) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  for (int round = 0; round < 2; ++round) {
    wait_for_connection(pair_.n2, ConnectionState::sync_target);
    ASSERT_NE(volume(pair_.n2).out_of_sync_blocks(), 0U);
    ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
    wait_for(ConnectionState::connected);
    ASSERT_EQ(attach(pair_.n1), 0) << round;
  }
  wait_until_synced();
  expect_equal();
}

// Alone with its old disk a Primary goes on from there: that is a generation of its own, whatever
// the peer began for it meanwhile and could not tell.
TEST_F(AttachAgainTest, a_primary_that_attaches_alone_begins_a_generation) {
  for (const char* line : {"Split-Brain detected but unresolved", "the handshake was refused"}) {
    pair_.world.expect_error(line);
  }
  in_use();
  const std::uint64_t before = generations(pair_.n1).current;
  pair_.network.block(pair_.n2.id(), pair_.n1.id());
  ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
  pair_.world.run_for(Duration::milliseconds(100));
  ASSERT_TRUE(same_generation(generations(pair_.n2).bitmap, before));
  pair_.network.block(pair_.n1.id(), pair_.n2.id());
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  wait_for_connection(pair_.n1, ConnectionState::wf_connection);

  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
  EXPECT_FALSE(same_generation(generations(pair_.n1).current, before));
  EXPECT_TRUE(same_generation(generations(pair_.n1).bitmap, before));
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x55).ok());
  pair_.network.heal_all();
  wait_for_connection(pair_.n1, ConnectionState::stand_alone);
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
  std::array<std::byte, 512> kept{};
  pair_.n1.disk().image().read(ByteOffset(0), kept);
  EXPECT_EQ(kept[0], std::byte{0x55});
}

// The peer that was to judge the disk lost its own: an old disk must not come into use under a
// Primary that has written without it.
TEST_F(AttachAgainTest, an_old_disk_is_not_used_when_the_good_one_goes) {
  pair_.world.expect_error("another generation than the data in use");
  in_use();
  ASSERT_EQ(detach(pair_.n1), 0);
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x66).ok());
  pair_.network.block(pair_.n2.id(), pair_.n1.id());
  ASSERT_EQ(pair_.run(resource(pair_.n2).detach(0, true)).code, 0);
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_EQ(name(volume(pair_.n1).state().disk), "Negotiating");
  pair_.network.heal_all();
  wait_for_disk(pair_.n1, DiskState::diskless);
  EXPECT_EQ(name(volume(pair_.n1).state().connection), "Connected");
}

// The generation that a node begins for a Primary without a disk is told when it is on media: else
// a crash would leave the Primary with a generation that nobody has.
TEST_F(AttachAgainTest, a_generation_for_a_diskless_primary_is_told_when_it_is_on_media) {
  in_use();
  sim::DiskTiming slow;
  slow.fastest = slow.slowest = Duration::milliseconds(400);
  const sim::DiskTiming normal = pair_.n2.disk().options().timing;
  pair_.n2.disk().set_timing(slow);
  ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
  pair_.world.run_for(Duration::milliseconds(100));
  EXPECT_EQ(name(volume(pair_.n2).state().peer_disk), "Diskless");
  pair_.n2.kill();
  pair_.n2.disk().set_timing(normal);
  boot(pair_.n2);
  ASSERT_EQ(attach(pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_for(ConnectionState::connected);
  EXPECT_EQ(name(volume(pair_.n1).state().peer_disk), "UpToDate");
}

}  // namespace
}  // namespace replicator
