#include "config/resolve.hpp"

#include <arpa/inet.h>
#include <strings.h>

#include <algorithm>

namespace replicator::config {
namespace {

std::string_view first_label(std::string_view name) { return name.substr(0, name.find('.')); }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool serves(const Host& host, std::string_view node, bool exactly) {
  for (const std::string& name : host.names) {
    if (exactly ? name == node : same_host(name, node)) return true;
  }
  return false;
}

// As interfaces show it: an IPv6 address has several spellings, and may name an interface.
std::string normal_form(const Address& address) {
  const std::string host = address.ip.substr(0, address.ip.find('%'));
  const int family = address.family == "ipv6" ? AF_INET6 : AF_INET;
  unsigned char bytes[sizeof(in6_addr)];
  char text[INET6_ADDRSTRLEN];
  if (::inet_pton(family, host.c_str(), bytes) != 1) return host;
  return ::inet_ntop(family, bytes, text, sizeof text) == nullptr ? host : std::string(text);
}

bool is_here(const Address& address, const HostFacts& facts) {
  return std::find(facts.addresses.begin(), facts.addresses.end(), normal_form(address)) !=
         facts.addresses.end();
}

bool is_local(const Host& host, const HostFacts& facts) {
  return host.address && is_here(*host.address, facts);
}

const Host* find_here(const Resource& resource, const HostFacts& facts) {
  for (const std::string& ignoring : resource.ignore_on) {
    if (same_host(ignoring, facts.node_name)) return nullptr;
  }
  for (const bool exactly : {true, false}) {
    for (const Host& host : resource.hosts) {
      if (host.floating ? is_local(host, facts) : serves(host, facts.node_name, exactly)) {
        return &host;
      }
    }
  }
  return nullptr;
}

const Host* find_peer(const Resource& resource, const Host& here, std::string_view wanted) {
  const Host* first = nullptr;
  for (const Host& host : resource.hosts) {
    if (&host == &here) continue;
    if (!wanted.empty() && serves(host, wanted, false)) return &host;
    if (first == nullptr) first = &host;
  }
  return first;
}

// The host line for `host` in a list of two, or null.
const ConnectionHost* line_for(const std::vector<ConnectionHost>& lines, const Host& host) {
  for (const ConnectionHost& line : lines) {
    if (serves(host, line.name, true)) return &line;
  }
  for (const ConnectionHost& line : lines) {
    if (serves(host, line.name, false)) return &line;
  }
  return nullptr;
}

void apply_line(const ConnectionHost& line, std::optional<Address>& address) {
  if (line.address) address = line.address;
  if (line.port && address) address->port = *line.port;
}

// Addresses and options that a connection (or its first path) gives instead of the hosts'.
void apply_connection(const Connection& connection, LocalResource& local) {
  const auto& lines = connection.hosts.empty() && !connection.paths.empty()
                          ? connection.paths.front()
                          : connection.hosts;
  const ConnectionHost* ours = line_for(lines, *local.here);
  const ConnectionHost* theirs = line_for(lines, *local.peer);
  if (ours == nullptr || theirs == nullptr) return;
  apply_line(*ours, local.local_address);
  apply_line(*theirs, local.peer_address);
  Section net = connection.sections.of(OptionSection::net);
  net.inherit(local.net);
  local.net = std::move(net);
  Section disk = connection.sections.of(OptionSection::disk);
  disk.inherit(local.disk);
  local.disk = std::move(disk);
  local.peer_volumes = connection.volumes;
}

Section merged(const Config& config, const Resource& resource, OptionSection kind) {
  Section section = resource.sections.of(kind);
  section.inherit(config.common.of(kind));
  return section;
}

void rewrite_discard_node(Section& net, std::string_view node) {
  constexpr std::string_view prefix = "discard-node-";
  for (Setting& setting : net.settings) {
    if (setting.name != "after-sb-0pri" || !setting.value.starts_with(prefix)) continue;
    const std::string victim = setting.value.substr(prefix.size());
    setting.value = same_host(victim, node) ? "discard-local" : "discard-remote";
  }
}

MetaDiskIndex meta_index(const MetaDisk& meta) {
  if (meta.internal()) return {MetaDiskIndex::Kind::internal, 0};
  if (!meta.slot) return {MetaDiskIndex::Kind::flexible, 0};
  return {MetaDiskIndex::Kind::indexed, *meta.slot};
}

LocalVolume local_volume(const Volume& volume, const LocalResource& local) {
  LocalVolume result;
  result.number = volume.number;
  result.implicit = volume.implicit;
  if (volume.device) {
    result.minor = volume.device->minor;
    result.device = volume.device->name;
  }
  result.disk = volume.disk.value_or("none");
  const MetaDisk meta = volume.meta_disk.value_or(MetaDisk{"internal", {}});
  result.meta_index = meta_index(meta);
  result.meta_disk = meta.internal() ? result.disk : meta.device;
  const Volume* with_peer = find_volume(local.peer_volumes, volume.number);
  if (with_peer != nullptr) result.options = with_peer->sections.of(OptionSection::disk);
  result.options.inherit(volume.sections.of(OptionSection::disk));
  result.options.inherit(local.here->sections.of(OptionSection::disk));
  result.options.inherit(local.disk);
  return result;
}

LocalResource resolve_one(const Config& config, const Resource& resource, const HostFacts& facts,
                          std::string_view peer) {
  LocalResource local;
  local.resource = &resource;
  local.here = find_here(resource, facts);
  local.net = merged(config, resource, OptionSection::net);
  local.disk = merged(config, resource, OptionSection::disk);
  local.startup = merged(config, resource, OptionSection::startup);
  local.handlers = merged(config, resource, OptionSection::handlers);
  local.options = merged(config, resource, OptionSection::resource);
  local.stacked = local.here != nullptr && !local.here->stacked_on.empty();
  if (local.stacked) local.here = nullptr;
  if (local.here == nullptr) return local;
  Section options = local.here->sections.of(OptionSection::resource);
  options.inherit(local.options);
  local.options = std::move(options);
  local.local_address = local.here->address;
  local.peer = find_peer(resource, *local.here, peer);
  if (local.peer != nullptr) {
    local.peer_name = local.peer->names.empty() ? std::string() : local.peer->names.front();
    local.peer_address = local.peer->address;
    for (const Connection& connection : resource.connections)
      apply_connection(connection, local);
  }
  rewrite_discard_node(local.net, facts.node_name);
  for (const Volume& volume : effective_volumes(resource, *local.here)) {
    local.volumes.push_back(local_volume(volume, local));
  }
  return local;
}

}  // namespace

bool same_host(std::string_view a, std::string_view b) {
  if (equal_ignoring_case(a, b)) return true;
  const bool a_is_short = a.find('.') == std::string_view::npos;
  const bool b_is_short = b.find('.') == std::string_view::npos;
  return a_is_short != b_is_short && equal_ignoring_case(first_label(a), first_label(b));
}

const LocalVolume* LocalResource::find(std::uint32_t volume) const noexcept {
  for (const LocalVolume& candidate : volumes) {
    if (candidate.number == volume) return &candidate;
  }
  return nullptr;
}

std::vector<LocalResource> resolve(const Config& config, const HostFacts& facts,
                                   std::string_view peer) {
  std::vector<LocalResource> locals;
  locals.reserve(config.resources.size());
  for (const Resource& resource : config.resources) {
    locals.push_back(resolve_one(config, resource, facts, peer));
  }
  return locals;
}

std::vector<Volume> effective_volumes(const Resource& resource, const Host& host) {
  std::vector<Volume> volumes = host.volumes;
  for (const Volume& outer : resource.volumes) {
    const auto inner = std::find_if(volumes.begin(), volumes.end(), [&](const Volume& volume) {
      return volume.number == outer.number && volume.implicit == outer.implicit;
    });
    if (inner == volumes.end()) {
      volumes.push_back(outer);
      continue;
    }
    if (!inner->device) inner->device = outer.device;
    if (!inner->disk) inner->disk = outer.disk;
    if (!inner->meta_disk) inner->meta_disk = outer.meta_disk;
    inner->sections.of(OptionSection::disk).inherit(outer.sections.of(OptionSection::disk));
  }
  std::sort(volumes.begin(), volumes.end(),
            [](const Volume& a, const Volume& b) { return a.number < b.number; });
  return volumes;
}

std::optional<std::uint32_t> resync_after_minor(const std::vector<LocalResource>& resources,
                                                std::string_view target) {
  const auto* option = control::find_option(OptionSection::disk, "resync-after");
  const control::ParsedOption number = control::parse_option(*option, target);
  for (const LocalResource& local : resources) {
    const std::string_view name = target.substr(0, target.rfind('/'));
    if (local.ignored() || (local.name() != target && local.name() != name)) continue;
    if (local.name() == target) {
      if (local.volumes.empty()) return std::nullopt;
      return local.volumes.front().minor;
    }
    const std::string_view digits = target.substr(name.size() + 1);
    for (const LocalVolume& volume : local.volumes) {
      if (std::to_string(volume.number) == digits) return volume.minor;
    }
  }
  if (number.problem.empty() && number.value.number >= 0) {
    return static_cast<std::uint32_t>(number.value.number);
  }
  return std::nullopt;
}

std::optional<Address> foreign_address(const LocalResource& local, const HostFacts& facts) {
  const std::optional<Address>& own = local.local_address;
  return own && !is_here(*own, facts) ? own : std::nullopt;
}

std::optional<Address> address_of(const Resource& resource, std::string_view host) {
  for (const bool exactly : {true, false}) {
    for (const Host& each : resource.hosts) {
      if (serves(each, host, exactly)) return each.address;
    }
  }
  return std::nullopt;
}

std::string unusable_because(const LocalResource& local) {
  if (local.resource->has_proxy || local.here->has_proxy ||
      (local.peer != nullptr && local.peer->has_proxy)) {
    return "it uses a proxy, which is not supported";
  }
  if (local.peer == nullptr) return "it has no section for a second host";
  if (!local.local_address || !local.peer_address) return "it has no address for both hosts";
  for (const Address* address : {&*local.local_address, &*local.peer_address}) {
    if (address->family != "ipv4" && address->family != "ipv6") {
      return "address family " + address->family + " is not supported; use ipv4 or ipv6";
    }
  }
  return {};
}

}  // namespace replicator::config
