// Volume statements and addresses.
#include <arpa/inet.h>

#include "config/parse_state.hpp"

namespace replicator::config {
namespace {

constexpr std::uint32_t largest_volume = 65534;
constexpr std::uint32_t largest_minor = 1048575;

constexpr const char* device_name_rule =
    "device name must start with /dev/drbd\n\t(/dev/ is optional, but drbd is required)";

// The number at the end of "/dev/drbd3"; none for other names.
std::optional<std::uint32_t> implied_minor(const std::string& name) {
  const std::string digits = name.substr(std::string("/dev/drbd").size());
  if (digits.empty() || digits.size() > 7) return std::nullopt;
  std::uint32_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return number;
}

void check_device(ParseState& state, const Place& place, Device& device, bool named,
                  std::optional<std::uint32_t> minor) {
  Diagnostics& diagnostics = state.context.diagnostics;
  device.named = named;
  if (!named) {
    device.minor = minor.value_or(0);
    device.name = "/dev/drbd" + std::to_string(device.minor);
    return;
  }
  if (!device.name.starts_with("/dev/")) device.name = "/dev/" + device.name;
  if (!device.name.starts_with("/dev/drbd")) {
    diagnostics.error(place, device_name_rule);
    return;
  }
  const auto implied = implied_minor(device.name);
  if (!implied && !minor) {
    diagnostics.error(place, "no minor given nor device name contains a minor number");
  } else if (implied && *implied > largest_minor) {
    diagnostics.error(place, "minor " + std::to_string(*implied) + " out of range [0..1048575].");
  } else if (minor && (implied ? *implied != *minor : !device.name.starts_with("/dev/drbd_"))) {
    diagnostics.error(place,
                      "explicit minor number must match with device name\n"
                      "\tTry \"device /dev/drbd" +
                          std::to_string(*minor) + " minor " + std::to_string(*minor) +
                          ";\",\n\tor leave off either device name or explicit minor.\n"
                          "\tArbitrary device names must start with /dev/drbd_\n"
                          "\tmind the '_'! (/dev/ is optional, but drbd_ is required)");
  }
  device.minor = minor.value_or(implied.value_or(0));
}

bool parse_device(ParseState& state, Volume& into) {
  Device device;
  device.place = state.place();
  bool named = false;
  if (!state.token.is_keyword("minor")) {
    if (!state.take_name(device.name, "a device name")) return false;
    named = true;
  }
  std::optional<std::uint32_t> minor;
  if (state.token.is_keyword("minor")) {
    state.advance();
    std::uint32_t number = 0;
    if (!state.take_number(number, "minor", 0, largest_minor)) return false;
    minor = number;
  }
  check_device(state, device.place, device, named, minor);
  into.device = std::move(device);
  return true;
}

bool parse_meta_disk(ParseState& state, bool flexible, Volume& into) {
  MetaDisk meta;
  if (!state.take_name(meta.device, "internal | <meta data device>")) return false;
  if (!flexible && state.token.is('[')) {
    state.advance();
    std::uint32_t slot = 0;
    if (!state.take_number(slot, "meta data index", 0, 65535) || !state.take(']')) return false;
    if (meta.internal()) {
      state.context.diagnostics.error(state.place(), "internal meta data has no index");
    }
    meta.slot = slot;
  }
  into.meta_disk = std::move(meta);
  return true;
}

bool parse_ipv6(ParseState& state, Address& into) {
  if (!state.token.is('[')) return state.expected({"["});
  state.advance_until(']');
  if (state.token.kind == TokenKind::bad) return state.fail({});
  into.ip = state.token.text;
  const std::string host = into.ip.substr(0, into.ip.find('%'));
  in6_addr parsed{};
  if (::inet_pton(AF_INET6, host.c_str(), &parsed) != 1) {
    state.context.diagnostics.error(state.place(),
                                    "'" + shortened(into.ip) + "' is not an IPv6 address");
  }
  state.advance();
  return true;
}

bool parse_ipv4(ParseState& state, Address& into) {
  in_addr parsed{};
  if (!state.token.is_name() || ::inet_pton(AF_INET, state.token.text.c_str(), &parsed) != 1) {
    return state.expected({"ssocks", "sdp", "ipv4", "ipv6", "<ipv4 address>"},
                          "ssocks | sdp | ipv4 | ipv6 | <ipv4 address> ");
  }
  into.ip = state.token.text;
  state.advance();
  return true;
}

}  // namespace

bool parse_address(ParseState& state, Address& into) {
  into.place = state.place();
  into.family = "ipv4";
  for (const char* family : {"ipv4", "ipv6", "ssocks", "sdp", "sci"}) {
    if (!state.token.is_keyword(family)) continue;
    into.family = state.token.text == "sci" ? "ssocks" : state.token.text;
    state.advance();
    break;
  }
  if (!(into.family == "ipv6" ? parse_ipv6(state, into) : parse_ipv4(state, into))) return false;
  return state.take(':') && state.take_number(into.port, "port", 1, 65535);
}

// `disk` is a statement before a name, and a section before a brace.
bool at_volume_statement(const ParseState& state) {
  const Token& token = state.token;
  if (token.is_keyword("disk")) return !state.peek().is('{');
  return token.is_keyword("device") || token.is_keyword("meta-disk") ||
         token.is_keyword("flexible-meta-disk");
}

bool parse_volume_statement(ParseState& state, const std::string& owner, Volume& into) {
  const std::string word = state.token.text;
  const Place begin = state.place();
  state.advance();
  const bool given = word == "device" ? into.device.has_value()
                     : word == "disk" ? into.disk.has_value()
                                      : into.meta_disk.has_value();
  if (given) {
    state.context.diagnostics.error(begin, "in " + owner + ": '" + word + "' is given twice");
  }
  bool sound = false;
  if (word == "device") {
    sound = parse_device(state, into);
  } else if (word == "disk") {
    std::string disk;
    sound = state.take_name(disk, "a backing device or 'none'");
    into.disk = std::move(disk);
  } else {
    sound = parse_meta_disk(state, word == "flexible-meta-disk", into);
  }
  return sound && state.take(';');
}

Volume& implicit_volume(ParseState& state, std::vector<Volume>& volumes) {
  for (Volume& volume : volumes) {
    if (volume.implicit) return volume;
  }
  Volume volume;
  volume.implicit = true;
  volume.place = state.place();
  volumes.push_back(std::move(volume));
  return volumes.back();
}

bool parse_volume(ParseState& state, const std::string& owner, std::vector<Volume>& into) {
  Volume volume;
  volume.place = state.place();
  state.advance();
  if (!state.take_number(volume.number, "volume", 0, largest_volume) || !state.take('{')) {
    return false;
  }
  const std::string name = owner + ", volume " + std::to_string(volume.number);
  while (!state.token.is('}')) {
    if (at_volume_statement(state)) {
      if (!parse_volume_statement(state, name, volume)) return false;
    } else if (state.token.is_keyword("disk")) {
      if (!parse_section(state, name, volume.sections)) return false;
    } else if (state.token.is_keyword("skip")) {
      if (!parse_skip(state)) return false;
    } else {
      return state.expected({"device", "disk", "meta-disk", "flexible-meta-disk", "skip"});
    }
  }
  state.advance();
  for (const Volume& other : into) {
    if (!other.implicit && other.number == volume.number) {
      const std::string what = "volume section '" + name + "'";
      state.context.diagnostics.error(volume.place, "conflicting use of " + what + " ...");
      state.context.diagnostics.error(other.place, what + " first used here.");
    }
  }
  into.push_back(std::move(volume));
  return true;
}

}  // namespace replicator::config
