// Two Primaries that write at once, also to the same place: both replicas end equal, and hold what
// one of the two wrote.
#include "base/prng.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class TwoPrimaries : public EngineTest {
 protected:
  TwoPrimaries() : EngineTest(ByteCount(8U << 20U)) {}

  std::int32_t connect_two(sim::Node& node, sim::Node& peer) {
    PeerConfig config;
    config.local = node.address(7789);
    config.peer = peer.address(7789);
    NetOptions options;
    options.connect_interval_seconds = 1;
    options.allow_two_primaries = true;
    options.max_epoch_size = 20;
    return pair_.run(resource(node).connect(config, options, peer.name())).code;
  }
  void both_primary(bool first_listens = true) {
    ASSERT_EQ(attach(pair_.n1), 0);
    ASSERT_EQ(attach(pair_.n2), 0);
    sim::Node& first = first_listens ? pair_.n1 : pair_.n2;
    sim::Node& second = first_listens ? pair_.n2 : pair_.n1;
    ASSERT_EQ(connect_two(first, second), 0);
    ASSERT_EQ(connect_two(second, first), 0);
    wait_for(ConnectionState::connected);
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, false)).code, 0);
    pair_.world.run_for(Duration::milliseconds(100));
    EXPECT_EQ(name(volume(pair_.n1).state().peer_role), "Primary");
    EXPECT_EQ(name(volume(pair_.n2).state().peer_role), "Primary");
  }

  struct Write {
    explicit Write(std::size_t size) : pool(1U << 20U, false), buffer(pool.try_take(size)) {}
    io::BufferPool pool;
    io::BufferPool::Buffer buffer;
    Task<Status> task;
  };
  std::unique_ptr<Write> begin(sim::Node& node, std::uint64_t at, std::size_t size,
                               std::uint8_t fill) {
    auto write = std::make_unique<Write>(size);
    fill_bytes(write->buffer.bytes(), std::byte{fill});
    write->task = volume(node).write(ByteRange(ByteOffset(at), ByteCount(size)),
                                     write->buffer.bytes(), false);
    const sim::World::As as(pair_.world, node.id());
    write->task.start();
    return write;
  }
  void expect_done(Write& write) {
    pair_.world.run_until([&] { return write.task.done(); }, Duration::seconds(30));
    ASSERT_TRUE(write.task.done());
    EXPECT_TRUE(write.task.take().ok());
  }
  std::uint8_t byte_at(sim::Node& node, std::uint64_t at) {
    std::vector<std::byte> block(512);
    node.disk().image().read(ByteOffset(at / 512 * 512), block);
    return static_cast<std::uint8_t>(block[at % 512]);
  }
  void settle() {
    ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
    ASSERT_TRUE(pair_.run(volume(pair_.n2).flush()).ok());
    pair_.world.run_for(Duration::milliseconds(500));
    EXPECT_EQ(name(volume(pair_.n1).state().connection), "Connected");
    EXPECT_EQ(name(volume(pair_.n2).state().connection), "Connected");
    expect_equal();
  }
};

TEST_F(TwoPrimaries, each_sees_what_the_other_wrote) {
  both_primary();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x11).ok());
  ASSERT_TRUE(write(pair_.n2, 8192, 4096, 0x22).ok());
  ASSERT_TRUE(write(pair_.n2, 0, 4096, 0x33).ok());
  ASSERT_TRUE(write(pair_.n1, 8192, 4096, 0x44).ok());
  settle();
  EXPECT_EQ(byte_at(pair_.n1, 0), 0x33);
  EXPECT_EQ(byte_at(pair_.n2, 8192), 0x44);
}

TEST_F(TwoPrimaries, the_same_block_at_the_same_time) {
  both_primary();
  for (std::uint8_t i = 0; i < 20; ++i) {
    auto a = begin(pair_.n1, 4096, 4096, static_cast<std::uint8_t>(2 * i + 1));
    auto b = begin(pair_.n2, 4096, 4096, static_cast<std::uint8_t>(2 * i + 2));
    expect_done(*a);
    expect_done(*b);
    settle();
    const std::uint8_t won = byte_at(pair_.n1, 4096);
    EXPECT_TRUE(won == 2 * i + 1 || won == 2 * i + 2) << int{won};
  }
}

TEST_F(TwoPrimaries, writes_that_overlap_in_part_are_whole_in_one_order) {
  both_primary();
  for (std::uint8_t i = 0; i < 20; ++i) {
    auto a = begin(pair_.n1, 0, 8192, static_cast<std::uint8_t>(2 * i + 1));
    auto b = begin(pair_.n2, 4096, 8192, static_cast<std::uint8_t>(2 * i + 2));
    expect_done(*a);
    expect_done(*b);
    settle();
    EXPECT_EQ(byte_at(pair_.n1, 0), 2 * i + 1);
    EXPECT_EQ(byte_at(pair_.n1, 12287), 2 * i + 2);
  }
}

TEST_F(TwoPrimaries, a_storm_on_few_blocks_leaves_both_equal) {
  both_primary();
  Prng prng(7);
  for (int round = 0; round < 100; ++round) {
    pair_.network.path(pair_.n1.id(), pair_.n2.id()).slowest =
        Duration::microseconds(static_cast<std::int64_t>(50 + prng.below(3000)));
    pair_.network.path(pair_.n2.id(), pair_.n1.id()).slowest =
        Duration::microseconds(static_cast<std::int64_t>(50 + prng.below(3000)));
    std::vector<std::unique_ptr<Write>> writes;
    for (int i = 0; i < 12; ++i) {
      sim::Node& node = prng.chance(50) ? pair_.n1 : pair_.n2;
      const std::uint64_t at = prng.below(12) * 2048;
      const std::size_t size = 512 * (1 + prng.below(16));
      writes.push_back(begin(node, at, size, static_cast<std::uint8_t>(prng.below(256))));
      if (prng.chance(50)) {
        pair_.world.run_for(Duration::microseconds(static_cast<std::int64_t>(prng.below(2000))));
      }
    }
    for (auto& one : writes)
      expect_done(*one);
    settle();
    if (HasFailure()) return;
  }
}

// Both nodes had been cut off from each other, wrote on, and nobody told them what to do then.
TEST_F(TwoPrimaries, a_lost_link_is_a_split_brain) {
  both_primary();
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  pair_.world.run_until(
      [&] { return volume(pair_.n1).state().connection < ConnectionState::connected; },
      Duration::seconds(10));
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x11).ok());
  pair_.world.expect_error("Split-Brain detected but unresolved");
  pair_.world.expect_error("the handshake was refused");
  pair_.world.run_for(Duration::seconds(20));
  const bool apart = volume(pair_.n1).state().connection == ConnectionState::stand_alone ||
                     volume(pair_.n2).state().connection == ConnectionState::stand_alone;
  EXPECT_TRUE(apart);
}

TEST_F(TwoPrimaries, without_the_option_the_second_is_refused) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  EXPECT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, false)).code, -1);
}

TEST_F(TwoPrimaries, the_option_stays_while_both_are_primary) {
  both_primary();
  NetOptions options = resource(pair_.n1).connection()->options();
  options.allow_two_primaries = false;
  EXPECT_EQ(resource(pair_.n1).set_net_options(options).code, 164);
}

}  // namespace
}  // namespace replicator
