// read-balancing, al-updates and on-io-error pass_on on two simulated nodes.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class DiskOptionsTest : public EngineTest {
 protected:
  void primary() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  Status read(std::uint64_t at, std::size_t size, Bytes into) {
    return pair_.run(
        volume(pair_.n1).read(ByteRange(ByteOffset(at), ByteCount(size)), into.first(size)));
  }
  static void fail_once(sim::Node& node, sim::DiskOp kind) {
    sim::DiskFault fault;
    fault.kinds = sim::bit(kind);
    node.disk().inject(fault);
  }
  // KiB that the node's disk has read so far.
  static std::uint64_t read_kib(sim::Node& node) { return volume(node).status().disk_read_kib; }

  io::BufferPool pool_{1U << 20U, false};
  io::BufferPool::Buffer buffer_ = pool_.try_take(65536);
};

TEST_F(DiskOptionsTest, stripes_are_read_here_and_there) {
  disk.read_balancing = ReadBalancing::stripe_32k;
  primary();
  for (std::uint64_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(write(pair_.n1, i * 16384, 16384, static_cast<std::uint8_t>(i + 1)).ok());
  }
  const std::uint64_t here = read_kib(pair_.n1);
  const std::uint64_t there = read_kib(pair_.n2);
  for (std::uint64_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(read(i * 16384, 16384, buffer_.bytes()).ok());
    EXPECT_EQ(buffer_.bytes()[16383], static_cast<std::byte>(i + 1));
  }
  EXPECT_EQ(read_kib(pair_.n1) - here, 64U);
  EXPECT_EQ(read_kib(pair_.n2) - there, 64U);
}

TEST_F(DiskOptionsTest, a_marked_block_is_not_read_from_the_peer) {
  disk.read_balancing = ReadBalancing::prefer_remote;
  primary();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x11).ok());
  const std::uint64_t here = read_kib(pair_.n1);
  ASSERT_TRUE(read(0, 4096, buffer_.bytes()).ok());
  EXPECT_EQ(read_kib(pair_.n1), here);
  volume(pair_.n1).mark_out_of_sync(ByteRange(ByteOffset(0), ByteCount(4096)));
  ASSERT_TRUE(read(0, 4096, buffer_.bytes()).ok());
  EXPECT_EQ(read_kib(pair_.n1) - here, 4U);
  volume(pair_.n1).clear_out_of_sync(ByteRange(ByteOffset(0), ByteCount(4096)));
}

TEST_F(DiskOptionsTest, without_al_updates_a_crash_of_the_primary_costs_a_full_resync) {
  disk.al_updates = false;
  primary();
  const std::uint64_t before = volume(pair_.n1).status().activity_log_writes;
  for (std::uint64_t i = 0; i < 4; ++i)
    ASSERT_TRUE(write(pair_.n1, i * 4096, 4096, 0x42).ok());
  EXPECT_EQ(volume(pair_.n1).status().activity_log_writes, before);
  pair_.n1.power_cut();
  boot(pair_.n1);
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), volume(pair_.n1).size().value() / 4096);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(DiskOptionsTest, without_al_updates_a_clean_end_costs_nothing) {
  disk.al_updates = false;
  primary();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  ASSERT_EQ(pair_.run(resource(pair_.n1).down()).code, 0);
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 0U);
}

TEST_F(DiskOptionsTest, pass_on_keeps_the_disk_and_reads_the_block_from_the_peer) {
  pair_.world.expect_error("Local IO failed");
  disk.on_io_error = OnIoError::pass_on;
  primary();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  fail_once(pair_.n1, sim::DiskOp::read);
  ASSERT_TRUE(read(0, 4096, buffer_.bytes()).ok());
  EXPECT_EQ(buffer_.bytes()[0], std::byte{0x42});
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "Inconsistent");
  EXPECT_EQ(name(volume(pair_.n2).state().peer_disk), "Inconsistent");
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 1U);
  // The next connection repairs it.
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  pair_.world.run_until(
      [&] { return volume(pair_.n2).state().connection < ConnectionState::connected; },
      Duration::seconds(5));
  wait_until_synced();
  expect_equal();
}

TEST_F(DiskOptionsTest, pass_on_hands_a_write_error_to_the_application_only_without_a_peer) {
  pair_.world.expect_error("Local IO failed");
  disk.on_io_error = OnIoError::pass_on;
  primary();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  fail_once(pair_.n1, sim::DiskOp::write);
  EXPECT_TRUE(write(pair_.n1, 0, 4096, 0x43).ok());
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "Inconsistent");
  EXPECT_NE(volume(pair_.n1).backing(), nullptr);
}

TEST_F(DiskOptionsTest, pass_on_without_a_peer) {
  pair_.world.expect_error("Local IO failed");
  disk.on_io_error = OnIoError::pass_on;
  primary();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  ASSERT_EQ(pair_.run(resource(pair_.n1).disconnect(false)).code, 0);
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x43).ok());
  fail_once(pair_.n1, sim::DiskOp::write);
  EXPECT_FALSE(write(pair_.n1, 0, 4096, 0x44).ok());
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "Inconsistent");
  EXPECT_NE(volume(pair_.n1).backing(), nullptr);
}

}  // namespace
}  // namespace replicator
