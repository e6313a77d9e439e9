#include "protocol/header.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace {

using namespace replicator;

std::vector<unsigned> encoded(int version, Packet command, std::uint16_t volume,
                              std::uint32_t length) {
  std::array<std::byte, 16> out{};
  const std::size_t size = encode_header(out, version, PacketHeader{command, volume, length});
  std::vector<unsigned> bytes;
  for (const std::byte byte : std::span(out).first(size))
    bytes.push_back(static_cast<unsigned>(byte));
  return bytes;
}

using Wire = std::vector<unsigned>;

TEST(Header, EachVersionHasItsForm) {
  const Wire initial = {0x83, 0x74, 0x02, 0x67, 0xff, 0xf2, 0, 0};
  EXPECT_EQ(encoded(80, Packet::initial_data, 0, 0), initial);
  const Wire small = {0x83, 0x74, 0x02, 0x67, 0, 0, 0x80, 0};
  EXPECT_EQ(encoded(94, Packet::data, 0, 32768), small);
  EXPECT_EQ(encoded(99, Packet::data, 0, 32768), small);
  const Wire big = {0x83, 0x5a, 0, 0, 0, 0, 0x80, 0x01};
  EXPECT_EQ(encoded(95, Packet::data, 0, 32769), big);
  EXPECT_EQ(encoded(99, Packet::data, 0, 32769), big);
  const Wire with_volume = {0x86, 0x20, 0xec, 0x20, 0xff, 0xfe, 0, 0x2a, 0, 0, 0, 8, 0, 0, 0, 0};
  EXPECT_EQ(encoded(100, Packet::conn_st_chg_req, 65534, 8), with_volume);
}

TEST(Header, WhatIsEncodedIsDecoded) {
  for (const int version : {80, 86, 94, 95, 99, 100, 101}) {
    for (const std::uint32_t length : {0U, 1U, 32768U, 32769U, 65535U, 65536U, 0xffffffffU}) {
      if (version < 95 && length > 65535) continue;
      const std::uint16_t volume = version >= 100 ? 513 : 0;
      std::array<std::byte, 16> out{};
      const std::size_t size =
          encode_header(out, version, PacketHeader{Packet::rs_data_reply, volume, length});
      EXPECT_EQ(size, header_bytes(version));
      const Result<PacketHeader> header = decode_header(ConstBytes(out).first(size), version);
      ASSERT_TRUE(header) << version << " " << length;
      EXPECT_EQ(header->command, Packet::rs_data_reply);
      EXPECT_EQ(header->volume, volume);
      EXPECT_EQ(header->length, length);
    }
  }
}

TEST(Header, OtherVersionsFormsAreRefused) {
  std::array<std::byte, 16> h100{};
  encode_header(h100, 100, PacketHeader{Packet::ping, 0, 0});
  EXPECT_FALSE(decode_header(h100, 99));
  std::array<std::byte, 16> h80{};
  encode_header(h80, 99, PacketHeader{Packet::ping, 0, 0});
  EXPECT_FALSE(decode_header(h80, 100));
  std::array<std::byte, 16> h95{};
  encode_header(h95, 99, PacketHeader{Packet::data, 0, 40000});
  EXPECT_FALSE(decode_header(h95, 101));
  EXPECT_TRUE(decode_header(h95, 86));  // told apart by its magic
}

TEST(Header, EveryBitOfMagicAndPaddingCounts) {
  std::array<std::byte, 16> good{};
  encode_header(good, 101, PacketHeader{Packet::ping, 0, 0});
  for (std::size_t bit = 0; bit < 128; ++bit) {
    std::array<std::byte, 16> bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const bool matters = bit < 32 || bit >= 96;
    EXPECT_EQ(decode_header(bad, 101).has_value(), !matters) << bit;
  }
}

TEST(Header, TooFewBytesAreRefused) {
  std::array<std::byte, 16> good{};
  encode_header(good, 101, PacketHeader{Packet::ping, 0, 0});
  for (std::size_t size = 0; size < 16; ++size)
    EXPECT_FALSE(decode_header(ConstBytes(good).first(size), 101));
  encode_header(good, 86, PacketHeader{Packet::ping, 0, 0});
  for (std::size_t size = 0; size < 8; ++size)
    EXPECT_FALSE(decode_header(ConstBytes(good).first(size), 86));
}

}  // namespace
