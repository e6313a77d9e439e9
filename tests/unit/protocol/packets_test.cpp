#include "protocol/packets.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace replicator;

using Payload = std::vector<std::byte>;

Payload random_payload(std::size_t size, std::uint32_t seed) {
  Payload payload(size);
  for (std::byte& byte : payload) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(seed >> 24U);
  }
  return payload;
}

struct Decoder {
  const char* name;
  std::function<bool(ConstBytes)> accepts;
  std::set<std::size_t> lengths;  // the only ones that may be accepted
};

template <class Decode>
std::function<bool(ConstBytes)> accepts(Decode decode) {
  return [decode](ConstBytes payload) { return decode(payload).has_value(); };
}

std::set<std::size_t> between(std::size_t least, std::size_t most) {
  std::set<std::size_t> all;
  for (std::size_t length = least; length <= most; ++length)
    all.insert(length);
  return all;
}

std::function<bool(ConstBytes)> accepts_sync_param(int version) {
  return [version](ConstBytes payload) { return decode_sync_param(payload, version).has_value(); };
}

const std::vector<Decoder>& decoders() {
  static const std::vector<Decoder> all = {
      {"features", accepts(decode_connection_features), {72}},
      {"protocol", accepts(decode_protocol_options), between(24, 88)},
      {"parameters 87", accepts_sync_param(87), {4}},
      {"parameters 88", accepts_sync_param(88), between(5, 68)},
      {"parameters 89", accepts_sync_param(89), {132}},
      {"parameters 94", accepts_sync_param(94), {132}},
      {"parameters 95", accepts_sync_param(95), {148}},
      {"parameters 101", accepts_sync_param(101), {148}},
      {"sizes", accepts(decode_sizes), {32, 56}},
      {"uuids", accepts(decode_uuids), {48}},
      {"state", accepts(decode_state_word), {4}},
      {"sync uuid", accepts(decode_sync_uuid), {8}},
      {"state request", accepts(decode_state_change_request), {8}},
      {"state reply", accepts(decode_state_change_reply), {4}},
      {"delay probe", accepts(decode_delay_probe), {8}},
      {"data", accepts(decode_data_header), between(24, 300)},
      {"range", accepts(decode_range_header), between(28, 300)},
      {"block request", accepts(decode_block_request), between(24, 300)},
      {"block ack", accepts(decode_block_ack), {24}},
      {"block descriptor", accepts(decode_block_descriptor), {16}},
      {"barrier", accepts(decode_barrier), {8}},
      {"barrier ack", accepts(decode_barrier_ack), {8}},
  };
  return all;
}

// Buffers are exactly as long as the payload, so that a sanitizer sees a read behind the end.
TEST(Packets, NoOtherLengthThanTheRightOne) {
  for (const Decoder& decoder : decoders()) {
    for (std::size_t length = 0; length <= 300; ++length) {
      const bool right = decoder.lengths.contains(length);
      for (std::uint32_t seed = 0; seed < 20; ++seed) {
        const bool accepted = decoder.accepts(random_payload(length, seed));
        if (!right) {
          EXPECT_FALSE(accepted) << decoder.name << " " << length;
        }
      }
    }
  }
}

template <class Value>
Payload encoded(const Value& value) {
  std::array<std::byte, 256> out{};
  out.fill(std::byte{0xee});  // encode() writes every byte that it counts
  const std::size_t size = encode(value, Bytes(out));
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

Payload encoded(const SyncParam& value, int version) {
  std::array<std::byte, 256> out{};
  out.fill(std::byte{0xee});
  const std::size_t size = encode(value, version, Bytes(out));
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST(Packets, ProtocolOptions) {
  ProtocolOptions value;
  value.protocol = 3;
  value.after_sb_0pri = 4;
  value.after_sb_1pri = 7;
  value.after_sb_2pri = 10;
  value.connection_flags = connection_flag_dry_run;
  value.two_primaries = 1;
  for (const std::string& alg : {std::string(), std::string("crc32c"), std::string(63, 'x')}) {
    value.integrity_alg = alg;
    const Payload payload = encoded(value);
    EXPECT_EQ(payload.size(), 25 + alg.size());
    const Result<ProtocolOptions> back = decode_protocol_options(payload);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->protocol, 3U);
    EXPECT_EQ(back->after_sb_0pri, 4U);
    EXPECT_EQ(back->after_sb_1pri, 7U);
    EXPECT_EQ(back->after_sb_2pri, 10U);
    EXPECT_EQ(back->connection_flags, connection_flag_dry_run);
    EXPECT_EQ(back->two_primaries, 1U);
    EXPECT_EQ(back->integrity_alg, alg);
    // A name without an end is no name.
    const ConstBytes cut = ConstBytes(payload).first(payload.size() - 1);
    if (!alg.empty()) {
      EXPECT_FALSE(decode_protocol_options(cut));
    }
  }
  // Protocol 86 sends no name.
  EXPECT_EQ(decode_protocol_options(Payload(24))->integrity_alg, "");
}

TEST(Packets, SyncParamOfEachVersion) {
  SyncParam value;
  value.resync_rate = 250;
  value.verify_alg = "sha256";
  value.csums_alg = std::string(63, 'c');
  value.c_plan_ahead = 20;
  value.c_delay_target = 10;
  value.c_fill_target = 100;
  value.c_max_rate = 102400;
  for (int version = 86; version <= 101; ++version) {
    const Payload payload = encoded(value, version);
    const Result<SyncParam> back = decode_sync_param(payload, version);
    ASSERT_TRUE(back) << version;
    EXPECT_EQ(back->resync_rate, 250U);
    EXPECT_EQ(back->verify_alg, version >= 88 ? value.verify_alg : "");
    EXPECT_EQ(back->csums_alg, version >= 89 ? value.csums_alg : "");
    EXPECT_EQ(back->c_plan_ahead, version >= 95 ? 20U : 0U);
    EXPECT_EQ(back->c_max_rate, version >= 95 ? 102400U : 0U);
  }
  Payload endless = encoded(value, 101);
  for (const std::size_t name : {4U, 68U}) {
    Payload bad = endless;
    fill_bytes(Bytes(bad).subspan(name, 64), std::byte{'x'});
    EXPECT_FALSE(decode_sync_param(bad, 101));
    bad[name + 63] = std::byte{0};
    EXPECT_TRUE(decode_sync_param(bad, 101));
  }
  EXPECT_FALSE(decode_sync_param(Payload(40, std::byte{'x'}), 88));
}

TEST(Packets, NamesTooLongForTheWireAreCut) {
  ProtocolOptions options;
  options.integrity_alg = std::string(200, 'x');
  EXPECT_EQ(encoded(options).size(), 88U);
  SyncParam parameters;
  parameters.verify_alg = std::string(200, 'x');
  EXPECT_EQ(decode_sync_param(encoded(parameters, 101), 101)->verify_alg, std::string(63, 'x'));
  EXPECT_EQ(encoded(parameters, 88).size(), 68U);
}

TEST(Packets, Sizes) {
  Sizes value;
  value.disk_sectors = 1ULL << 51U;
  value.user_sectors = 2;
  value.current_sectors = 3;
  value.max_bio_bytes = 1U << 20U;
  value.queue_order_type = 4;
  value.dds_flags = 2;
  EXPECT_EQ(encoded(value).size(), 32U);
  EXPECT_FALSE(decode_sizes(encoded(value))->queue_limits);
  QueueLimits limits;
  limits.physical_block_size = 4096;
  limits.logical_block_size = 512;
  limits.alignment_offset = 1;
  limits.io_min = 4096;
  limits.io_opt = 65536;
  limits.discard_enabled = 1;
  value.queue_limits = limits;
  const Payload payload = encoded(value);
  const Result<Sizes> back = decode_sizes(payload);
  ASSERT_TRUE(back);
  EXPECT_EQ(encoded(*back), payload);
  EXPECT_EQ(back->disk_sectors, 1ULL << 51U);
  EXPECT_EQ(back->dds_flags, 2U);
  EXPECT_EQ(back->queue_limits->io_opt, 65536U);
  for (const std::size_t field : {0U, 8U, 16U}) {
    for (const std::uint64_t sectors : {(1ULL << 51U) + 1, 1ULL << 63U, ~0ULL}) {
      Payload absurd = payload;
      write_be64(absurd, field, sectors);
      EXPECT_FALSE(decode_sizes(absurd));
    }
  }
}

TEST(Packets, IdentifiersAndStates) {
  const Payload uuids = random_payload(48, 1);
  EXPECT_EQ(encoded(*decode_uuids(uuids)), uuids);
  EXPECT_EQ(decode_uuids(uuids)->flags, read_be64(uuids, 40));
  const Payload sync_uuid = random_payload(8, 2);
  EXPECT_EQ(encoded(*decode_sync_uuid(sync_uuid)), sync_uuid);
  const Payload request = random_payload(8, 3);
  EXPECT_EQ(encoded(*decode_state_change_request(request)), request);
  EXPECT_EQ(encoded(StateChangeReply{-1}), Payload(4, std::byte{0xff}));
  EXPECT_EQ(decode_state_change_reply(encoded(StateChangeReply{-19}))->code, -19);
  EXPECT_EQ(decode_delay_probe(encoded(DelayProbe{5, 6}))->offset_us, 6U);
  EXPECT_EQ(decode_state_word(encoded(StateWord{0x110a9}))->state, 0x110a9U);
}

// Barrier numbers and block ids come back bit by bit, whatever the sender's byte order.
TEST(Packets, OpaqueFieldsAreEchoed) {
  const Payload barrier = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                           std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}};
  const std::uint32_t number = decode_barrier(barrier)->number;
  Payload expected = barrier;
  expected[7] = std::byte{9};
  EXPECT_EQ(encoded(BarrierAck{number, 9}), expected);
  EXPECT_EQ(encoded(Barrier{number}), barrier);
  Payload data = random_payload(24, 4);
  const Result<DataHeader> header = decode_data_header(data);
  BlockAck ack;
  ack.block_id = header->block_id;
  const Payload answer = encoded(ack);
  EXPECT_TRUE(std::equal(answer.begin() + 8, answer.begin() + 16, data.begin() + 8));
  const Payload acked = random_payload(24, 5);
  EXPECT_EQ(encoded(*decode_block_ack(acked)), acked);
  EXPECT_EQ(encoded(*header), data);
}

struct Amount {
  std::uint32_t bytes;
  bool block;  // right for data
  bool range;  // right for a trim
};

TEST(Packets, AmountsAreWholeSectorsWithinLimits) {
  constexpr Amount amounts[] = {
      {0, false, false},           {1, false, false},
      {511, false, false},         {512, true, true},
      {513, false, false},         {4096, true, true},
      {1U << 20U, true, true},     {(1U << 20U) + 512, false, true},
      {128U << 20U, false, true},  {(128U << 20U) + 512, false, false},
      {1U << 31U, false, false},   {0xfffffe00U, false, false},
      {0xffffffffU, false, false},
  };
  for (const Amount& amount : amounts) {
    BlockRequest request;
    request.bytes = amount.bytes;
    EXPECT_EQ(decode_block_request(encoded(request)).has_value(), amount.block) << amount.bytes;
    RangeHeader range;
    range.bytes = amount.bytes;
    EXPECT_EQ(decode_range_header(encoded(range)).has_value(), amount.range) << amount.bytes;
    BlockDescriptor descriptor;
    descriptor.bytes = amount.bytes;
    EXPECT_EQ(decode_block_descriptor(encoded(descriptor)).has_value(), amount.range)
        << amount.bytes;
  }
}

TEST(Packets, RangesLieWithinTheDevice) {
  const ByteCount device(1U << 20U);
  const auto inside = [&](std::uint64_t sector, std::uint32_t bytes) {
    return checked_range(Sector(sector), bytes, device).has_value();
  };
  EXPECT_TRUE(inside(0, 512));
  EXPECT_TRUE(inside(0, 1U << 20U));
  EXPECT_TRUE(inside(2047, 512));
  EXPECT_FALSE(inside(2048, 512));
  EXPECT_FALSE(inside(2047, 1024));
  EXPECT_FALSE(inside(1, 1U << 20U));
  EXPECT_FALSE(inside(0, 0));
  EXPECT_FALSE(inside(0, 100));
  EXPECT_FALSE(inside(0, 0xfffffe00U));
  // Numbers that wrap around in 64 bits.
  EXPECT_FALSE(inside(~0ULL, 512));
  EXPECT_FALSE(inside(1ULL << 55U, 512));
  EXPECT_FALSE(inside((1ULL << 55U) - 1, 512));
  EXPECT_FALSE(inside((1ULL << 55U) + 1, 512));
  EXPECT_FALSE(checked_range(Sector((1ULL << 55U) - 1), 1024, ByteCount(~0ULL)));
  const Result<ByteRange> range = checked_range(Sector(8), 4096, device);
  EXPECT_EQ(*range, ByteRange(ByteOffset(4096), ByteCount(4096)));
}

TEST(Packets, EveryPacketHasAName) {
  std::set<std::string_view> names;
  for (std::uint32_t code = 0; code <= 0xffff; ++code) {
    const std::string_view text = name(static_cast<Packet>(code));
    if (text == "P_UNKNOWN") continue;
    EXPECT_TRUE(text.starts_with("P_"));
    EXPECT_TRUE(names.insert(text).second) << text;
  }
  EXPECT_EQ(names.size(), 50U);
}

}  // namespace
