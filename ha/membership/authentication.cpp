#include "ha/membership/authentication.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "base/ensure.hpp"
#include "protocol/digest.hpp"

namespace ha::membership {

namespace {

ConstBytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

// The polynomial of POSIX cksum, most significant bit first, without the length that cksum appends.
std::uint32_t cksum_crc(std::string_view data) {
  static constexpr std::uint32_t polynomial = 0x04c11db7;
  std::uint32_t state = 0;
  for (const char byte : data) {
    state ^= static_cast<std::uint32_t>(static_cast<unsigned char>(byte)) << 24U;
    for (int bit = 0; bit < 8; ++bit)
      state = (state & 0x80000000U) != 0 ? (state << 1U) ^ polynomial : state << 1U;
  }
  return ~state;
}

const char* digest_name(AuthMethod method) {
  switch (method) {
    case AuthMethod::md5: return "md5";
    case AuthMethod::sha1: return "sha1";
    default: return "sha256";
  }
}

std::string digest(const AuthKey& key, std::string_view data) {
  if (key.method == AuthMethod::crc) return fmt::format("{:x}", cksum_crc(data));
  std::array<std::byte, 64> raw{};
  const Result<std::size_t> size =
      replicator::hmac(digest_name(key.method), key.secret, bytes_of(data), raw);
  ensure(size.has_value());
  std::string text;
  for (std::size_t i = 0; i < *size; ++i)
    fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned>(raw[i]));
  return text;
}

}  // namespace

AuthKeys::AuthKeys(std::vector<AuthKey> keys, std::uint32_t sending)
    : keys_(std::move(keys)), sending_(sending) {
  ensure(find(sending_) != nullptr);
}

const AuthKey* AuthKeys::find(std::uint32_t index) const noexcept {
  for (const AuthKey& key : keys_) {
    if (key.index == index) return &key;
  }
  return nullptr;
}

std::string AuthKeys::sign(std::string_view data) const {
  const AuthKey* key = find(sending_);
  ensure(key != nullptr);
  return fmt::format("{} {}", key->index, digest(*key, data));
}

bool AuthKeys::verify(std::string_view data, std::string_view signature) const {
  const std::size_t blank = signature.find(' ');
  if (blank == std::string_view::npos || blank == 0) return false;
  std::uint32_t index = 0;
  const auto [end, error] = std::from_chars(signature.data(), signature.data() + blank, index);
  if (error != std::errc() || end != signature.data() + blank) return false;
  const AuthKey* key = find(index);
  if (key == nullptr) return false;
  const std::string expected = digest(*key, data);
  return replicator::equal_constant_time(bytes_of(expected), bytes_of(signature.substr(blank + 1)));
}

}  // namespace ha::membership
