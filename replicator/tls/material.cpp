#include "tls/material.hpp"

#include <cstdint>

namespace replicator::tls {

namespace {

constexpr std::size_t key_bytes_min = 16;
constexpr std::size_t key_bytes_max = 64;

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::vector<std::byte>> from_hexadecimal(std::string_view text) {
  std::vector<std::byte> key;
  if (text.size() % 2 != 0 || text.size() < 2 * key_bytes_min || text.size() > 2 * key_bytes_max) {
    return failure(Fault::malformed, "the key needs 32 to 128 hexadecimal digits");
  }
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return failure(Fault::malformed, "the key is not hexadecimal");
    key.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return key;
}

}  // namespace

Result<std::vector<std::byte>> find_psk(std::string_view file, std::string_view identity) {
  while (!file.empty()) {
    const std::size_t end = file.find('\n');
    std::string_view line = file.substr(0, end);
    file = end == std::string_view::npos ? std::string_view() : file.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (line.starts_with("#") || colon == std::string_view::npos) continue;
    if (line.substr(0, colon) == identity) return from_hexadecimal(line.substr(colon + 1));
  }
  return failure(Fault::not_found, "no line for the identity");
}

}  // namespace replicator::tls
