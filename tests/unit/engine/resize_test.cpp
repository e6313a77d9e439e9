// The size of a device that is in use, on two simulated nodes: growing, shrinking, refusals, and a
// crash at every disk operation of a resize.
#include "engine/admin_codes.hpp"
#include "tests/sim/metadata_view.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

constexpr std::uint64_t small = 8U << 20U;
constexpr std::uint64_t large = 24U << 20U;

class ResizeTest : public EngineTest {
 protected:
  ResizeTest() : EngineTest(ByteCount(small)) {}

  void in_use() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  AdminResult resize(sim::Node& node, ResizeRequest request = ResizeRequest()) {
    return pair_.run(resource(node).resize(0, request));
  }
  static ResizeRequest to_size(std::uint64_t sectors) {
    ResizeRequest request;
    request.size_sectors = sectors;
    return request;
  }
  static std::uint64_t usable(std::uint64_t bytes) {
    return sim::MetadataPlaces(ByteCount(bytes)).data.value();
  }
  static void junk(sim::Node& node, std::uint64_t from, std::uint64_t to) {
    std::vector<std::byte> content(to - from, std::byte{0xcd});
    node.disk().image().write(ByteOffset(from), content);
  }
  void grow_disks() {
    pair_.n1.disk().resize(ByteCount(large));
    pair_.n2.disk().resize(ByteCount(large));
    junk(pair_.n2, small, large);
  }
  // Restarts the node as its crash left it; what drbdadm does first is done here.
  void restart(sim::Node& node) {
    boot(node);
    ASSERT_EQ(attach(node), 0) << node.name();
  }
};

TEST_F(ResizeTest, both_disks_grew_and_the_new_area_is_resynced) {
  in_use();
  grow_disks();
  ASSERT_EQ(resize(pair_.n1).code, 0);
  pair_.world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(large));
  EXPECT_EQ(volume(pair_.n2).size().value(), usable(large));
  wait_until_synced();
  expect_equal();
  ASSERT_TRUE(write(pair_.n1, usable(large) - 4096, 4096, 0x5a).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
  // It is found again at its new place.
  pair_.n1.kill();
  pair_.n2.kill();
  restart(pair_.n1);
  restart(pair_.n2);
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(large));
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_for(ConnectionState::connected);
  wait_until_synced();
}

// The superblock may be at its new place already while nothing else is: it says that the log there
// is void, and the disk can be attached.
TEST_F(ResizeTest, a_disk_that_fails_in_the_middle_can_be_attached_again) {
  for (const char* line : {"local ", "disk failed, detaching"})
    pair_.world.expect_error(line);
  for (std::uint64_t operation = 0; operation < 10; ++operation) {
    SCOPED_TRACE(operation);
    if (operation == 0) in_use();
    const ByteCount size = pair_.n1.disk().size() + ByteCount(1U << 20U);
    for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
      node->disk().resize(size);
      junk(*node, size.value() - (1U << 20U), size.value());
    }
    sim::DiskFault fault;
    fault.kinds = sim::bit(sim::DiskOp::write);
    fault.countdown = operation;
    pair_.n1.disk().inject(fault);
    resize(pair_.n1);
    pair_.world.run_for(Duration::milliseconds(500));
    pair_.n1.disk().clear_faults();
    if (volume(pair_.n1).backing() == nullptr) {
      ASSERT_EQ(attach(pair_.n1), 0);
    }
    pair_.world.run_for(Duration::milliseconds(500));
    ASSERT_EQ(resize(pair_.n1).code, 0);
    wait_until_synced();
    expect_equal();
    if (testing::Test::HasFailure()) return;
  }
}

TEST_F(ResizeTest, a_resize_from_the_secondary_does_the_same) {
  in_use();
  grow_disks();
  ASSERT_EQ(resize(pair_.n2).code, 0);
  pair_.world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(large));
  wait_until_synced();
  expect_equal();
}

// A replacement that is too small is refused, and the device in use does not notice.
TEST_F(ResizeTest, a_smaller_disk_is_not_attached_to_a_device_in_use) {
  in_use();
  ASSERT_EQ(pair_.run(resource(pair_.n2).detach(0, false)).code, 0);
  pair_.n2.disk().replace_image(sim::Image(ByteCount(small / 2)));
  const Status made = pair_.run(testing_support::create_metadata(pair_.n2.io(), "/dev/disk"));
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(attach(pair_.n2), admin_disk_too_small);
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(name(volume(pair_.n1).state().connection), "Connected");
  EXPECT_EQ(volume(pair_.n2).size().value(), usable(small));
  EXPECT_TRUE(write(pair_.n1, usable(small) - 4096, 4096, 0x5a).ok());
}

TEST_F(ResizeTest, assume_clean_copies_nothing) {
  in_use();
  pair_.n1.disk().resize(ByteCount(large));
  pair_.n2.disk().resize(ByteCount(large));
  ResizeRequest request;
  request.assume_clean = true;
  ASSERT_EQ(resize(pair_.n1, request).code, 0);
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(volume(pair_.n2).size().value(), usable(large));
  EXPECT_EQ(name(volume(pair_.n2).state().connection), "Connected");
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 0U);
  EXPECT_EQ(volume(pair_.n2).out_of_sync_blocks(), 0U);
}

TEST_F(ResizeTest, the_smaller_disk_decides) {
  in_use();
  pair_.n1.disk().resize(ByteCount(large));
  ASSERT_EQ(resize(pair_.n1).code, 0);
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(small));
  // The meta data moved all the same: it must be found at the end of the disk.
  pair_.n1.kill();
  restart(pair_.n1);
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(small));
  pair_.n2.disk().resize(ByteCount(large));
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
}

TEST_F(ResizeTest, a_size_that_was_asked_for_is_kept_by_both) {
  in_use();
  grow_disks();
  ASSERT_EQ(resize(pair_.n1, to_size(20480)).code, 0);
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(volume(pair_.n1).size().value(), 20480U * 512);
  EXPECT_EQ(volume(pair_.n2).size().value(), 20480U * 512);
  EXPECT_EQ(volume(pair_.n2).disk_options().size_sectors, 20480U);
  wait_until_synced();
  // Smaller, by an order that says so; then as large as it gets again.
  ASSERT_EQ(resize(pair_.n1, to_size(8192)).code, 0);
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(volume(pair_.n1).size().value(), 8192U * 512);
  EXPECT_EQ(volume(pair_.n2).size().value(), 8192U * 512);
  EXPECT_FALSE(write(pair_.n1, 8192U * 512, 4096, 1).ok());
  ASSERT_EQ(resize(pair_.n1).code, 0);
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(volume(pair_.n2).size().value(), usable(large));
  wait_until_synced();
  expect_equal();
}

TEST_F(ResizeTest, writes_go_on_while_it_grows) {
  in_use();
  grow_disks();
  io::BufferPool pool(1U << 20U, false);
  io::BufferPool::Buffer buffer = pool.try_take(4096);
  std::vector<Task<Status>> writes;
  for (std::uint64_t i = 0; i < 64; ++i) {
    const ByteRange range(ByteOffset(i * 65536), ByteCount(4096));
    writes.push_back(volume(pair_.n1).write(range, buffer.bytes(), false));
    writes.back().start();
  }
  ASSERT_EQ(resize(pair_.n1).code, 0);
  for (Task<Status>& one : writes) {
    pair_.world.run_until([&] { return one.done(); }, Duration::seconds(60));
    EXPECT_TRUE(one.take().ok());
  }
  pair_.world.run_for(Duration::milliseconds(500));
  wait_until_synced();
  expect_equal();
}

TEST_F(ResizeTest, refusals) {
  EXPECT_EQ(resize(pair_.n1).code, 138);
  up();
  EXPECT_EQ(resize(pair_.n1).code, 131);
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  pair_.world.run_until(
      [&] { return volume(pair_.n1).state().connection == ConnectionState::sync_source; },
      Duration::seconds(10));
  EXPECT_EQ(resize(pair_.n1).code, 130);
  wait_until_synced();
  EXPECT_EQ(resize(pair_.n1, to_size(1U << 20U)).code, 111);
}

TEST_F(ResizeTest, a_lonely_node_grows_only_by_force) {
  in_use();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  grow_disks();
  ASSERT_EQ(resize(pair_.n1).code, 0);
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(small));
  ResizeRequest request;
  request.assume_peer_has_space = true;
  ASSERT_EQ(resize(pair_.n1, request).code, 0);
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(large));
  ASSERT_TRUE(write(pair_.n1, usable(large) - 4096, 4096, 0x5a).ok());
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  pair_.world.run_for(Duration::seconds(5));
  wait_until_synced();
  EXPECT_EQ(volume(pair_.n2).size().value(), usable(large));
  expect_equal();
}

TEST_F(ResizeTest, what_grew_between_two_connections_of_secondaries_is_resynced) {
  in_use();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::secondary, false)).code, 0);
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  grow_disks();
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  pair_.world.run_for(Duration::seconds(5));
  wait_until_synced();
  EXPECT_EQ(volume(pair_.n1).size().value(), usable(large));
  EXPECT_EQ(volume(pair_.n2).size().value(), usable(large));
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 0U);
  EXPECT_EQ(volume(pair_.n2).out_of_sync_blocks(), 0U);
  expect_equal();
}

TEST_F(ResizeTest, a_link_that_is_lost_in_the_middle_is_made_up_for) {
  for (int i = 0; i < 12; ++i) {
    SCOPED_TRACE(i);
    if (i == 0) in_use();
    const std::uint64_t bytes = small + static_cast<std::uint64_t>(i + 1) * 65536;
    pair_.n1.disk().resize(ByteCount(bytes));
    pair_.n2.disk().resize(ByteCount(bytes));
    junk(pair_.n2, bytes - 65536, bytes);
    Task<AdminResult> task = resource(pair_.n1).resize(0, ResizeRequest());
    task.start();
    pair_.world.run_for(Duration::microseconds(400 * i));
    pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
    pair_.world.run_until([&] { return task.done(); }, Duration::seconds(60));
    ASSERT_TRUE(task.done());
    pair_.world.run_for(Duration::seconds(10));
    wait_until_synced();
    // A resize that was not answered is asked for again.
    static_cast<void>(resize(pair_.n1));
    pair_.world.run_for(Duration::milliseconds(500));
    wait_until_synced();
    EXPECT_EQ(volume(pair_.n2).size().value(), usable(bytes));
    expect_equal();
  }
}

}  // namespace
}  // namespace replicator
