// The end of a resync, as a kernel that is its target tells it.
#include <gtest/gtest.h>

#include "engine/flow/resource.hpp"
#include "protocol/bitmap_code.hpp"
#include "tests/sim/scripted_peer.hpp"
#include "tests/sim/two_nodes.hpp"
#include "tests/support/fresh_metadata.hpp"

namespace replicator {
namespace {

using sim::ScriptedPeer;
using C = ConnectionState;
using D = DiskState;

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

// n1 is Primary with all the data, and SyncSource; n2 a scripted Secondary with a new disk.
class ResyncEnd : public testing::Test {
 protected:
  static constexpr std::uint64_t disk_bytes = 16U << 20U;
  static constexpr std::uint64_t written_at = 1U << 20U;

  void SetUp() override {
    ASSERT_TRUE(pair_.run(testing_support::create_metadata(pair_.n1.io(), "/dev/disk")).ok());
    pair_.n1.boot([](sim::Node& n) { return std::make_unique<Program>(n); });
    BackingConfig backing;
    backing.disk_path = "/dev/disk";
    backing.meta_disk_path = "/dev/disk";
    ASSERT_EQ(pair_.run(resource().attach(0, backing, DiskOptions())).code, 0);
    ASSERT_EQ(pair_.run(resource().set_role(Role::primary, true)).code, 0);
    PeerConfig config;
    config.local = pair_.n1.address(7789);
    config.peer = pair_.n2.address(7789);
    ASSERT_EQ(pair_.run(resource().connect(config, NetOptions(), "n2")).code, 0);
    peer_ = std::make_unique<ScriptedPeer>(pair_.n2, config.local);
    ASSERT_TRUE(wait_for(C::wf_connection));
    ASSERT_TRUE(pair_.run(peer_->connect()));
    introduce();
    say_bitmap();
    ASSERT_TRUE(wait_for(C::sync_source));
  }
  void TearDown() override {
    peer_->hang_up();
    EXPECT_FALSE(pair_.world.failed());
  }

  Resource& resource() { return static_cast<Program*>(pair_.n1.program())->resource; }
  Volume& volume() { return *resource().volume(0); }
  bool wait_for(C connection, Duration limit = Duration::seconds(30)) {
    return pair_.world.run_until([&] { return volume().state().connection == connection; }, limit);
  }
  ScriptedPeer::Said hear(Socket socket, Packet command) {
    for (;;) {
      ScriptedPeer::Said said = pair_.run(peer_->hear(socket));
      if (!said.there || said.header.command == command) return said;
    }
  }
  template <class Payload>
  void say(Socket socket, Packet command, const Payload& payload) {
    ASSERT_TRUE(pair_.run(peer_->say(socket, command, payload))) << name(command);
  }
  void say_state(C connection, D disk) {
    VolumeState mine;
    mine.peer_role = Role::primary;
    mine.connection = connection;
    mine.disk = disk;
    say(Socket::data, Packet::state, StateWord{pack(mine)});
  }
  void introduce() {
    ConnectionFeatures features;
    features.version_min = 80;
    features.version_max = 101;
    ASSERT_TRUE(pair_.run(peer_->exchange_features(features, 101)));
    ProtocolOptions options;
    options.protocol = 3;
    say(Socket::data, Packet::protocol, options);
    std::array<std::byte, 256> bytes{};
    const std::size_t size = encode(SyncParam(), 101, Bytes(bytes));
    ASSERT_TRUE(pair_.run(
        peer_->say_payload(Socket::data, Packet::sync_param89, ConstBytes(bytes).first(size))));
    Sizes sizes;
    sizes.disk_sectors = disk_bytes / 512;
    sizes.current_sectors = sizes.disk_sectors;
    sizes.max_bio_bytes = 1U << 20U;
    say(Socket::data, Packet::sizes, sizes);
    Uuids fresh;
    fresh.current = 4;
    say(Socket::data, Packet::uuids, fresh);
    say_state(C::wf_connection, D::inconsistent);
  }
  void say_bitmap() {
    ASSERT_TRUE(wait_for(C::wf_bitmap_s));
    const std::uint64_t bits = ceil_div(volume().size().value(), block_bytes);
    std::vector<std::uint64_t> words(ceil_div(bits, 64), ~0ULL);
    BitmapSender sender(bits, 101, true);
    std::array<std::byte, 4096> chunk{};
    while (!sender.done()) {
      const BitmapChunk next = sender.next(words, chunk);
      ASSERT_TRUE(pair_.run(
          peer_->say_payload(Socket::data, next.packet, ConstBytes(chunk).first(next.bytes))));
    }
  }
  void acknowledge(std::uint64_t at, std::uint64_t bytes, std::uint64_t block_id) {
    BlockAck ack;
    ack.sector = to_sector(ByteOffset(at));
    ack.block_id = block_id;
    ack.bytes = static_cast<std::uint32_t>(bytes);
    say(Socket::meta, Packet::rs_write_ack, ack);
  }
  // All but the block at written_at: the resync's requests and answers are of no interest here.
  void acknowledge_resync() {
    const std::uint64_t end = volume().size().value();
    for (std::uint64_t at = 0; at < end; at += 1U << 20U) {
      const std::uint64_t from = at == written_at ? at + block_bytes : at;
      acknowledge(from, std::min<std::uint64_t>(end, at + (1U << 20U)) - from, syncer_block_id);
    }
  }

  sim::TwoNodes pair_{1, ByteCount(disk_bytes)};
  std::unique_ptr<ScriptedPeer> peer_;
};

// A kernel says so before the epoch of the last write is acknowledged.
TEST_F(ResyncEnd, WaitsForTheEpochOfTheLastWrite) {
  io::BufferPool pool(1U << 20U, false);
  const io::BufferPool::Buffer buffer = pool.try_take(block_bytes);
  fill_bytes(buffer.bytes(), std::byte{0x5a});
  Task<Status> write = volume().write(ByteRange(ByteOffset(written_at), ByteCount(block_bytes)),
                                      buffer.bytes(), false);
  write.start();
  const ScriptedPeer::Said data = hear(Socket::data, Packet::data);
  ASSERT_TRUE(data.there);
  acknowledge(written_at, block_bytes, decode_data_header(data.payload)->block_id);
  ASSERT_TRUE(pair_.world.run_until([&] { return write.done(); }, Duration::seconds(5)));
  EXPECT_TRUE(write.take().ok());
  acknowledge_resync();
  say_state(C::connected, D::up_to_date);
  pair_.world.run_for(Duration::milliseconds(20));
  EXPECT_EQ(volume().out_of_sync_blocks(), 1U);
  EXPECT_EQ(name(volume().state().connection), "SyncSource");
  EXPECT_EQ(name(volume().state().peer_disk), "Inconsistent");

  const ScriptedPeer::Said barrier = hear(Socket::data, Packet::barrier);
  ASSERT_TRUE(barrier.there);
  BarrierAck stable;
  stable.number = decode_barrier(barrier.payload)->number;
  stable.set_size = 1;
  say(Socket::meta, Packet::barrier_ack, stable);
  ASSERT_TRUE(hear(Socket::meta, Packet::ping).there);
  ASSERT_TRUE(pair_.run(peer_->say_payload(Socket::meta, Packet::ping_ack, ConstBytes())));
  EXPECT_TRUE(wait_for(C::connected, Duration::seconds(5)));
  EXPECT_EQ(name(volume().state().peer_disk), "UpToDate");
}

}  // namespace
}  // namespace replicator
