// Online verify on two simulated nodes: what differs is found, and nothing else.
#include "base/prng.hpp"
#include "engine/admin_codes.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

using C = ConnectionState;

class OnlineVerifyTest : public EngineTest {
 protected:
  OnlineVerifyTest() { net.verify_alg = "crc32c"; }

  void synced() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  // Rot on one disk, behind the back of the replicator.
  static void rot(sim::Node& node, std::uint64_t at) {
    std::array<std::byte, sector_bytes> sector{};
    node.disk().image().read(ByteOffset(at), sector);
    sector[7] ^= std::byte{1};
    node.disk().image().write(ByteOffset(at), sector);
  }
  std::int32_t verify(sim::Node& node, std::optional<std::uint64_t> start = std::nullopt,
                      std::optional<std::uint64_t> stop = std::nullopt) {
    return pair_.run(resource(node).verify(0, start, stop)).code;
  }
  void wait_until_verified() {
    wait_for(C::connected);
    EXPECT_FALSE(volume(pair_.n1).status().progress.active);
    EXPECT_FALSE(volume(pair_.n2).status().progress.active);
  }
  void expect_marked(std::vector<std::uint64_t> blocks) {
    for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
      EXPECT_EQ(volume(*node).out_of_sync_blocks(), blocks.size()) << node->name();
      for (const std::uint64_t block : blocks) {
        EXPECT_TRUE(volume(*node).backing()->bitmap().test(BitmapBlock(block)))
            << node->name() << " " << block;
      }
    }
  }
  void expect_differences() {
    pair_.world.expect_error("Out of sync: start=");
    pair_.world.expect_error("Online verify found");
  }
};

TEST_F(OnlineVerifyTest, EqualDisksAreFoundEqual) {
  synced();
  const std::uint64_t blocks = ceil_div(volume(pair_.n1).size().value(), block_bytes);
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    ASSERT_EQ(verify(*node), 0);
    EXPECT_EQ(name(volume(*node).state().connection), "VerifyS");
    const SyncProgress progress = volume(*node).status().progress;
    EXPECT_TRUE(progress.active && progress.verify);
    EXPECT_EQ(progress.total_blocks, blocks);
    wait_until_verified();
    expect_marked({});
  }
}

TEST_F(OnlineVerifyTest, WhatWasFoundIsRepairedWithoutANewConnection) {
  synced();
  expect_differences();
  const auto repair = [&](sim::Node& node) { return pair_.run(resource(node).repair(0)).code; };
  EXPECT_EQ(repair(pair_.n1), static_cast<int>(StateCode::nothing_to_do));
  rot(pair_.n1, 100 * block_bytes);
  rot(pair_.n2, 7 * block_bytes);
  ASSERT_EQ(verify(pair_.n1), 0);
  wait_until_verified();
  expect_marked({7, 100});
  EXPECT_EQ(repair(pair_.n2), admin_invalid_request);  // the Primary's content counts
  std::array<std::byte, block_bytes> before{};
  pair_.n1.disk().image().read(ByteOffset(100 * block_bytes), before);
  ASSERT_EQ(repair(pair_.n1), 0);
  EXPECT_GT(volume(pair_.n1).state().connection, C::connected);
  ASSERT_TRUE(write(pair_.n1, 9 * block_bytes, 4096, 0x5a).ok());  // I/O goes on
  wait_until_synced();
  expect_equal();
  expect_marked({});
  std::array<std::byte, block_bytes> after{};
  pair_.n2.disk().image().read(ByteOffset(100 * block_bytes), after);
  EXPECT_EQ(before, after);
  // Two Secondaries: the node that is asked is the source.
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::secondary, false)).code, 0);
  rot(pair_.n1, 50 * block_bytes);
  ASSERT_EQ(verify(pair_.n1), 0);
  wait_until_verified();
  ASSERT_EQ(repair(pair_.n2), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(OnlineVerifyTest, PlantedDifferencesAreFoundAndAReconnectRepairsThem) {
  for (const char* algorithm : {"crc32c", "md5", "sha1", "sha256", "sha512"}) {
    SCOPED_TRACE(algorithm);
    net.verify_alg = algorithm;
    if (volume(pair_.n1).backing() == nullptr) {
      synced();
      expect_differences();
    } else {
      NetOptions other = resource(pair_.n1).connection()->options();
      other.verify_alg = algorithm;
      ASSERT_EQ(resource(pair_.n1).set_net_options(other).code, 0);  // the peer follows
    }
    const std::uint64_t last = ceil_div(volume(pair_.n1).size().value(), block_bytes) - 1;
    rot(pair_.n1, 100 * block_bytes + 512);
    rot(pair_.n1, 101 * block_bytes);
    rot(pair_.n2, 7 * block_bytes + 3584);
    rot(pair_.n2, last * block_bytes);
    ASSERT_EQ(verify(pair_.n2), 0);
    wait_until_verified();
    expect_marked({7, 100, 101, last});
    ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    wait_until_synced();
    expect_equal();
  }
}

TEST_F(OnlineVerifyTest, ARangeIsVerifiedAndTheNextRunGoesOnBehindIt) {
  synced();
  expect_differences();
  rot(pair_.n1, 10 * block_bytes);
  rot(pair_.n1, 200 * block_bytes);
  rot(pair_.n1, 900 * block_bytes);
  ASSERT_EQ(verify(pair_.n1, 100 * 8 + 5, 300 * 8), 0);
  wait_until_verified();
  expect_marked({200});
  ASSERT_EQ(verify(pair_.n1), 0);
  EXPECT_EQ(volume(pair_.n1).status().progress.total_blocks,
            ceil_div(volume(pair_.n1).size().value(), block_bytes) - 300);
  wait_until_verified();
  expect_marked({200, 900});
  // The end was reached: the next one begins at the beginning.
  ASSERT_EQ(verify(pair_.n1), 0);
  wait_until_verified();
  expect_marked({10, 200, 900});
}

// Writes of the application go on, on either side, in and around what is being verified.
TEST_F(OnlineVerifyTest, AWriteUnderWayIsNoDifference) {
  disk.c_plan_ahead_tenths = 0;
  disk.resync_rate = 20000;
  synced();
  io::BufferPool pool(1U << 20U, false);
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    Prng prng(42);
    ASSERT_EQ(verify(*node), 0);
    std::uint64_t written = 0;
    while (volume(pair_.n1).state().connection != C::connected ||
           volume(pair_.n2).state().connection != C::connected) {
      std::vector<Task<Status>> writes;
      std::vector<io::BufferPool::Buffer> buffers;
      for (int i = 0; i < 8; ++i) {
        buffers.push_back(pool.try_take(8192));
        fill_bytes(buffers.back().bytes(), static_cast<std::byte>(prng.below(256)));
        const ByteRange range(ByteOffset(prng.below(15000) * 512), ByteCount(8192));
        writes.push_back(volume(pair_.n1).write(range, buffers.back().bytes(), false));
        writes.back().start();
      }
      for (Task<Status>& one : writes) {
        pair_.world.run_until([&] { return one.done(); }, Duration::seconds(60));
        ASSERT_TRUE(one.done());
        EXPECT_TRUE(one.take().ok());
        ++written;
      }
      ASSERT_FALSE(pair_.world.failed());
      ASSERT_LT(written, 100000U);
    }
    EXPECT_GT(written, 50U);
    expect_marked({});
  }
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
}

TEST_F(OnlineVerifyTest, ADisconnectBreaksItOffAndItIsResumed) {
  disk.c_plan_ahead_tenths = 0;
  disk.resync_rate = 2000;  // slow enough to be caught in the middle
  synced();
  ASSERT_EQ(verify(pair_.n1), 0);
  pair_.world.run_for(Duration::milliseconds(1500));
  const std::uint64_t left = volume(pair_.n1).status().progress.left_blocks;
  const std::uint64_t total = volume(pair_.n1).status().progress.total_blocks;
  ASSERT_GT(left, 0U);
  ASSERT_LT(left, total);
  ASSERT_EQ(pair_.run(resource(pair_.n1).disconnect(false)).code, 0);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
  ASSERT_EQ(verify(pair_.n1), 0);
  const std::uint64_t rest = volume(pair_.n1).status().progress.total_blocks;
  EXPECT_LE(rest, left);
  EXPECT_GT(rest + 600, left);  // at most what was under way comes again
  wait_until_verified();
  expect_marked({});
}

TEST_F(OnlineVerifyTest, ADiskThatGoesBreaksItOff) {
  disk.c_plan_ahead_tenths = 0;
  disk.resync_rate = 2000;
  synced();
  ASSERT_EQ(verify(pair_.n1), 0);
  pair_.world.run_for(Duration::milliseconds(500));
  ASSERT_EQ(pair_.run(resource(pair_.n2).detach(0, false)).code, 0);
  wait_until_verified();
  ASSERT_EQ(attach(pair_.n2), 0);
  wait_until_synced();
  ASSERT_EQ(verify(pair_.n2), 0);
  wait_until_verified();
  expect_marked({});
}

TEST_F(OnlineVerifyTest, WhatCannotBeVerifiedIsRefused) {
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(verify(pair_.n1), -15);  // no connection
  net.verify_alg = "";
  ASSERT_EQ(attach(pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_for(C::connected);
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  EXPECT_EQ(verify(pair_.n1), -14);  // no algorithm
}

TEST_F(OnlineVerifyTest, AnUnknownAlgorithmIsRefused) {
  net.verify_alg = "crc99";
  EXPECT_EQ(connect(pair_.n1, pair_.n2), 146);
  net.verify_alg = "";
  net.csums_alg = "rot13";
  EXPECT_EQ(connect(pair_.n1, pair_.n2), 144);
}

TEST_F(OnlineVerifyTest, TheAlgorithmStaysWhileAVerifyRuns) {
  disk.c_plan_ahead_tenths = 0;
  disk.resync_rate = 2000;
  synced();
  ASSERT_EQ(verify(pair_.n1), 0);
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    NetOptions other = resource(*node).connection()->options();
    other.verify_alg = "sha1";
    EXPECT_EQ(resource(*node).set_net_options(other).code, 149);
  }
  wait_until_verified();
}

}  // namespace
}  // namespace replicator
