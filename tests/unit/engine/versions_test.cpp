// Two nodes with each protocol version that may be agreed upon: the main job, what a version makes
// smaller, and what it cannot do.
#include <algorithm>

#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class Versions : public EngineTest, public testing::WithParamInterface<std::uint32_t> {
 protected:
  Versions() { net.protocol_version_max = GetParam(); }

  void primary_and_synced() {
    up();
    EXPECT_EQ(resource(pair_.n1).connection()->agreed_version(), static_cast<int>(GetParam()));
    EXPECT_EQ(resource(pair_.n2).connection()->agreed_version(), static_cast<int>(GetParam()));
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    expect_equal();
  }
  void lose_the_link() {
    pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
    pair_.world.run_until(
        [&] { return volume(pair_.n1).state().connection < ConnectionState::connected; },
        Duration::seconds(60));
  }
  std::vector<std::byte> read(sim::Node& node, std::uint64_t at, std::size_t size) {
    io::BufferPool pool(1U << 20U, false);
    io::BufferPool::Buffer buffer = pool.try_take(size);
    const ByteRange range{ByteOffset(at), ByteCount(size)};
    EXPECT_TRUE(pair_.run(volume(node).read(range, buffer.bytes())).ok());
    return {buffer.bytes().begin(), buffer.bytes().end()};
  }
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
};

TEST_P(Versions, MainJob) {
  primary_and_synced();
  // One packet cannot take all of these in an old version.
  ASSERT_TRUE(write(pair_.n1, 512, 1U << 20U, 0x11).ok());
  ASSERT_TRUE(write(pair_.n1, 2U << 20U, 128U << 10U, 0x22).ok());
  ASSERT_TRUE(write(pair_.n1, 3U << 20U, 512, 0x33).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
  // The roles change places.
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::secondary, false)).code, 0);
  ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, false)).code, 0);
  EXPECT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, false)).code, -1);
  ASSERT_TRUE(write(pair_.n2, 0, 65536, 0x77).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n2).flush()).ok());
  expect_equal();
}

TEST_P(Versions, WhatWasMissedIsResynced) {
  primary_and_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  EXPECT_EQ(name(volume(pair_.n2).state().connection), "StandAlone");
  ASSERT_TRUE(write(pair_.n1, 1U << 20U, 200U << 10U, 0x44).ok());
  ASSERT_TRUE(write(pair_.n1, 5U << 20U, 4096, 0x55).ok());
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 51U);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_until_synced();
  expect_equal();
  lose_the_link();
  ASSERT_TRUE(write(pair_.n1, 0, 1U << 20U, 0x66).ok());
  wait_until_synced();
  expect_equal();
  // Nothing was left that asks for another resync (G7).
  lose_the_link();
  wait_until_synced();
  EXPECT_EQ(name(volume(pair_.n1).state().connection), "Connected");
}

TEST_P(Versions, AnEmptyResyncEnds) {
  primary_and_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_until_synced();
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    EXPECT_EQ(volume(*node).backing()->superblock().generations.bitmap, 0U);
  }
}

TEST_P(Versions, InvalidateCopiesEverything) {
  primary_and_synced();
  ASSERT_TRUE(write(pair_.n1, 0, 65536, 0x12).ok());
  ASSERT_EQ(pair_.run(resource(pair_.n2).invalidate(0, false)).code, 0);
  pair_.world.run_until([&] { return volume(pair_.n1).out_of_sync_blocks() != 0; },
                        Duration::seconds(10));
  wait_until_synced();
  expect_equal();
}

TEST_P(Versions, ReadsThroughThePeer) {
  primary_and_synced();
  ASSERT_TRUE(write(pair_.n1, 4096, 300U << 10U, 0x5c).ok());
  ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, false)).code, 0);
  const std::vector<std::byte> bytes = read(pair_.n1, 4096, 300U << 10U);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0x5c}), 300 << 10);
  ASSERT_TRUE(write(pair_.n1, 1U << 20U, 256U << 10U, 0x5d).ok());
  ASSERT_EQ(attach(pair_.n1), 0);
  wait_until_synced();
  expect_equal();
}

TEST_P(Versions, DiscardsAndZeroesLeaveEqualDisks) {
  primary_and_synced();
  ASSERT_TRUE(write(pair_.n1, 0, 1U << 20U, 0x99).ok());
  const ByteRange discarded(ByteOffset(4096), ByteCount(100U << 10U));
  const ByteRange zeroed(ByteOffset(512U << 10U), ByteCount(3U << 20U));
  ASSERT_TRUE(pair_.run(volume(pair_.n1).discard(discarded)).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).write_zeroes(zeroed, false)).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
  const std::vector<std::byte> bytes = read(pair_.n1, 0, 1U << 20U);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0x99}), (512 - 100) << 10);
}

// D3: also where no packet can ask for it.
TEST_P(Versions, AWriteWithForceUnitAccessIsOnBothMedia) {
  primary_and_synced();
  io::BufferPool pool(1U << 20U, false);
  io::BufferPool::Buffer buffer = pool.try_take(65536);
  fill_bytes(buffer.bytes(), std::byte{0x3d});
  const ByteRange range(ByteOffset(8192), ByteCount(65536));
  ASSERT_TRUE(pair_.run(volume(pair_.n1).write(range, buffer.bytes(), true)).ok());
  pair_.n1.power_cut(sim::CutMode::lose_all);
  pair_.n2.power_cut(sim::CutMode::lose_all);
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    std::vector<std::byte> bytes(65536);
    node->disk().image().read(ByteOffset(8192), bytes);
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0x3d}), 65536) << node->name();
  }
}

TEST_P(Versions, ACrashedPrimaryComesBack) {
  primary_and_synced();
  ASSERT_TRUE(write(pair_.n1, 0, 40960, 0x42).ok());
  pair_.n1.power_cut();
  boot(pair_.n1);
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
  expect_equal();
}

INSTANTIATE_TEST_SUITE_P(All, Versions, testing::Range(86U, 102U));

class VersionLimits : public EngineTest {
 protected:
  void expect_stand_alone(const char* line) {
    pair_.world.expect_error(line);
    ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    // Whoever sees it first hangs up, and the other one may not have heard the version then.
    const auto alone = [](sim::Node& node) {
      return volume(node).state().connection == ConnectionState::stand_alone;
    };
    EXPECT_TRUE(pair_.world.run_until([&] { return alone(pair_.n1) || alone(pair_.n2); },
                                      Duration::seconds(60)));
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }
};

TEST_F(VersionLimits, SeveralVolumesNeedVersion100) {
  net.protocol_version_max = 99;
  for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
    ASSERT_EQ(attach(*node), 0);
    ASSERT_EQ(resource(*node).new_volume(1, 1).code, 0);
  }
  expect_stand_alone(
      "protocol version 99 knows only volume 0, and this resource has volume 1: upgrade the peer, "
      "or raise protocol-version-max");
}

TEST_F(VersionLimits, ADryRunNeedsVersion92) {
  net.protocol_version_max = 91;
  net.tentative = true;
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_EQ(attach(pair_.n2), 0);
  expect_stand_alone("--dry-run is not supported by peer");
}

TEST_F(VersionLimits, ALimitChangedWhileConnectedHoldsFromTheNextConnectionOn) {
  up();
  NetOptions limited = resource(pair_.n1).connection()->options();
  limited.protocol_version_max = 95;
  EXPECT_EQ(resource(pair_.n1).set_net_options(limited).code, 0);
  EXPECT_EQ(resource(pair_.n1).connection()->agreed_version(), 101);
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  pair_.world.run_until(
      [&] { return volume(pair_.n1).state().connection < ConnectionState::connected; },
      Duration::seconds(60));
  wait_for(ConnectionState::connected);
  EXPECT_EQ(resource(pair_.n1).connection()->agreed_version(), 95);
}

TEST_F(VersionLimits, AnOldPeerCannotBeToldOfChangedOptions) {
  net.protocol_version_max = 99;
  up();
  NetOptions changed = resource(pair_.n1).connection()->options();
  changed.protocol = WireProtocol::a;
  EXPECT_EQ(resource(pair_.n1).set_net_options(changed).code, 163);
}

}  // namespace
}  // namespace replicator
