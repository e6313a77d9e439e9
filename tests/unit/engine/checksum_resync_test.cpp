// What a resync need not send (csums-alg, rs-discard-granularity), and data that carries its digest
// (data-integrity-alg), on two simulated nodes.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

using C = ConnectionState;

class ChecksumResyncTest : public EngineTest {
 protected:
  void synced() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  void apart() { ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0); }
  void together() {
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    wait_until_synced();
  }
  // Counted anew with each connection.
  std::uint64_t received_kib() { return volume(pair_.n2).status().net_received_kib; }
};

TEST_F(ChecksumResyncTest, EqualBlocksDoNotTravel) {
  for (const char* algorithm : {"crc32c", "sha1"}) {
    net.csums_alg = algorithm;
    if (volume(pair_.n1).backing() == nullptr) synced();
    NetOptions other = resource(pair_.n1).connection()->options();
    other.csums_alg = algorithm;
    ASSERT_EQ(resource(pair_.n1).set_net_options(other).code, 0);
    ASSERT_TRUE(write(pair_.n1, 1U << 20U, 1U << 20U, 0x11).ok());
    ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
    apart();
    ASSERT_TRUE(write(pair_.n1, 1U << 20U, 1U << 20U, 0x11).ok());  // what is there already
    ASSERT_TRUE(write(pair_.n1, 4U << 20U, 65536, algorithm[0] == 'c' ? 0x22 : 0x33).ok());
    EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 256U + 16U);
    together();
    EXPECT_EQ(received_kib(), 64U) << algorithm;
    expect_equal();
  }
}

TEST_F(ChecksumResyncTest, AfterACrashOnlyMeansThat) {
  net.csums_alg = "crc32c";
  net.csums_after_crash_only = true;
  synced();
  apart();
  ASSERT_TRUE(write(pair_.n1, 0, 65536, 0).ok());  // zeroes, which are there already
  together();
  EXPECT_EQ(received_kib(), 64U);
  // A Primary that crashed comes back as the target: its active extents are compared.
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  pair_.n1.power_cut();
  ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, false)).code, 0);
  ASSERT_TRUE(write(pair_.n2, 8192, 4096, 0x43).ok());
  boot(pair_.n1);
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_GE(volume(pair_.n1).out_of_sync_blocks(), 1024U);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
  EXPECT_LE(volume(pair_.n1).status().net_received_kib, 1024U);  // of 4 MiB, one request
  expect_equal();
}

TEST_F(ChecksumResyncTest, ZeroesNeedNotTravel) {
  disk.rs_discard_granularity = 65536;
  std::vector<std::byte> old(1U << 20U, std::byte{0xa5});
  pair_.n2.disk().image().write(ByteOffset(2U << 20U), old);  // the target's disk is not new
  std::vector<std::byte> data(8192, std::byte{0x5a});
  pair_.n1.disk().image().write(ByteOffset(3U << 20U), data);
  synced();
  EXPECT_GE(received_kib(), 64U);
  EXPECT_LE(received_kib(), 256U);  // the piece with data, and the end that fills no piece
  expect_equal();
}

TEST_F(ChecksumResyncTest, DataComesWithItsDigest) {
  net.data_integrity_alg = "sha1";
  synced();
  expect_equal();
  ASSERT_TRUE(write(pair_.n1, 0, 8192, 0x11).ok());
  ASSERT_TRUE(write(pair_.n1, 1U << 20U, 1U << 20U, 0x12).ok());
  ASSERT_TRUE(pair_
                  .run(volume(pair_.n1).write_zeroes(
                      ByteRange(ByteOffset(4096), ByteCount(2U << 20U)), true))
                  .ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
  apart();
  ASSERT_TRUE(write(pair_.n1, 3U << 20U, 65536, 0x13).ok());
  together();
  expect_equal();
  // Read through the peer.
  ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, false)).code, 0);
  std::vector<std::byte> read(4096);
  ASSERT_TRUE(
      pair_.run(volume(pair_.n1).read(ByteRange(ByteOffset(3U << 20U), ByteCount(4096)), read))
          .ok());
  EXPECT_EQ(read[7], std::byte{0x13});
}

TEST_F(ChecksumResyncTest, TheDigestMayChangeWhileConnected) {
  net.data_integrity_alg = "crc32c";
  synced();
  for (const char* algorithm : {"sha256", "", "md5"}) {
    for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
      NetOptions other = resource(*node).connection()->options();
      other.data_integrity_alg = algorithm;
      ASSERT_EQ(resource(*node).set_net_options(other).code, 0);
      ASSERT_TRUE(write(pair_.n1, 0, 8192, static_cast<std::uint8_t>(algorithm[0])).ok());
    }
  }
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  EXPECT_EQ(name(volume(pair_.n1).state().connection), "Connected");
  expect_equal();
}

TEST_F(ChecksumResyncTest, AnUnknownDigestIsRefused) {
  net.data_integrity_alg = "crc33";
  EXPECT_EQ(connect(pair_.n1, pair_.n2), 141);
}

}  // namespace
}  // namespace replicator
