// The engine beside a recorded kernel that verifies, on either side: what the kernels said to each
// other then is said to us, and we answer as the other kernel did.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/flow/resource.hpp"
#include "protocol/digest.hpp"
#include "tests/sim/scripted_peer.hpp"
#include "tests/sim/two_nodes.hpp"
#include "tests/support/fresh_metadata.hpp"
#include "tests/support/wire_stream.hpp"

namespace replicator {
namespace {

using sim::ScriptedPeer;
using testing_support::WirePacket;
using testing_support::WireStream;
using C = ConnectionState;

constexpr std::uint64_t recorded_disk_bytes = 16ULL << 20U;
constexpr std::size_t recorded_blocks = 4086;
constexpr std::uint64_t in_sync_on_wire = 0x6712000000000000ULL;      // 4711, big-endian
constexpr std::uint64_t out_of_sync_on_wire = 0x6812000000000000ULL;  // 4712

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

struct Answer {
  BlockRequest block;
  ReceivedDigest digest;
};

// One recorded verify: what was asked, answered and found, by sector. In the recordings answers
// overtook each other.
struct RecordedVerify {
  std::vector<BlockRequest> asked;
  std::vector<Answer> answered;
  std::vector<BlockAck> results;
  std::uint32_t request_mask = 0;
  std::uint32_t request_value = 0;
};

std::vector<RecordedVerify> recorded_verifies() {
  std::vector<RecordedVerify> asking;
  std::vector<RecordedVerify> answering;
  std::vector<RecordedVerify> finding;
  for (const WireStream& stream : testing_support::wire_streams(
           testing_support::read_captures("tests/fixtures/wire").streams(), 101, 0xf)) {
    RecordedVerify one;
    for (const WirePacket& packet : stream.packets) {
      switch (packet.header.command) {
        case Packet::ov_request: one.asked.push_back(*decode_block_request(packet.payload)); break;
        case Packet::ov_reply:
          one.answered.push_back(
              Answer{*decode_block_request(packet.payload),
                     ReceivedDigest(packet.payload.subspan(block_request_bytes))});
          break;
        case Packet::ov_result: one.results.push_back(*decode_block_ack(packet.payload)); break;
        case Packet::state_chg_req:
          one.request_mask = decode_state_change_request(packet.payload)->mask;
          one.request_value = decode_state_change_request(packet.payload)->value;
          break;
        default: break;
      }
    }
    if (!one.asked.empty()) asking.push_back(one);
    if (!one.answered.empty()) answering.push_back(one);
    if (!one.results.empty()) finding.push_back(one);
  }
  for (std::size_t i = 0; i < asking.size(); ++i) {
    asking[i].answered = answering.at(i).answered;
    std::ranges::sort(asking[i].answered, {}, [](const Answer& a) { return a.block.sector; });
    asking[i].results = finding.at(i).results;
    std::ranges::sort(asking[i].results, {}, &BlockAck::sector);
  }
  return asking;
}

// n1 runs the engine, UpToDate and Primary; n2 is the kernel.
class RecordedVerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    verifies_ = recorded_verifies();
    ASSERT_EQ(verifies_.size(), 2U);  // of equal disks, and of disks that differ in three blocks
    for (const RecordedVerify& one : verifies_) {
      ASSERT_EQ(one.asked.size(), recorded_blocks);
      ASSERT_EQ(one.answered.size(), recorded_blocks);
      ASSERT_EQ(one.results.size(), recorded_blocks);
    }
    ASSERT_TRUE(pair_.run(testing_support::create_metadata(pair_.n1.io(), "/dev/disk")).ok());
    pair_.n1.boot([](sim::Node& n) { return std::make_unique<Program>(n); });
    BackingConfig backing;
    backing.disk_path = "/dev/disk";
    backing.meta_disk_path = "/dev/disk";
    ASSERT_EQ(pair_.run(resource().attach(0, backing, DiskOptions())).code, 0);
    ASSERT_EQ(pair_.run(resource().set_role(Role::primary, true)).code, 0);
    resource().volume(0)->backing()->bitmap().clear_all();
    resource().volume(0)->backing()->superblock().generations.bitmap = 0;
    connect();
  }
  void TearDown() override {
    peer_.hang_up();
    EXPECT_FALSE(pair_.world.failed());
  }
  void connect() {
    PeerConfig config;
    config.local = pair_.n1.address(7789);
    config.peer = pair_.n2.address(7789);
    NetOptions options;
    options.verify_alg = "crc32c";
    ASSERT_EQ(pair_.run(resource().connect(config, options, "n2")).code, 0);
    ASSERT_TRUE(wait_for(C::wf_connection));
    ASSERT_TRUE(pair_.run(peer_.connect()));
    ConnectionFeatures features;
    features.version_min = 86;
    features.version_max = 101;
    features.flags = features_offered;
    ASSERT_TRUE(pair_.run(peer_.exchange_features(features, 101)));
    ProtocolOptions protocol;
    protocol.protocol = 3;
    say(Packet::protocol, protocol);
    SyncParam parameters;
    parameters.verify_alg = "crc32c";
    parameters.c_plan_ahead = 20;
    parameters.c_fill_target = 100;
    parameters.c_max_rate = 102400;
    std::array<std::byte, 256> encoded{};
    const std::size_t size = encode(parameters, 101, Bytes(encoded));
    ASSERT_TRUE(pair_.run(
        peer_.say_payload(Socket::data, Packet::sync_param89, ConstBytes(encoded).first(size))));
    Sizes sizes;
    sizes.disk_sectors = recorded_blocks * sectors_per_block;
    sizes.current_sectors = sizes.disk_sectors;
    sizes.max_bio_bytes = 1U << 20U;
    sizes.queue_limits = QueueLimits();
    say(Packet::sizes, sizes);
    Uuids uuids;
    uuids.current = resource().volume(0)->backing()->superblock().generations.current;
    say(Packet::uuids, uuids);
    say(Packet::state, StateWord{state_word(C::wf_connection)});
    ASSERT_TRUE(wait_for(C::connected)) << name(state().connection);
    ASSERT_EQ(name(state().peer_disk), "UpToDate");
  }
  static std::uint32_t state_word(C connection) {
    VolumeState mine;
    mine.role = Role::secondary;
    mine.connection = connection;
    mine.disk = DiskState::up_to_date;
    return pack(mine);
  }
  template <class Payload>
  void say(Packet command, const Payload& payload, Socket socket = Socket::data) {
    ASSERT_TRUE(pair_.run(peer_.say(socket, command, payload))) << name(command);
  }
  ScriptedPeer::Said hear(Socket socket, Packet command) {
    for (;;) {
      ScriptedPeer::Said said = pair_.run(peer_.hear(socket));
      if (!said.there || said.header.command == command) return said;
    }
  }
  Resource& resource() { return static_cast<Program*>(pair_.n1.program())->resource; }
  const VolumeState& state() { return resource().volume(0)->state(); }
  bool wait_for(C connection) {
    return pair_.world.run_until([&] { return state().connection == connection; },
                                 Duration::seconds(30));
  }
  // Both sides ask once before they call it done.
  void exchange_pings() {
    ASSERT_TRUE(pair_.run(peer_.say_payload(Socket::meta, Packet::ping, ConstBytes())));
    ASSERT_TRUE(hear(Socket::meta, Packet::ping).there);
    ASSERT_TRUE(pair_.run(peer_.say_payload(Socket::meta, Packet::ping_ack, ConstBytes())));
  }
  bool marked(std::uint64_t sector) {
    return resource().volume(0)->backing()->bitmap().test(BitmapBlock(sector / sectors_per_block));
  }

  sim::TwoNodes pair_{1, ByteCount(recorded_disk_bytes)};
  ScriptedPeer peer_{pair_.n2, pair_.n1.address(7789)};
  std::vector<RecordedVerify> verifies_;
};

TEST_F(RecordedVerifyTest, AKernelVerifiesUs) {
  pair_.world.expect_error("Out of sync: start=800, size=24 (sectors)");
  pair_.world.expect_error("Online verify found 3 4k block out of sync!");
  const std::vector<std::byte> zeroes(block_bytes);
  for (const RecordedVerify& kernel : verifies_) {
    say(Packet::state_chg_req, StateChangeRequest{kernel.request_mask, kernel.request_value});
    const ScriptedPeer::Said reply = hear(Socket::meta, Packet::state_chg_reply);
    ASSERT_TRUE(reply.there);
    ASSERT_EQ(decode_state_change_reply(reply.payload)->code, 1);
    EXPECT_EQ(name(state().connection), "VerifyT");
    std::size_t same_digests = 0;
    for (std::size_t i = 0; i < kernel.asked.size(); ++i) {
      say(Packet::ov_request, kernel.asked[i]);
      const ScriptedPeer::Said said = hear(Socket::data, Packet::ov_reply);
      ASSERT_TRUE(said.there) << i;
      ASSERT_EQ(said.payload.size(), block_request_bytes + 4);
      const Result<BlockRequest> answer = decode_block_request(said.payload);
      EXPECT_EQ(answer->sector, kernel.answered[i].block.sector);
      EXPECT_EQ(answer->block_id, kernel.answered[i].block.block_id);
      EXPECT_EQ(answer->bytes, kernel.answered[i].block.bytes);
      // Our disk holds zeroes, as most of the kernel's did.
      const ReceivedDigest ours(ConstBytes(said.payload).subspan(block_request_bytes));
      EXPECT_TRUE(BlockDigest::make("crc32c")->matches(zeroes, ours.view()));
      same_digests += std::ranges::equal(ours.view(), kernel.answered[i].digest.view()) ? 1U : 0U;
      say(Packet::ov_result, kernel.results[i], Socket::meta);
    }
    EXPECT_GT(same_digests, 3000U);
    exchange_pings();
    say(Packet::state, StateWord{state_word(C::connected)});
    ASSERT_TRUE(wait_for(C::connected));
  }
  EXPECT_EQ(resource().volume(0)->out_of_sync_blocks(), 3U);
  EXPECT_TRUE(marked(800) && marked(808) && marked(816));
}

TEST_F(RecordedVerifyTest, WeVerifyAKernel) {
  const RecordedVerify& kernel = verifies_[0];
  pair_.world.expect_error("Out of sync: start=");
  pair_.world.expect_error("Online verify found");
  Task<AdminResult> command = resource().verify(0, std::nullopt, std::nullopt);
  command.start();
  const ScriptedPeer::Said asked = hear(Socket::data, Packet::state_chg_req);
  ASSERT_TRUE(asked.there);
  EXPECT_EQ(decode_state_change_request(asked.payload)->mask, kernel.request_mask);
  EXPECT_EQ(decode_state_change_request(asked.payload)->value, kernel.request_value);
  say(Packet::state_chg_reply, StateChangeReply{1}, Socket::meta);
  ASSERT_TRUE(wait_for(C::verify_s));
  const std::vector<std::byte> zeroes(block_bytes);
  std::size_t different = 0;
  for (std::size_t i = 0; i < recorded_blocks; ++i) {
    const ScriptedPeer::Said said = hear(Socket::data, Packet::ov_request);
    ASSERT_TRUE(said.there) << i;
    const Result<BlockRequest> request = decode_block_request(said.payload);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->sector, kernel.asked[i].sector);
    EXPECT_EQ(request->block_id, kernel.asked[i].block_id);
    EXPECT_EQ(request->bytes, kernel.asked[i].bytes);
    std::vector<std::byte> reply(block_request_bytes);
    encode(kernel.answered[i].block, reply);
    const ConstBytes digest = kernel.answered[i].digest.view();
    reply.insert(reply.end(), digest.begin(), digest.end());
    ASSERT_TRUE(pair_.run(peer_.say_payload(Socket::data, Packet::ov_reply, reply)));
    const ScriptedPeer::Said result = hear(Socket::meta, Packet::ov_result);
    ASSERT_TRUE(result.there);
    const Result<BlockAck> ack = decode_block_ack(result.payload);
    EXPECT_EQ(ack->sector, kernel.results[i].sector);
    EXPECT_EQ(ack->bytes, kernel.results[i].bytes);
    // The kernel compared with its own content, we compare with zeroes.
    const bool same = BlockDigest::make("crc32c")->matches(zeroes, digest);
    EXPECT_EQ(ack->block_id, same ? in_sync_on_wire : out_of_sync_on_wire);
    EXPECT_EQ(kernel.results[i].block_id, in_sync_on_wire);
    EXPECT_EQ(marked(to_bytes(ack->sector).value() / sector_bytes), !same);
    different += same ? 0 : 1;
  }
  EXPECT_GT(different, 0U);
  ASSERT_TRUE(hear(Socket::meta, Packet::ping).there);
  ASSERT_TRUE(pair_.run(peer_.say_payload(Socket::meta, Packet::ping_ack, ConstBytes())));
  ASSERT_TRUE(wait_for(C::connected));
  const ScriptedPeer::Said state_said = hear(Socket::data, Packet::state);
  ASSERT_TRUE(state_said.there);
  EXPECT_EQ(resource().volume(0)->out_of_sync_blocks(), different);
}

// The kernel reached a stop sector, of which only its own side knows.
TEST_F(RecordedVerifyTest, AKernelStopsEarly) {
  const RecordedVerify& kernel = verifies_[0];
  say(Packet::state_chg_req, StateChangeRequest{kernel.request_mask, kernel.request_value});
  ASSERT_TRUE(hear(Socket::meta, Packet::state_chg_reply).there);
  for (std::size_t i = 0; i < 10; ++i) {
    say(Packet::ov_request, kernel.asked[i]);
    ASSERT_TRUE(hear(Socket::data, Packet::ov_reply).there);
    say(Packet::ov_result, kernel.results[i], Socket::meta);
  }
  say(Packet::state, StateWord{state_word(C::connected)});
  ASSERT_TRUE(hear(Socket::meta, Packet::ping).there);
  EXPECT_EQ(name(state().connection), "VerifyT");
  ASSERT_TRUE(pair_.run(peer_.say_payload(Socket::meta, Packet::ping_ack, ConstBytes())));
  ASSERT_TRUE(wait_for(C::connected));
}

TEST_F(RecordedVerifyTest, WordsThatDoNotFitEndTheConnection) {
  const RecordedVerify& kernel = verifies_[0];
  const auto begin = [&] {
    say(Packet::state_chg_req, StateChangeRequest{kernel.request_mask, kernel.request_value});
    ASSERT_TRUE(hear(Socket::meta, Packet::state_chg_reply).there);
    say(Packet::ov_request, kernel.asked[0]);
    ASSERT_TRUE(hear(Socket::data, Packet::ov_reply).there);
  };
  begin();
  say(Packet::ov_result, kernel.results[1], Socket::meta);  // of a block that was not asked for
  EXPECT_TRUE(wait_for(C::wf_connection));
}

TEST_F(RecordedVerifyTest, ABlockIsNotAskedForTwice) {
  const RecordedVerify& kernel = verifies_[0];
  say(Packet::state_chg_req, StateChangeRequest{kernel.request_mask, kernel.request_value});
  ASSERT_TRUE(hear(Socket::meta, Packet::state_chg_reply).there);
  say(Packet::ov_request, kernel.asked[0]);
  say(Packet::ov_request, kernel.asked[0]);
  EXPECT_TRUE(wait_for(C::wf_connection));
}

// No verify runs: refused block by block, and nothing else happens.
TEST_F(RecordedVerifyTest, RequestsOutsideOfAVerifyAreRefused) {
  say(Packet::ov_request, verifies_[0].asked[0]);
  const ScriptedPeer::Said said = hear(Socket::meta, Packet::neg_rs_dreply);
  ASSERT_TRUE(said.there);
  EXPECT_EQ(decode_block_ack(said.payload)->sector, verifies_[0].asked[0].sector);
  EXPECT_EQ(name(state().connection), "Connected");
}

}  // namespace
}  // namespace replicator
