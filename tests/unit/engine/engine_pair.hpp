// For tests of the engine: two simulated nodes with a volume each, on real meta data.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "engine/flow/resource.hpp"
#include "tests/sim/two_nodes.hpp"
#include "tests/support/fresh_metadata.hpp"

namespace replicator {

using sim::TwoNodes;

class Program final : public sim::Node::Program {
 public:
  explicit Program(sim::Node& node)
      : incoming_(4U << 20U, false),
        replies_(4U << 20U, false),
        resource(node.io(), Memory{incoming_, replies_}, "r0", ResourceOptions()) {
    resource.new_volume(0, 0);
  }

 private:
  io::BufferPool incoming_;
  io::BufferPool replies_;

 public:
  Resource resource;
};

class EngineTest : public testing::Test {
 protected:
  explicit EngineTest(ByteCount disk_size = ByteCount(TwoNodes::default_disk_bytes))
      : pair_(1, disk_size) {
    for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
      const Status made = pair_.run(testing_support::create_metadata(node->io(), "/dev/disk"));
      EXPECT_TRUE(made.ok());
      boot(*node);
    }
  }
  void boot(sim::Node& node) {
    node.boot([](sim::Node& n) { return std::make_unique<Program>(n); });
  }
  static Resource& resource(sim::Node& node) {
    return static_cast<Program*>(node.program())->resource;
  }
  static Volume& volume(sim::Node& node) { return *resource(node).volume(0); }

  std::int32_t attach(sim::Node& node) {
    BackingConfig backing;
    backing.disk_path = "/dev/disk";
    backing.meta_disk_path = "/dev/disk";
    DiskOptions options = disk;
    options.al_extents = al_extents;
    options.fencing = fencing;
    return pair_.run(resource(node).attach(0, backing, options)).code;
  }
  std::int32_t connect(sim::Node& node, sim::Node& peer) {
    PeerConfig config;
    config.local = node.address(7789);
    config.peer = peer.address(7789);
    NetOptions options = net;
    options.connect_interval_seconds = 1;
    return pair_.run(resource(node).connect(config, options, peer.name())).code;
  }
  void up() {
    ASSERT_EQ(attach(pair_.n1), 0);
    ASSERT_EQ(attach(pair_.n2), 0);
    ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    wait_for(ConnectionState::connected);
  }
  void wait_for(ConnectionState state) {
    pair_.world.run_until(
        [&] {
          return volume(pair_.n1).state().connection == state &&
                 volume(pair_.n2).state().connection == state;
        },
        Duration::seconds(120));
    ASSERT_EQ(name(volume(pair_.n1).state().connection), name(state));
    ASSERT_EQ(name(volume(pair_.n2).state().connection), name(state));
    ASSERT_FALSE(pair_.world.failed());
  }
  void wait_until_synced() {
    pair_.world.run_until(
        [&] {
          for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
            const VolumeState& state = volume(*node).state();
            if (state.connection != ConnectionState::connected ||
                state.disk != DiskState::up_to_date || state.peer_disk != DiskState::up_to_date) {
              return false;
            }
          }
          return true;
        },
        Duration::seconds(300));
    EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
    EXPECT_EQ(name(volume(pair_.n2).state().disk), "UpToDate");
    EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 0U);
    EXPECT_EQ(volume(pair_.n2).out_of_sync_blocks(), 0U);
  }
  void expect_equal() {
    const std::uint64_t size = volume(pair_.n1).size().value();
    std::vector<std::byte> a(size);
    std::vector<std::byte> b(size);
    pair_.n1.disk().image().read(ByteOffset(0), a);
    pair_.n2.disk().image().read(ByteOffset(0), b);
    EXPECT_EQ(std::memcmp(a.data(), b.data(), size), 0);
  }
  Status write(sim::Node& node, std::uint64_t at, std::size_t size, std::uint8_t fill) {
    io::BufferPool pool(1U << 20U, false);
    io::BufferPool::Buffer buffer = pool.try_take(size);
    fill_bytes(buffer.bytes(), std::byte{fill});
    return pair_.run(
        volume(node).write(ByteRange(ByteOffset(at), ByteCount(size)), buffer.bytes(), false));
  }

  TwoNodes pair_;
  std::uint32_t al_extents = DiskOptions().al_extents;
  Fencing fencing = Fencing::dont_care;
  NetOptions net;
  DiskOptions disk;
};

}  // namespace replicator
