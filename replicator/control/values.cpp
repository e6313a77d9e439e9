// The small value forms of the command line: addresses and meta data indexes.
#include <string>

#include "control/status_json.hpp"

namespace replicator::control {
namespace {

constexpr std::uint16_t default_port = 7788;

Result<std::uint32_t> read_decimal(std::string_view text, std::uint32_t most) {
  if (text.empty() || text.size() > 9) return failure(Fault::malformed, "number");
  std::uint32_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return failure(Fault::malformed, "number");
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (number > most) return failure(Fault::out_of_range, "number");
  return number;
}

// Takes the ":PORT" off the end of "HOST:PORT"; without one the default.
Result<std::uint16_t> take_port(std::string_view text) {
  if (text.empty()) return default_port;
  if (text.front() != ':') return failure(Fault::malformed, "':' before the port");
  const Result<std::uint32_t> port = read_decimal(text.substr(1), 65535);
  if (!port || *port == 0) return failure(Fault::malformed, "port");
  return static_cast<std::uint16_t>(*port);
}

Result<io::Address> parse_bracketed(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return failure(Fault::malformed, "']' of an IPv6 address");
  const Result<std::uint16_t> port = take_port(text.substr(close + 1));
  if (!port) return tl::unexpected<Status>(port.error());
  return io::parse_ipv6(text.substr(1, close - 1), *port);
}

}  // namespace

Result<io::Address> parse_address(std::string_view text) {
  bool ipv6 = text.starts_with('[');
  if (text.starts_with("ipv4:")) {
    text.remove_prefix(5);
    ipv6 = false;
  } else if (text.starts_with("ipv6:")) {
    text.remove_prefix(5);
    ipv6 = true;
  } else if (text.starts_with("ssocks:") || text.starts_with("sdp:") || text.starts_with("sci:")) {
    return failure(Fault::unsupported, "address family; use ipv4 or ipv6");
  }
  if (ipv6) {
    if (!text.starts_with('[')) return failure(Fault::malformed, "'[' of an IPv6 address");
    return parse_bracketed(text);
  }
  const std::size_t colon = text.find(':');
  const Result<std::uint16_t> port =
      take_port(colon == std::string_view::npos ? std::string_view{} : text.substr(colon));
  if (!port) return tl::unexpected<Status>(port.error());
  return io::parse_ipv4(text.substr(0, colon), *port);
}

std::string address_text(const io::Address& address) {
  switch (address.family) {
    case io::AddressFamily::ipv4: return "ipv4:" + io::text(address);
    case io::AddressFamily::ipv6: return "ipv6:" + io::text(address);
    case io::AddressFamily::none:
    case io::AddressFamily::unix_path: break;
  }
  return {};
}

Result<MetaDiskIndex> parse_meta_index(std::string_view text) {
  if (text == "internal" || text == "flex-internal" || text == "-1" || text == "-3") {
    return MetaDiskIndex{MetaDiskIndex::Kind::internal, 0};
  }
  if (text == "flexible" || text == "flex-external" || text == "-2") {
    return MetaDiskIndex{MetaDiskIndex::Kind::flexible, 0};
  }
  const Result<std::uint32_t> slot = read_decimal(text, 65535);
  if (!slot) return failure(Fault::malformed, "meta data index");
  return MetaDiskIndex{MetaDiskIndex::Kind::indexed, *slot};
}

std::string index_text(const MetaDiskIndex& index) {
  switch (index.kind) {
    case MetaDiskIndex::Kind::internal: return "internal";
    case MetaDiskIndex::Kind::flexible: return "flexible";
    case MetaDiskIndex::Kind::indexed: break;
  }
  return std::to_string(index.slot);
}

Result<std::uint32_t> parse_minor(std::string_view text) {
  if (text.starts_with("/dev/")) text.remove_prefix(5);
  if (text.starts_with("drbd")) text.remove_prefix(4);
  return read_decimal(text, max_minor);
}

}  // namespace replicator::control
