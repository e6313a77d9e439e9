#include "ha/membership/auth_keys.hpp"

#include <gtest/gtest.h>

namespace ha::membership {
namespace {

constexpr const char* path = "/etc/ha.d/authkeys";

std::string first_problem(std::string_view file) {
  const AuthKeysFile parsed = parse_auth_keys(file, path);
  EXPECT_EQ(parsed.keys.has_value(), parsed.diagnostics.empty());
  return parsed.diagnostics.empty() ? std::string() : text(parsed.diagnostics.front());
}

TEST(AuthKeysFile, KeysAndTheSelectedOne) {
  const AuthKeysFile file = parse_auth_keys(
      "# comment\n\n auth 3\n1 crc\n  2\tmd5  Hello! # not part of it\r\n3 sha1 key\n4 sha256 k\n",
      path);
  ASSERT_TRUE(file.keys);
  EXPECT_EQ(file.keys->sending(), 3U);
  const std::vector<AuthKey> expected{{1, AuthMethod::crc, ""},
                                      {2, AuthMethod::md5, "Hello!"},
                                      {3, AuthMethod::sha1, "key"},
                                      {4, AuthMethod::sha256, "k"}};
  EXPECT_EQ(file.keys->keys(), expected);
}

TEST(AuthKeysFile, WhatIsWrongIsSaidInHeartbeatsWords) {
  const struct {
    const char* file;
    const char* problem;
  } cases[] = {
      {"auth 1\n1 sha1 x\n", ""},
      {"auth 0\n0 crc\n", ""},
      {"", "Missing auth directive in keyfile [/etc/ha.d/authkeys]"},
      {"1 sha1 x\n", "Missing auth directive in keyfile [/etc/ha.d/authkeys]"},
      {"auth 5\n1 sha1 x\n",
       "/etc/ha.d/authkeys:1: Auth Key [5] not found in keyfile [/etc/ha.d/authkeys]"},
      {"auth 1\n1 sha512 x\n", "/etc/ha.d/authkeys:2: Invalid authtype [sha512]"},
      {"auth 1\n1 sha1\n", "/etc/ha.d/authkeys:2: Auth method [sha1] requires a key"},
      {"auth 1\n1 crc x\n", "/etc/ha.d/authkeys:2: Auth method [crc] doesn't use a key"},
      {"auth 1\n1 sha1 x\n16 sha1 y\n",
       "/etc/ha.d/authkeys:3: Invalid authnum [16] in /etc/ha.d/authkeys"},
      {"auth x\n", "/etc/ha.d/authkeys:1: Invalid authnum [x] in /etc/ha.d/authkeys"},
      {"auth 1\n1 sha1 a secret\n", "/etc/ha.d/authkeys:2: Auth line [1  ...] is invalid."},
  };
  for (const auto& one : cases)
    EXPECT_EQ(first_problem(one.file), one.problem) << one.file;
}

TEST(AuthKeysFile, OthersMayNotRead) {
  for (const std::uint32_t mode : {0600U, 0400U, 0700U, 0622U, 0100600U})
    EXPECT_FALSE(refuse_mode(mode, path)) << mode;
  for (const std::uint32_t mode : {0640U, 0604U, 0644U, 0666U}) {
    const auto refused = refuse_mode(mode, path);
    ASSERT_TRUE(refused) << mode;
    EXPECT_EQ(text(*refused), "Bad permissions on keyfile [/etc/ha.d/authkeys], 600 recommended.");
  }
}

}  // namespace
}  // namespace ha::membership
