// Where a socket is: an IPv4 or IPv6 address with port, or the path of a unix socket.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace replicator::io {

enum class AddressFamily : std::uint8_t { none, ipv4, ipv6, unix_path };

struct Address {
  AddressFamily family = AddressFamily::none;
  std::array<std::uint8_t, 16> host{};  // network order; IPv4 in the first four
  std::uint16_t port = 0;
  std::uint32_t scope = 0;  // interface index of a link-local IPv6 address
  std::string path;         // unix_path only

  bool operator==(const Address&) const = default;
};

// "10.0.0.1:7789", "[fd00::1]:7789", "[fe80::1%eth0]:7789"; numeric only. Fault::malformed
// otherwise.
Result<Address> parse_ipv4(std::string_view host, std::uint16_t port);
Result<Address> parse_ipv6(std::string_view host_with_scope, std::uint16_t port);
Address unix_address(std::string_view path);
// "10.0.0.1", "fd00::1%eth0", or the path.
std::string host_text(const Address& address);
// "10.0.0.1:7789", "[fd00::1]:7789", or the path.
std::string text(const Address& address);

}  // namespace replicator::io
