// A disk that stops to answer: `disk-timeout`, `detach --force`, `down`. Nothing that waits for it
// waits for good, the peer serves, memory that its late operations may touch is left alone, and
// nobody opens it before they have ended.
#include <array>

#include "engine/admin_codes.hpp"
#include "io/held_memory.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

constexpr std::uint32_t everything = sim::bit(sim::DiskOp::read) | sim::bit(sim::DiskOp::write) |
                                     sim::bit(sim::DiskOp::flush) | sim::bit(sim::DiskOp::zeroes);

class HungDiskTest : public EngineTest {
 protected:
  HungDiskTest() : EngineTest(ByteCount(16ULL << 20U)) {
    for (const char* line : {"local ", "disk failed, detaching"})
      pair_.world.expect_error(line);
  }
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }

  static void hang(sim::Node& node, std::uint32_t kinds = everything) {
    sim::DiskFault fault;
    fault.kinds = kinds;
    fault.sticky = true;
    fault.stuck = true;
    node.disk().inject(fault);
  }
  static void answer_again(sim::Node& node) {
    node.disk().clear_faults();
    node.disk().release_stuck();
  }
  void run_for(Duration time) { pair_.world.run_for(time); }
  bool until_diskless(sim::Node& node, Duration limit) {
    return pair_.world.run_until([&] { return volume(node).backing() == nullptr; }, limit);
  }
  void primary() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  // The task runs until it is done or the time is over.
  template <class T>
  bool done_within(Task<T>& task, Duration limit) {
    return pair_.world.run_until([&] { return task.done(); }, limit);
  }
  template <class T>
  void start(sim::Node& node, Task<T>& task) {
    const sim::World::As as(pair_.world, node.id());
    task.start();
  }
  // By the application of n1; it may take its time.
  Task<Status> start_write(std::uint64_t at, unsigned value) {
    fill_bytes(data_, static_cast<std::byte>(value));
    Task<Status> writing =
        volume(pair_.n1).write(ByteRange(ByteOffset(at), ByteCount(4096)), data_, false);
    start(pair_.n1, writing);
    return writing;
  }
  alignas(4096) std::array<std::byte, 4096> data_{};

  // Late operations end; then the disk is as good as any other that was away.
  void attach_again_and_compare(sim::Node& node) {
    EXPECT_EQ(attach(node), admin_disk_claimed);
    answer_again(node);
    run_for(Duration::milliseconds(100));
    EXPECT_EQ(node.disks_kept(), 0U);
    ASSERT_EQ(attach(node), 0);
    wait_for(ConnectionState::connected);
    wait_until_synced();
    ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
    expect_equal();
  }
};

TEST_F(HungDiskTest, a_write_that_hangs_is_answered_from_the_peer_after_disk_timeout) {
  disk.disk_timeout_tenths = 10;
  primary();
  hang(pair_.n1);
  const Instant before = pair_.world.now();
  EXPECT_TRUE(write(pair_.n1, 8192, 4096, 0x11).ok());
  const Duration took = pair_.world.now() - before;
  EXPECT_GE(took, Duration::seconds(1));
  EXPECT_LT(took, Duration::milliseconds(1300));
  EXPECT_TRUE(until_diskless(pair_.n1, Duration::seconds(1)));
  EXPECT_EQ(name(volume(pair_.n2).state().peer_disk), "Diskless");
  EXPECT_TRUE(write(pair_.n1, 12288, 4096, 0x12).ok());
  attach_again_and_compare(pair_.n1);
}

TEST_F(HungDiskTest, without_disk_timeout_everybody_waits) {
  primary();
  hang(pair_.n1);
  Task<Status> writing = start_write(0, 1);
  EXPECT_FALSE(done_within(writing, Duration::seconds(300)));
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
  answer_again(pair_.n1);
  EXPECT_TRUE(done_within(writing, Duration::seconds(1)));
  expect_equal();
}

TEST_F(HungDiskTest, disk_timeout_counts_when_it_is_set_later) {
  primary();
  hang(pair_.n1);
  Task<Status> writing = start_write(0, 1);
  run_for(Duration::seconds(5));
  DiskOptions options = volume(pair_.n1).disk_options();
  options.disk_timeout_tenths = 20;
  {
    const sim::World::As as(pair_.world, pair_.n1.id());
    ASSERT_EQ(resource(pair_.n1).set_disk_options(0, options).code, 0);
  }
  EXPECT_FALSE(done_within(writing, Duration::milliseconds(1900)));
  ASSERT_TRUE(done_within(writing, Duration::milliseconds(500)));
  EXPECT_TRUE(writing.take().ok());
}

// A long pause of the whole process is not the disk's fault.
TEST_F(HungDiskTest, a_pause_of_the_process_is_not_blamed_on_the_disk) {
  disk.disk_timeout_tenths = 5;
  primary();
  hang(pair_.n1);
  Task<Status> writing = start_write(0, 1);
  run_for(Duration::milliseconds(100));
  pair_.world.pause(pair_.n1.id(), pair_.world.now() + Duration::seconds(8));
  answer_again(pair_.n1);
  ASSERT_TRUE(done_within(writing, Duration::seconds(20)));
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
}

// The disk may yet write into the memory that it was given.
TEST_F(HungDiskTest, a_read_that_hangs_asks_for_other_memory) {
  disk.disk_timeout_tenths = 10;
  primary();
  ASSERT_TRUE(write(pair_.n1, 4096, 4096, 0x21).ok());
  hang(pair_.n1);
  io::BufferPool pool(1U << 20U, false);
  const ByteRange range(ByteOffset(4096), ByteCount(4096));
  io::BufferPool::Buffer buffer = pool.try_take(4096);
  const Bytes first = buffer.bytes();
  EXPECT_EQ(pair_.run(volume(pair_.n1).read(range, first)).fault(), Fault::memory_held);
  EXPECT_TRUE(io::HeldMemory::holds(first));
  buffer.reset();
  EXPECT_EQ(pool.free_bytes(), (1U << 20U) - 4096);
  fill_bytes(first, std::byte{0x33});
  buffer = pool.try_take(4096);
  ASSERT_NE(buffer.bytes().data(), first.data());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).read(range, buffer.bytes())).ok());
  EXPECT_EQ(buffer.bytes()[100], std::byte{0x21});
  EXPECT_EQ(first[100], std::byte{0x33});
  answer_again(pair_.n1);
  run_for(Duration::milliseconds(100));
  EXPECT_EQ(first[100], std::byte{0x21});  // that is what the memory was kept for
  EXPECT_FALSE(io::HeldMemory::holds(first));
  EXPECT_EQ(pool.free_bytes(), (1U << 20U) - 4096);
}

TEST_F(HungDiskTest, the_secondary_s_disk_hangs_and_the_primary_goes_on) {
  ASSERT_EQ(attach(pair_.n1), 0);
  disk.disk_timeout_tenths = 10;
  ASSERT_EQ(attach(pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_for(ConnectionState::connected);
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  hang(pair_.n2);
  EXPECT_TRUE(write(pair_.n1, 8192, 4096, 0x31).ok());
  EXPECT_TRUE(until_diskless(pair_.n2, Duration::seconds(3)));
  EXPECT_TRUE(write(pair_.n1, 0, 8192, 0x32).ok());
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 3U);
  wait_for(ConnectionState::connected);
  attach_again_and_compare(pair_.n2);
}

// on-io-error speaks of errors; no answer is worse.
TEST_F(HungDiskTest, pass_on_does_not_keep_a_disk_that_hangs) {
  disk.disk_timeout_tenths = 10;
  disk.on_io_error = OnIoError::pass_on;
  primary();
  hang(pair_.n1, sim::bit(sim::DiskOp::write));
  EXPECT_TRUE(write(pair_.n1, 8192, 4096, 0x41).ok());
  EXPECT_TRUE(until_diskless(pair_.n1, Duration::seconds(1)));
}

TEST_F(HungDiskTest, the_activity_log_hangs) {
  disk.disk_timeout_tenths = 10;
  al_extents = 7;
  primary();
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write);
  fault.where = ByteRange(ByteOffset(15ULL << 20U), ByteCount(1U << 20U));
  fault.sticky = true;
  fault.stuck = true;
  pair_.n1.disk().inject(fault);
  EXPECT_TRUE(write(pair_.n1, 4096, 4096, 0x51).ok());
  EXPECT_TRUE(until_diskless(pair_.n1, Duration::seconds(1)));
  attach_again_and_compare(pair_.n1);
}

// L4.
TEST_F(HungDiskTest, detach_force_frees_who_waits) {
  primary();
  hang(pair_.n1);
  Task<Status> writing = start_write(0, 0x61);
  Task<AdminResult> plain = resource(pair_.n1).detach(0, false);
  start(pair_.n1, plain);
  EXPECT_FALSE(done_within(plain, Duration::seconds(100)));
  Task<AdminResult> forced = resource(pair_.n1).detach(0, true);
  start(pair_.n1, forced);
  ASSERT_TRUE(done_within(forced, Duration::seconds(4)));
  EXPECT_EQ(forced.take().code, 0);
  EXPECT_TRUE(plain.done());
  ASSERT_TRUE(done_within(writing, Duration::seconds(1)));
  EXPECT_TRUE(writing.take().ok());
  EXPECT_EQ(volume(pair_.n1).backing(), nullptr);
  attach_again_and_compare(pair_.n1);
}

TEST_F(HungDiskTest, detach_force_of_a_disk_that_is_well_ends_it_in_order) {
  primary();
  EXPECT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
  EXPECT_EQ(pair_.n1.disks_kept(), 0U);
  EXPECT_TRUE(write(pair_.n1, 8192, 4096, 0x62).ok());
  ASSERT_EQ(attach(pair_.n1), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(HungDiskTest, detach_force_ends_an_attach_that_hangs) {
  hang(pair_.n1, sim::bit(sim::DiskOp::read));
  BackingConfig backing;
  backing.disk_path = backing.meta_disk_path = "/dev/disk";
  Task<AdminResult> attaching = resource(pair_.n1).attach(0, backing, disk);
  start(pair_.n1, attaching);
  EXPECT_FALSE(done_within(attaching, Duration::seconds(100)));
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "Attaching");
  Task<AdminResult> forced = resource(pair_.n1).detach(0, true);
  start(pair_.n1, forced);
  ASSERT_TRUE(done_within(forced, Duration::seconds(4)));
  ASSERT_TRUE(attaching.done());
  EXPECT_EQ(attaching.take().code, admin_meta_io);
  EXPECT_EQ(attach(pair_.n1), admin_disk_claimed);
  answer_again(pair_.n1);
  run_for(Duration::milliseconds(100));
  EXPECT_EQ(attach(pair_.n1), 0);
}

TEST_F(HungDiskTest, disk_timeout_ends_an_attach_that_hangs) {
  disk.disk_timeout_tenths = 10;
  hang(pair_.n1, sim::bit(sim::DiskOp::write));
  const Instant before = pair_.world.now();
  EXPECT_EQ(attach(pair_.n1), admin_meta_io);
  EXPECT_LT(pair_.world.now() - before, Duration::seconds(2));
}

TEST_F(HungDiskTest, down_ends_with_a_disk_that_hangs) {
  primary();
  hang(pair_.n1);
  const Instant before = pair_.world.now();
  EXPECT_EQ(pair_.run(resource(pair_.n1).down()).code, 0);
  EXPECT_LT(pair_.world.now() - before, Duration::seconds(25));
  EXPECT_EQ(volume(pair_.n1).backing(), nullptr);
  EXPECT_EQ(pair_.n1.disks_kept(), 1U);
  answer_again(pair_.n1);
  run_for(Duration::milliseconds(100));
  EXPECT_EQ(pair_.n1.disks_kept(), 0U);
}

// What lands late is marked by then, and lands before anything newer.
TEST_F(HungDiskTest, a_late_write_does_not_survive_the_resync) {
  disk.disk_timeout_tenths = 5;
  primary();
  hang(pair_.n1);
  EXPECT_TRUE(write(pair_.n1, 8192, 4096, 0x71).ok());
  EXPECT_TRUE(write(pair_.n1, 8192, 4096, 0x72).ok());
  ASSERT_TRUE(until_diskless(pair_.n1, Duration::seconds(1)));
  attach_again_and_compare(pair_.n1);
  std::vector<std::byte> content(4096);
  pair_.n1.disk().image().read(ByteOffset(8192), content);
  EXPECT_EQ(content[0], std::byte{0x72});
}

// The peer has it and is gone, and this disk has begun a generation without it (D1).
TEST_F(HungDiskTest, a_write_that_the_disk_passed_by_is_not_answered) {
  disk.disk_timeout_tenths = 50;
  primary();
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write);
  fault.where = ByteRange(ByteOffset(8192), ByteCount(4096));
  fault.stuck = true;
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x80).ok());
  pair_.n1.disk().inject(fault);
  Task<Status> writing = start_write(8192, 0x81);
  run_for(Duration::seconds(1));
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  ASSERT_TRUE(done_within(writing, Duration::seconds(8)));
  EXPECT_FALSE(writing.take().ok());
}

}  // namespace
}  // namespace replicator
