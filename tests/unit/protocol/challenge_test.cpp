#include "protocol/challenge.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.hpp"
#include "protocol/packets.hpp"

namespace {

using namespace replicator;

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

ConstBytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<std::byte> mac(std::string_view digest, std::string_view key, ConstBytes message) {
  std::array<std::byte, 64> out{};
  const Result<std::size_t> size = hmac(digest, key, message, out);
  EXPECT_TRUE(size) << digest;
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size.value_or(0))};
}

// RFC 2202 and RFC 4231, test case 2.
TEST(Digest, PublishedVectors) {
  constexpr std::string_view key = "Jefe";
  const ConstBytes message = bytes_of("what do ya want for nothing?");
  EXPECT_EQ(mac("md5", key, message), from_hex("750c783e6ab0b503eaa86e310a5db738"));
  EXPECT_EQ(mac("sha1", key, message), from_hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
  EXPECT_EQ(mac("sha256", key, message),
            from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  EXPECT_EQ(
      mac("sha384", key, message),
      from_hex("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c7"
               "8b3239ecfab21649"));
  EXPECT_EQ(
      mac("sha512", key, message),
      from_hex("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a"
               "6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"));
}

TEST(Digest, NamesAreTheKernels) {
  for (const char* known : {"md5", "sha1", "sha256", "sha384", "sha512", "hmac(sha1)"})
    EXPECT_TRUE(digest_known(known)) << known;
  for (const char* unknown : {"", "SHA1", "sha", "sha-1", "crc32c", "hmac()", "hmac(sha1", "hmac(",
                              "sha1 ", "hmac(hmac(sha1))", "null", "rmd160"})
    EXPECT_FALSE(digest_known(unknown)) << unknown;
  EXPECT_EQ(mac("hmac(sha1)", "k", bytes_of("m")), mac("sha1", "k", bytes_of("m")));
  std::array<std::byte, 64> out{};
  const Result<std::size_t> refused = hmac("rot13", "k", bytes_of("m"), out);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault(), Fault::unsupported);
}

TEST(Digest, ComparisonNeedsEveryByte) {
  const std::vector<std::byte> a = from_hex("00112233");
  EXPECT_TRUE(equal_constant_time(a, from_hex("00112233")));
  EXPECT_FALSE(equal_constant_time(a, from_hex("00112234")));
  EXPECT_FALSE(equal_constant_time(a, from_hex("80112233")));
  EXPECT_FALSE(equal_constant_time(a, from_hex("001122")));
  EXPECT_FALSE(equal_constant_time(a, from_hex("0011223300")));
  EXPECT_TRUE(equal_constant_time(ConstBytes(), ConstBytes()));
}

// A challenge that a kernel answered.
const std::vector<std::byte> asked = from_hex(
    "db96af12fc7727501c8ba2d00f68cbf43badee59bfec92e6b3cd2696820b4ec55f3ea4b9f953a6f461324299ed11aa"
    "3"
    "9b18aaedc46489f7ac5511280870cea7b");
const std::vector<std::byte> answer = from_hex("26be18eff5f4b1f608034ba7a9afb18c192bfcde");

TEST(Challenge, AnsweredAsAKernelDoes) {
  const Challenge challenge("sha1", "sekrit");
  const std::vector<std::byte> mine(challenge_bytes, std::byte{7});
  std::array<std::byte, 64> out{};
  const Result<std::size_t> size = challenge.respond(mine, asked, out);
  ASSERT_TRUE(size);
  EXPECT_TRUE(std::ranges::equal(ConstBytes(out).first(*size), answer));
  EXPECT_TRUE(challenge.verify(asked, answer).ok());
}

TEST(Challenge, OurOwnSentBackIsRefused) {
  const Challenge challenge("sha256", "sekrit");
  std::array<std::byte, 64> out{};
  std::vector<std::byte> reflected = asked;
  for (const std::size_t longer : {0U, 1U, 64U}) {
    reflected.resize(challenge_bytes + longer);
    const Result<std::size_t> refused = challenge.respond(asked, reflected, out);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault(), Fault::authentication);
  }
}

TEST(Challenge, LengthIsBounded) {
  const Challenge challenge("sha256", "sekrit");
  const std::vector<std::byte> mine(challenge_bytes, std::byte{7});
  std::array<std::byte, 64> out{};
  for (std::size_t length = 0; length <= 200; ++length) {
    const std::vector<std::byte> theirs(length, std::byte{9});
    EXPECT_EQ(challenge.respond(mine, theirs, out).has_value(), length >= 64 && length <= 128)
        << length;
  }
}

// All of a longer challenge counts.
TEST(Challenge, LongerChallengeIsAnsweredWhole) {
  const Challenge challenge("sha256", "sekrit");
  const std::vector<std::byte> mine(challenge_bytes, std::byte{7});
  std::vector<std::byte> theirs(100, std::byte{9});
  std::array<std::byte, 64> first{};
  std::array<std::byte, 64> second{};
  ASSERT_TRUE(challenge.respond(mine, theirs, first));
  theirs.back() = std::byte{8};
  ASSERT_TRUE(challenge.respond(mine, theirs, second));
  EXPECT_NE(first, second);
}

TEST(Challenge, WrongResponsesAreRefused) {
  const Challenge challenge("sha1", "sekrit");
  for (std::size_t bit = 0; bit < answer.size() * 8; ++bit) {
    std::vector<std::byte> wrong = answer;
    wrong[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_EQ(challenge.verify(asked, wrong).fault(), Fault::authentication);
  }
  std::vector<std::byte> length = answer;
  length.pop_back();
  EXPECT_FALSE(challenge.verify(asked, length).ok());
  length = answer;
  length.push_back(std::byte{0});
  EXPECT_FALSE(challenge.verify(asked, length).ok());
  EXPECT_FALSE(challenge.verify(asked, ConstBytes()).ok());
  EXPECT_FALSE(Challenge("sha1", "sekrit ").verify(asked, answer).ok());
  EXPECT_FALSE(Challenge("md5", "sekrit").verify(asked, answer).ok());
}

TEST(Challenge, UnknownAlgorithmIsAFault) {
  const Challenge challenge("nonsense", "sekrit");
  const std::vector<std::byte> mine(challenge_bytes, std::byte{7});
  std::array<std::byte, 64> out{};
  EXPECT_FALSE(challenge.respond(mine, asked, out));
  EXPECT_EQ(challenge.verify(asked, answer).fault(), Fault::unsupported);
}

}  // namespace
