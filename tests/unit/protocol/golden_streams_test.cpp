// What two DRBD 8.4.11 kernels said to each other goes through our codec and comes out as it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/crc32c.hpp"
#include "protocol/bitmap_code.hpp"
#include "protocol/challenge.hpp"
#include "protocol/packets.hpp"
#include "tests/support/packet_round_trip.hpp"
#include "tests/support/wire_stream.hpp"

namespace {

using namespace replicator;
using namespace replicator::testing_support;

constexpr int version = 101;
constexpr std::uint32_t features = 0xf;
constexpr std::uint64_t bitmap_bits = 4086;
constexpr const char* secret = "hushhush";

const std::vector<WireStream>& streams() {
  static const std::vector<WireStream> all =
      wire_streams(read_captures("tests/fixtures/wire").streams(), version, features);
  return all;
}

std::string text(const WireStream& stream) {
  const auto end = [](const TcpEnd& at) {
    return "10.77.0." + std::to_string(at.host & 255U) + ":" + std::to_string(at.port);
  };
  return end(stream.captured.from) + " > " + end(stream.captured.to) + " ";
}

bool equal(ConstBytes a, ConstBytes b) { return std::ranges::equal(a, b); }

std::vector<std::byte> copy_of(ConstBytes bytes) { return {bytes.begin(), bytes.end()}; }

TEST(GoldenStreams, EveryByteIsPartOfAValidPacket) {
  ASSERT_FALSE(streams().empty());
  std::size_t from_start = 0;
  std::vector<std::size_t> unfinished;
  for (const WireStream& stream : streams()) {
    EXPECT_EQ(stream.fault, "") << text(stream);
    EXPECT_EQ(stream.captured.stranded, 0U) << text(stream);
    from_start += stream.captured.from_start ? 1U : 0U;
    if (stream.unfinished != 0) unfinished.push_back(stream.unfinished);
  }
  // The crash came in the middle of a write, the last capture ended in the middle of a resync.
  EXPECT_EQ(unfinished, (std::vector<std::size_t>{3456, 596576}));
  // Only the connection that the crash ended was caught in its middle.
  EXPECT_EQ(streams().size() - from_start, 3U);
}

TEST(GoldenStreams, EveryPacketIsEncodedToTheSameBytes) {
  for (const WireStream& stream : streams()) {
    for (const WirePacket& packet : stream.packets) {
      const Result<std::vector<std::byte>> payload =
          reencode_payload(packet.header.command, packet.payload, packet.version);
      ASSERT_TRUE(payload) << text(stream) << name(packet.header.command);
      std::vector<std::byte> expected = copy_of(packet.bytes);
      const std::size_t head = header_bytes(packet.version);
      blank_padding(packet.header.command, Bytes(expected).subspan(head));
      ASSERT_EQ(encode_packet(packet.header, *payload, packet.version), expected)
          << text(stream) << name(packet.header.command);
    }
  }
}

TEST(GoldenStreams, EachKindOfPacketWasSeen) {
  std::map<Packet, std::size_t> seen;
  for (const WireStream& stream : streams()) {
    for (const WirePacket& packet : stream.packets)
      ++seen[packet.header.command];
  }
  const std::map<Packet, std::size_t> recorded = {
      {Packet::data, 76},
      {Packet::rs_data_reply, 24},
      {Packet::barrier, 26},
      {Packet::unplug_remote, 94},
      {Packet::rs_data_request, 27},
      {Packet::protocol, 22},
      {Packet::uuids, 25},
      {Packet::sizes, 22},
      {Packet::state, 58},
      {Packet::sync_uuid, 5},
      {Packet::auth_challenge, 2},
      {Packet::auth_response, 2},
      {Packet::state_chg_req, 7},
      {Packet::ping, 20},
      {Packet::ping_ack, 20},
      {Packet::write_ack, 71},
      {Packet::rs_write_ack, 24},
      {Packet::barrier_ack, 26},
      {Packet::state_chg_reply, 7},
      {Packet::ov_request, 8172},
      {Packet::ov_reply, 8172},
      {Packet::ov_result, 8172},
      {Packet::csum_rs_request, 3},
      {Packet::rs_is_in_sync, 2},
      {Packet::sync_param89, 22},
      {Packet::compressed_bitmap, 10},
      {Packet::conn_st_chg_req, 9},
      {Packet::conn_st_chg_reply, 9},
      {Packet::trim, 1},
      {Packet::zeroes, 1},
      {Packet::initial_meta, 11},
      {Packet::initial_data, 11},
      {Packet::connection_features, 22},
  };
  EXPECT_EQ(seen, recorded);
}

TEST(GoldenStreams, FeaturesAgreeOnTheVersionThatFollows) {
  std::size_t exchanged = 0;
  for (const WireStream& stream : streams()) {
    for (const WirePacket& packet : stream.packets) {
      if (packet.header.command != Packet::connection_features) continue;
      const Result<ConnectionFeatures> peer = decode_connection_features(packet.payload);
      ASSERT_TRUE(peer);
      EXPECT_EQ(peer->version_min, 86U);
      EXPECT_EQ(peer->version_max, 101U);
      EXPECT_EQ(peer->flags, features);
      EXPECT_GE(version, protocol_version_min);
      EXPECT_LE(version, protocol_version_max);
      EXPECT_EQ(features_offered, features);
      ++exchanged;
    }
  }
  EXPECT_EQ(exchanged, 22U);
}

TEST(GoldenStreams, StatesHaveNames) {
  for (const WireStream& stream : streams()) {
    for (const WirePacket& packet : stream.packets) {
      if (packet.header.command != Packet::state) continue;
      const VolumeState state = unpack_state(decode_state_word(packet.payload)->state);
      EXPECT_NE(name(state.role), "?");
      EXPECT_NE(name(state.peer_role), "?");
      EXPECT_NE(name(state.connection), "?");
      EXPECT_NE(name(state.disk), "?");
      EXPECT_NE(name(state.peer_disk), "?");
    }
  }
}

// The packets of one bitmap transfer, decoded into an empty bitmap and sent again.
class Transfer {
 public:
  void feed(const WirePacket& packet) {
    originals_.push_back(packet);
    const Status fed = receiver_.feed(words_, packet.header.command, packet.payload);
    ASSERT_TRUE(fed.ok()) << fed.where();
  }
  [[nodiscard]] bool complete() const { return receiver_.complete(); }
  void send_again() const {
    BitmapSender sender(bitmap_bits, version, true);
    for (const WirePacket& original : originals_) {
      ASSERT_FALSE(sender.done());
      std::array<std::byte, bitmap_packet_bytes_max> out{};
      const BitmapChunk chunk = sender.next(words_, out);
      EXPECT_EQ(chunk.packet, original.header.command);
      EXPECT_TRUE(equal(ConstBytes(out).first(chunk.bytes), original.payload));
    }
    EXPECT_TRUE(sender.done());
  }

 private:
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>((bitmap_bits + 63) / 64);
  BitmapReceiver receiver_{bitmap_bits, version};
  std::vector<WirePacket> originals_;
};

TEST(GoldenStreams, BitmapsAreDecodedAndEncodedAgain) {
  std::size_t transfers = 0;
  for (const WireStream& stream : streams()) {
    auto transfer = std::make_unique<Transfer>();
    bool open = false;
    for (const WirePacket& packet : stream.packets) {
      const Packet command = packet.header.command;
      if (command != Packet::bitmap && command != Packet::compressed_bitmap) continue;
      transfer->feed(packet);
      open = !transfer->complete();
      if (open) continue;
      transfer->send_again();
      transfer = std::make_unique<Transfer>();
      ++transfers;
    }
    EXPECT_FALSE(open) << text(stream);
  }
  EXPECT_EQ(transfers, 10U);
}

// The payloads of one kind in the order in which a stream carries them.
std::vector<ConstBytes> payloads(const WireStream& stream, Packet command) {
  std::vector<ConstBytes> all;
  for (const WirePacket& packet : stream.packets) {
    if (packet.header.command == command) all.push_back(packet.payload);
  }
  return all;
}

const WireStream* reverse_of(const WireStream& stream) {
  for (const WireStream& other : streams()) {
    if (other.captured.from == stream.captured.to && other.captured.to == stream.captured.from &&
        other.socket == stream.socket) {
      return &other;
    }
  }
  return nullptr;
}

TEST(GoldenStreams, ResponsesAnswerTheChallenges) {
  const Challenge challenge("sha1", secret);
  const Challenge wrong("sha1", "hushhusk");
  std::size_t answered = 0;
  for (const WireStream& stream : streams()) {
    const std::vector<ConstBytes> asked = payloads(stream, Packet::auth_challenge);
    if (asked.empty()) continue;
    const WireStream* other = reverse_of(stream);
    ASSERT_NE(other, nullptr);
    const std::vector<ConstBytes> theirs = payloads(*other, Packet::auth_challenge);
    const std::vector<ConstBytes> responses = payloads(*other, Packet::auth_response);
    ASSERT_EQ(asked.size(), 1U);
    ASSERT_EQ(theirs.size(), 1U);
    ASSERT_EQ(responses.size(), 1U);
    EXPECT_TRUE(challenge.verify(asked[0], responses[0]).ok());
    EXPECT_FALSE(wrong.verify(asked[0], responses[0]).ok());
    // We would have answered as the other node did.
    std::array<std::byte, 64> answer{};
    const Result<std::size_t> size = challenge.respond(theirs[0], asked[0], answer);
    ASSERT_TRUE(size);
    EXPECT_TRUE(equal(ConstBytes(answer).first(*size), responses[0]));
    ++answered;
  }
  EXPECT_EQ(answered, 2U);
}

// data-integrity-alg crc32c: four little-endian bytes between header and data.
TEST(GoldenStreams, IntegrityDigestsCoverTheData) {
  std::size_t checked = 0;
  for (const WireStream& stream : streams()) {
    bool integrity = false;
    for (const WirePacket& packet : stream.packets) {
      const Packet command = packet.header.command;
      if (command == Packet::protocol) {
        const std::string alg = decode_protocol_options(packet.payload)->integrity_alg;
        EXPECT_TRUE(alg.empty() || alg == "crc32c") << alg;
        integrity = !alg.empty();
      }
      const bool with_data = command == Packet::data || command == Packet::rs_data_reply;
      if (!with_data || !integrity) continue;
      const ConstBytes behind = packet.payload.subspan(data_header_bytes);
      EXPECT_EQ(read_native<std::uint32_t>(behind, 0), crc32c(behind.subspan(4)));
      EXPECT_EQ((behind.size() - 4) % sector_bytes, 0U);
      ++checked;
    }
  }
  EXPECT_EQ(checked, 3U);
}

}  // namespace
