// Digests by the kernel's names, held to published values.
#include "protocol/digest.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

#include "protocol/header.hpp"

namespace replicator {
namespace {

ConstBytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string hex(const BlockDigest& digest, ConstBytes data) {
  std::array<std::byte, digest_bytes_max> out{};
  digest.compute(data, out);
  std::string text;
  for (std::size_t i = 0; i < digest.bytes(); ++i) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned>(out[i]);
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

TEST(BlockDigest, GivesPublishedValues) {
  struct Row {
    const char* name;
    const char* of_digits;  // "123456789"
  };
  // Checksums are the little-endian bytes of e3069283 and 2dfd2d88.
  constexpr std::array rows{
      Row{"crc32c", "839206e3"},
      Row{"crc32", "882dfd2d"},
      Row{"md5", "25f9e794323b453885f5181f1b624d0b"},
      Row{"sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
      Row{"sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
  };
  for (const Row& row : rows) {
    const Result<BlockDigest> digest = BlockDigest::make(row.name);
    ASSERT_TRUE(digest) << row.name;
    EXPECT_EQ(digest->name(), row.name);
    EXPECT_EQ(hex(*digest, bytes_of("123456789")), row.of_digits) << row.name;
    // The context is used again.
    EXPECT_EQ(hex(*digest, bytes_of("123456789")), row.of_digits) << row.name;
  }
}

TEST(BlockDigest, EachHasItsLength) {
  struct Row {
    const char* name;
    std::size_t bytes;
  };
  constexpr std::array rows{Row{"sha224", 28},   Row{"sha384", 48},   Row{"sha512", 64},
                            Row{"sha3-256", 32}, Row{"sha3-512", 64}, Row{"blake2b-512", 64}};
  for (const Row& row : rows) {
    const Result<BlockDigest> digest = BlockDigest::make(row.name);
    ASSERT_TRUE(digest) << row.name;
    EXPECT_EQ(digest->bytes(), row.bytes) << row.name;
  }
}

TEST(BlockDigest, UnknownNamesAreRefusedAndNoNameIsNone) {
  for (const char* name : {"sha", "SHA1", "hmac(sha1)", "crc32c-intel", "md5 ", "cbc(aes)"}) {
    EXPECT_FALSE(BlockDigest::known(name)) << name;
  }
  const Result<BlockDigest> none = BlockDigest::make("");
  ASSERT_TRUE(none);
  EXPECT_FALSE(static_cast<bool>(*none));
  EXPECT_EQ(none->bytes(), 0U);
}

TEST(BlockDigest, MatchesOnlyItsData) {
  const BlockDigest digest = std::move(*BlockDigest::make("sha1"));
  std::array<std::byte, digest_bytes_max> out{};
  digest.compute(bytes_of("one block"), out);
  EXPECT_TRUE(digest.matches(bytes_of("one block"), ConstBytes(out).first(digest.bytes())));
  EXPECT_FALSE(digest.matches(bytes_of("one blocK"), ConstBytes(out).first(digest.bytes())));
  EXPECT_FALSE(digest.matches(bytes_of("one block"), ConstBytes(out).first(19)));
  EXPECT_FALSE(digest.matches(bytes_of("one block"), ConstBytes(out)));
}

}  // namespace
}  // namespace replicator
