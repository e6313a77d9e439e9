#include "io/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <cstring>

namespace replicator::io {

Result<Address> parse_ipv4(std::string_view host, std::uint16_t port) {
  Address address;
  address.family = AddressFamily::ipv4;
  address.port = port;
  if (inet_pton(AF_INET, std::string(host).c_str(), address.host.data()) != 1) {
    return failure(Fault::malformed, "IPv4 address");
  }
  return address;
}

Result<Address> parse_ipv6(std::string_view host_with_scope, std::uint16_t port) {
  Address address;
  address.family = AddressFamily::ipv6;
  address.port = port;
  const std::size_t percent = host_with_scope.find('%');
  const std::string host(host_with_scope.substr(0, percent));
  if (inet_pton(AF_INET6, host.c_str(), address.host.data()) != 1) {
    return failure(Fault::malformed, "IPv6 address");
  }
  if (percent != std::string_view::npos) {
    const std::string interface(host_with_scope.substr(percent + 1));
    address.scope = if_nametoindex(interface.c_str());
    if (address.scope == 0) return failure(Fault::not_found, "interface of IPv6 scope");
  }
  return address;
}

Address unix_address(std::string_view path) {
  Address address;
  address.family = AddressFamily::unix_path;
  address.path = std::string(path);
  return address;
}

std::string host_text(const Address& address) {
  char buffer[INET6_ADDRSTRLEN] = "";
  switch (address.family) {
    case AddressFamily::none: return "none";
    case AddressFamily::unix_path: return address.path;
    case AddressFamily::ipv4:
      inet_ntop(AF_INET, address.host.data(), buffer, sizeof buffer);
      return buffer;
    case AddressFamily::ipv6: break;
  }
  inet_ntop(AF_INET6, address.host.data(), buffer, sizeof buffer);
  std::string result = buffer;
  char interface[IF_NAMESIZE] = "";
  if (address.scope != 0 && if_indextoname(address.scope, interface) != nullptr) {
    result += '%';
    result += interface;
  }
  return result;
}

std::string text(const Address& address) {
  switch (address.family) {
    case AddressFamily::none:
    case AddressFamily::unix_path: return host_text(address);
    case AddressFamily::ipv4: return host_text(address) + ":" + std::to_string(address.port);
    case AddressFamily::ipv6: break;
  }
  return "[" + host_text(address) + "]:" + std::to_string(address.port);
}

}  // namespace replicator::io
