// What the engine says to a peer of each protocol version, packet by packet, and what such a peer
// may not ask for. The layouts are those of docs/protocol.md#versions.
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

// n1 runs the engine with a fresh disk; n2 is a scripted peer without features.
class OldPeer : public testing::TestWithParam<int> {
 protected:
  static constexpr std::uint64_t disk_bytes = 16U << 20U;

  explicit OldPeer(int version) : version_(version) {}
  OldPeer() : OldPeer(GetParam()) {}

  void SetUp() override {
    ASSERT_TRUE(pair_.run(testing_support::create_metadata(pair_.n1.io(), "/dev/disk")).ok());
    pair_.n1.boot([](sim::Node& n) { return std::make_unique<Program>(n); });
    BackingConfig backing;
    backing.disk_path = "/dev/disk";
    backing.meta_disk_path = "/dev/disk";
    ASSERT_EQ(pair_.run(resource().attach(0, backing, DiskOptions())).code, 0);
    PeerConfig config;
    config.local = pair_.n1.address(7789);
    config.peer = pair_.n2.address(7789);
    ASSERT_EQ(pair_.run(resource().connect(config, NetOptions(), "n2")).code, 0);
    peer_ = std::make_unique<ScriptedPeer>(pair_.n2, config.local);
    ASSERT_TRUE(wait_for(C::wf_connection));
    ASSERT_TRUE(pair_.run(peer_->connect()));
    ConnectionFeatures mine;
    mine.version_min = 80;
    mine.version_max = static_cast<std::uint32_t>(version_);
    ASSERT_TRUE(pair_.run(peer_->exchange_features(mine, version_)));
  }
  void TearDown() override {
    peer_->hang_up();
    EXPECT_FALSE(pair_.world.failed());
  }

  Resource& resource() { return static_cast<Program*>(pair_.n1.program())->resource; }
  Volume& volume() { return *resource().volume(0); }
  bool wait_for(C connection) {
    return pair_.world.run_until([&] { return volume().state().connection == connection; },
                                 Duration::seconds(30));
  }
  ScriptedPeer::Said hear_next(Socket socket) { return pair_.run(peer_->hear(socket)); }
  ScriptedPeer::Said hear(Socket socket, Packet command) {
    for (;;) {
      ScriptedPeer::Said said = hear_next(socket);
      if (!said.there || said.header.command == command) return said;
    }
  }
  void say_payload(Packet command, ConstBytes payload) {
    ASSERT_TRUE(pair_.run(peer_->say_payload(Socket::data, command, payload))) << name(command);
  }
  template <class Payload>
  void say(Packet command, const Payload& payload) {
    ASSERT_TRUE(pair_.run(peer_->say(Socket::data, command, payload))) << name(command);
  }
  // A Primary with good data; our disk is new.
  void introduce() {
    std::array<std::byte, 256> bytes{};
    ProtocolOptions options;
    options.protocol = 3;
    say_payload(Packet::protocol, ConstBytes(bytes).first(encode(options, version_, Bytes(bytes))));
    const Packet command = version_ >= 89 ? Packet::sync_param89 : Packet::sync_param;
    SyncParam param;
    param.resync_rate = 4194304;
    param.c_max_rate = 4194304;
    say_payload(command, ConstBytes(bytes).first(encode(param, version_, Bytes(bytes))));
    Sizes sizes;
    sizes.disk_sectors = disk_bytes / 512;
    sizes.current_sectors = sizes.disk_sectors;
    sizes.max_bio_bytes = 32U << 10U;
    say(Packet::sizes, sizes);
    Uuids uuids;
    uuids.current = generation | 1U;
    say(Packet::uuids, uuids);
    VolumeState mine;
    mine.role = Role::primary;
    mine.connection = C::wf_connection;
    mine.disk = D::up_to_date;
    say(Packet::state, StateWord{pack(mine)});
  }
  void exchange_bitmaps() {
    ASSERT_TRUE(wait_for(C::wf_bitmap_t));
    const std::uint64_t bits = ceil_div(volume().size().value(), block_bytes);
    std::vector<std::uint64_t> words(ceil_div(bits, 64), ~0ULL);
    BitmapSender sender(bits, version_, true);
    std::array<std::byte, 4096> chunk{};
    while (!sender.done()) {
      const BitmapChunk next = sender.next(words, chunk);
      say_payload(next.packet, ConstBytes(chunk).first(next.bytes));
    }
    ASSERT_TRUE(wait_for(C::wf_sync_uuid));
    say(Packet::sync_uuid, SyncUuid{generation + (1ULL << 48U)});
  }

  static constexpr std::uint64_t generation = 0x1234567812345678ULL;
  int version_;
  sim::TwoNodes pair_{1, ByteCount(disk_bytes)};
  std::unique_ptr<ScriptedPeer> peer_;
};

TEST_P(OldPeer, HearsTheLayoutsOfItsVersion) {
  const ScriptedPeer::Said protocol = hear_next(Socket::data);
  EXPECT_EQ(name(protocol.header.command), "P_PROTOCOL");
  EXPECT_EQ(protocol.payload.size(), version_ >= 87 ? 25U : 24U);
  const ScriptedPeer::Said parameters = hear_next(Socket::data);
  EXPECT_EQ(name(parameters.header.command), version_ >= 89 ? "P_SYNC_PARAM89" : "P_SYNC_PARAM");
  const std::size_t expected = version_ <= 87 ? 4 : version_ == 88 ? 5 : version_ <= 94 ? 132 : 148;
  EXPECT_EQ(parameters.payload.size(), expected);
  const ScriptedPeer::Said sizes = hear_next(Socket::data);
  EXPECT_EQ(name(sizes.header.command), "P_SIZES");
  ASSERT_EQ(sizes.payload.size(), 32U);
  const std::uint32_t most = version_ >= 100  ? 1U << 20U
                             : version_ >= 95 ? 128U << 10U
                                              : 32U << 10U;
  EXPECT_EQ(read_be32(sizes.payload, 24), most);
  EXPECT_EQ(name(hear_next(Socket::data).header.command), "P_UUIDS");
  EXPECT_EQ(name(hear_next(Socket::data).header.command), "P_STATE");
}

TEST_P(OldPeer, IsNotAskedForMoreThanAPacketHolds) {
  introduce();
  exchange_bitmaps();
  const std::uint32_t most = version_ >= 100  ? 1U << 20U
                             : version_ >= 95 ? 128U << 10U
                                              : 32U << 10U;
  for (int i = 0; i < 3; ++i) {
    const ScriptedPeer::Said request = hear(Socket::data, Packet::rs_data_request);
    ASSERT_TRUE(request.there);
    EXPECT_EQ(decode_block_request(request.payload)->bytes, most);
  }
}

TEST_P(OldPeer, GetsItsResyncAcknowledgedAndItsWritesAnswered) {
  introduce();
  exchange_bitmaps();
  const Result<BlockRequest> request =
      decode_block_request(hear(Socket::data, Packet::rs_data_request).payload);
  ASSERT_TRUE(request);
  std::vector<std::byte> reply(data_header_bytes + request->bytes, std::byte{0x21});
  DataHeader header;
  header.sector = request->sector;
  header.block_id = request->block_id;
  encode(header, reply);
  say_payload(Packet::rs_data_reply, reply);
  const ScriptedPeer::Said acked = hear(Socket::meta, Packet::rs_write_ack);
  EXPECT_EQ(decode_block_ack(acked.payload)->bytes, request->bytes);
  // A write without a word about the answer; protocol C is configured.
  std::vector<std::byte> write(data_header_bytes + 4096, std::byte{0x22});
  header.block_id = 0x77;
  header.seq_num = 1;
  header.flags = version_ >= 100 ? dp_send_write_ack : 0;
  encode(header, write);
  say_payload(Packet::data, write);
  const ScriptedPeer::Said answered = hear(Socket::meta, Packet::write_ack);
  ASSERT_TRUE(answered.there);
  EXPECT_EQ(decode_block_ack(answered.payload)->block_id, 0x77U);
  std::array<std::byte, 8> barrier{};
  say_payload(Packet::barrier, barrier);
  const ScriptedPeer::Said closed = hear(Socket::meta, Packet::barrier_ack);
  ASSERT_TRUE(closed.there);
  EXPECT_EQ(decode_barrier_ack(closed.payload)->set_size, 1U);
}

INSTANTIATE_TEST_SUITE_P(All, OldPeer, testing::Range(86, 102));

class Peer94 : public OldPeer {
 protected:
  Peer94() : OldPeer(94) {}
};

// The answer would not fit a header of 16 bits of length.
TEST_F(Peer94, MayNotAskForMoreThanAPacketHolds) {
  introduce();
  ASSERT_TRUE(wait_for(C::wf_bitmap_t));
  BlockRequest request;
  request.bytes = 64U << 10U;
  say(Packet::data_request, request);
  EXPECT_TRUE(wait_for(C::wf_connection));
}

TEST_F(Peer94, DelayProbesAreIgnored) {
  introduce();
  say(Packet::delay_probe, DelayProbe{1, 2});
  EXPECT_TRUE(wait_for(C::wf_bitmap_t));
  ASSERT_TRUE(pair_.run(peer_->say_payload(Socket::meta, Packet::ping, ConstBytes())));
  EXPECT_TRUE(hear(Socket::meta, Packet::ping_ack).there);
}

// P_TRIM and P_ZEROES end in zeroes (E8); whether the space may be given up the flags say.
class RangePeer : public OldPeer {
 protected:
  RangePeer() : OldPeer(101) {}
  struct Zeroed {
    std::uint64_t begin = 0;
    std::uint64_t bytes = 0;
    bool may_unmap = false;
  };
  void SetUp() override {
    OldPeer::SetUp();
    introduce();
    exchange_bitmaps();
    ASSERT_TRUE(wait_for(C::sync_target));
    pair_.n1.disk().on_submit([this](const sim::SimDisk::Seen& seen) {
      if (seen.kind != sim::DiskOp::zeroes) return;
      zeroed_.push_back({seen.range.begin.value(), seen.range.length.value(), seen.may_unmap});
    });
  }
  void say_range(Packet command, std::uint32_t flags, std::uint64_t sector, std::uint32_t bytes) {
    RangeHeader header;
    header.data.sector = Sector(sector);
    header.data.block_id = 0x51;
    header.data.seq_num = ++sequence_;
    header.data.flags = flags | dp_send_write_ack;
    header.bytes = bytes;
    say(command, header);
  }
  // Content of ours, the request, its answer; the content then is zeroes.
  void expect_zeroed(Packet command, std::uint32_t flags, bool may_unmap) {
    const std::vector<std::byte> junk(16384, std::byte{0x7e});
    pair_.n1.disk().image().write(ByteOffset(1U << 20U), junk);
    zeroed_.clear();
    say_range(command, flags, 2048 + 3, 8192);
    const ScriptedPeer::Said answer = hear(Socket::meta, Packet::write_ack);
    ASSERT_TRUE(answer.there);
    EXPECT_EQ(decode_block_ack(answer.payload)->block_id, 0x51U);
    ASSERT_EQ(zeroed_.size(), 1U);
    EXPECT_EQ(zeroed_[0].begin, (2048U + 3U) * 512U);
    EXPECT_EQ(zeroed_[0].bytes, 8192U);
    EXPECT_EQ(zeroed_[0].may_unmap, may_unmap);
    std::vector<std::byte> now(16384);
    pair_.n1.disk().image().read(ByteOffset(1U << 20U), now);
    EXPECT_EQ(now[3 * 512 - 1], std::byte{0x7e});
    for (std::size_t i = 3 * 512; i < 3 * 512 + 8192; ++i)
      ASSERT_EQ(now[i], std::byte{0}) << i;
    EXPECT_EQ(now[3 * 512 + 8192], std::byte{0x7e});
  }

  std::vector<Zeroed> zeroed_;
  std::uint32_t sequence_ = 0;
};

TEST_F(RangePeer, TrimMayUnmap) { expect_zeroed(Packet::trim, dp_discard, true); }
TEST_F(RangePeer, TrimWithoutItsFlagMayUnmapAllTheSame) { expect_zeroed(Packet::trim, 0, true); }
TEST_F(RangePeer, ZeroesKeepTheSpace) { expect_zeroed(Packet::zeroes, dp_zeroes, false); }
TEST_F(RangePeer, ZeroesWithDiscardMayUnmap) {
  expect_zeroed(Packet::zeroes, dp_zeroes | dp_discard, true);
}

// P4.
TEST_F(RangePeer, ARangeBeyondTheDeviceEndsTheConnection) {
  say_range(Packet::zeroes, dp_zeroes, to_sectors(volume().size()).value() - 1, 1024);
  EXPECT_TRUE(wait_for(C::wf_connection));
  EXPECT_TRUE(zeroed_.empty());
}

// As kernels of today do, and as P_SIZES has said: we cannot.
TEST_F(RangePeer, WriteSameIsRefused) {
  std::array<std::byte, 256> head{};
  RangeHeader header;
  header.data.flags = dp_wsame | dp_send_write_ack;
  header.data.seq_num = 1;
  header.bytes = 65536;
  const std::size_t fixed = encode(header, Bytes(head));
  std::vector<std::byte> payload(fixed + 512, std::byte{0x66});
  copy_bytes(payload, ConstBytes(head).first(fixed));
  say_payload(Packet::wsame, payload);
  EXPECT_TRUE(wait_for(C::wf_connection));
  std::vector<std::byte> now(512);
  pair_.n1.disk().image().read(ByteOffset(0), now);
  EXPECT_NE(now[0], std::byte{0x66});
}

}  // namespace
}  // namespace replicator
