// Host sections and connections.
#include "config/parse_state.hpp"

namespace replicator::config {
namespace {

bool parse_host_item(ParseState& state, const std::string& owner, Host& host) {
  if (at_volume_statement(state)) {
    return parse_volume_statement(state, owner, implicit_volume(state, host.volumes));
  }
  if (state.token.is_keyword("volume")) return parse_volume(state, owner, host.volumes);
  if (state.token.is_keyword("disk") || state.token.is_keyword("options")) {
    return parse_section(state, owner, host.sections);
  }
  if (state.token.is_keyword("skip")) return parse_skip(state);
  if (state.token.is_keyword("proxy")) {
    host.has_proxy = true;
    return parse_proxy(state);
  }
  if (state.token.is_keyword("address")) {
    state.advance();
    Address address;
    if (!parse_address(state, address)) return false;
    host.address = std::move(address);
    return state.take(';');
  }
  if (state.token.is_keyword("alternate-link-address")) {
    state.advance();
    Address ignored;
    return parse_address(state, ignored) && state.take(';');
  }
  if (state.token.is_keyword("node-id")) {
    state.advance();
    std::uint32_t id = 0;
    if (!state.take_number(id, "node-id", 0, 31)) return false;
    host.node_id = id;
    return state.take(';');
  }
  return state.expected({"device", "disk", "meta-disk", "flexible-meta-disk", "address", "volume",
                         "node-id", "options", "proxy", "skip"});
}

bool parse_host_block(ParseState& state, const Resource& resource, Host& host) {
  if (!state.take('{')) return false;
  const std::string owner =
      "resource " + resource.name + ", on " + (host.names.empty() ? "?" : host.names.front());
  while (!state.token.is('}')) {
    if (!parse_host_item(state, owner, host)) return false;
  }
  state.advance();
  return true;
}

bool parse_floating(ParseState& state, const Resource& resource, Host& host) {
  host.floating = true;
  Address address;
  if (!parse_address(state, address)) return false;
  host.names = {address.endpoint()};
  host.address = std::move(address);
  if (!state.token.is(';')) return parse_host_block(state, resource, host);
  state.advance();
  return true;
}

bool parse_host_line(ParseState& state, ConnectionHost& host) {
  host.place = state.place();
  state.advance();
  if (!state.take_name(host.name, "a host name")) return false;
  if (state.token.is_keyword("address")) {
    state.advance();
    Address address;
    if (!parse_address(state, address)) return false;
    host.address = std::move(address);
  } else if (state.token.is_keyword("port")) {
    state.advance();
    std::uint32_t port = 0;
    if (!state.take_number(port, "port", 1, 65535)) return false;
    host.port = port;
  }
  return state.take(';');
}

bool parse_path(ParseState& state, Connection& connection) {
  state.advance();
  if (!state.take('{')) return false;
  std::vector<ConnectionHost> hosts;
  while (!state.token.is('}')) {
    if (!state.token.is_keyword("host")) return state.expected({"host"});
    ConnectionHost host;
    if (!parse_host_line(state, host)) return false;
    hosts.push_back(std::move(host));
  }
  state.advance();
  connection.paths.push_back(std::move(hosts));
  return true;
}

// `volume N { disk { … } }`: what concerns the resync of one volume with this peer.
bool parse_peer_volume(ParseState& state, const std::string& owner, Connection& connection) {
  state.advance();
  Volume volume;
  volume.place = state.place();
  if (!state.take_number(volume.number, "volume", 0, 65534) || !state.take('{')) return false;
  while (!state.token.is('}')) {
    if (!state.token.is_keyword("disk")) return state.expected({"disk"});
    if (!parse_section(state, owner + ", volume " + std::to_string(volume.number),
                       volume.sections)) {
      return false;
    }
  }
  state.advance();
  if (find_volume(connection.volumes, volume.number) != nullptr) {
    state.context.diagnostics.error(
        volume.place, owner + ": volume " + std::to_string(volume.number) + " is given twice");
  }
  connection.volumes.push_back(std::move(volume));
  return true;
}

bool parse_hosts(ParseState& state, Connection& connection) {
  state.advance();
  if (!state.token.is_name()) return state.expected({"a host name"});
  while (state.token.is_name()) {
    connection.hosts.push_back({state.token.text, {}, {}, state.place()});
    state.advance();
  }
  return state.take(';');
}

bool parse_connection_item(ParseState& state, const std::string& owner, Connection& connection) {
  if (state.token.is_keyword("net")) return parse_section(state, owner, connection.sections);
  if (connection.mesh) {
    if (state.token.is_keyword("hosts")) return parse_hosts(state, connection);
    return state.expected({"hosts", "net"});
  }
  if (state.token.is_keyword("disk")) return parse_section(state, owner, connection.sections);
  if (state.token.is_keyword("skip")) return parse_skip(state);
  if (state.token.is_keyword("path")) return parse_path(state, connection);
  if (state.token.is_keyword("volume")) return parse_peer_volume(state, owner, connection);
  if (state.token.is_keyword("host")) {
    ConnectionHost host;
    if (!parse_host_line(state, host)) return false;
    connection.hosts.push_back(std::move(host));
    return true;
  }
  return state.expected({"host", "path", "net", "disk", "volume", "skip"});
}

}  // namespace

bool parse_host(ParseState& state, Resource& resource) {
  const std::string word = state.token.text;
  Host host;
  host.place = state.place();
  state.advance();
  if (word == "floating") {
    if (!parse_floating(state, resource, host)) return false;
  } else if (word == "stacked-on-top-of") {
    if (!state.take_name(host.stacked_on, "a resource name")) return false;
    if (!parse_host_block(state, resource, host)) return false;
  } else {
    std::string name;
    do {
      if (!state.take_name(name, "a host name")) return false;
      host.names.push_back(std::move(name));
    } while (state.token.is_name());
    if (!parse_host_block(state, resource, host)) return false;
  }
  resource.hosts.push_back(std::move(host));
  return true;
}

bool parse_connection(ParseState& state, Resource& resource, bool mesh) {
  Connection connection;
  connection.mesh = mesh;
  connection.place = state.place();
  state.advance();
  if (!mesh && state.token.is_name()) state.advance();  // a name, which nobody uses
  if (!state.take('{')) return false;
  const std::string owner = resource.name + ":connection";
  while (!state.token.is('}')) {
    if (!parse_connection_item(state, owner, connection)) return false;
  }
  state.advance();
  resource.connections.push_back(std::move(connection));
  return true;
}

}  // namespace replicator::config
