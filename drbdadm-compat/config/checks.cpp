#include "config/checks.hpp"

#include <map>
#include <set>

#include "config/resolve.hpp"

namespace replicator::config {
namespace {

// Names that may be used once; remembers where.
class Uniqueness {
 public:
  explicit Uniqueness(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void use(const std::string& what, const std::string& key, const Place& place) {
    const auto [found, fresh] = used_.emplace(key, place);
    if (fresh) return;
    const std::string name = what + " '" + key + "'";
    diagnostics_.error(place, "conflicting use of " + name + " ...");
    diagnostics_.error(found->second, name + " first used here.");
  }

 private:
  Diagnostics& diagnostics_;
  std::map<std::string, Place> used_;
};

std::string host_name(const Host& host) { return host.names.empty() ? "?" : host.names.front(); }

std::string in_host(const Resource& resource, const Host& host) {
  return "in resource " + resource.name + ", on " + host_name(host);
}

bool has_connection_address(const Resource& resource, const Host& host) {
  for (const Connection& connection : resource.connections) {
    std::vector<ConnectionHost> lines = connection.hosts;
    for (const auto& path : connection.paths)
      lines.insert(lines.end(), path.begin(), path.end());
    for (const ConnectionHost& line : lines) {
      if (!line.address) continue;
      for (const std::string& name : host.names) {
        if (same_host(name, line.name)) return true;
      }
    }
  }
  return false;
}

void check_mixture(const Resource& resource, const Host* host, Diagnostics& diagnostics) {
  bool implicit = false;
  bool explicit_ = false;
  const auto look = [&](const std::vector<Volume>& volumes) {
    for (const Volume& volume : volumes)
      (volume.implicit ? implicit : explicit_) = true;
  };
  look(resource.volumes);
  if (host != nullptr) look(host->volumes);
  if (!implicit || !explicit_) return;
  diagnostics.error(
      host == nullptr ? resource.place : host->place,
      "in resource " + resource.name + ": you must not mix implicit and explicit volumes");
}

void check_volume(const Resource& resource, const Host& host, const Volume& volume,
                  Diagnostics& diagnostics) {
  const std::string inside =
      volume.implicit ? " { ... }" : " { volume " + std::to_string(volume.number) + " { ... } }";
  const auto missing = [&](const char* keyword) {
    diagnostics.error(host.place,
                      in_host(resource, host) + inside + ": '" + keyword + "' keyword missing.");
  };
  if (!volume.device) missing("device");
  if (!volume.disk) missing("disk");
}

void check_host(const Resource& resource, const Host& host, Diagnostics& diagnostics) {
  if (!host.address && !has_connection_address(resource, host)) {
    diagnostics.error(host.place, in_host(resource, host) + " { ... }: 'address' keyword missing.");
  }
  if (!host.stacked_on.empty()) return;
  check_mixture(resource, &host, diagnostics);
  const std::vector<Volume> volumes = effective_volumes(resource, host);
  if (volumes.empty()) {
    diagnostics.error(host.place, in_host(resource, host) + " { ... }: 'device' keyword missing.");
  }
  for (const Volume& volume : volumes)
    check_volume(resource, host, volume, diagnostics);
}

void check_same_volumes(const Resource& resource, Diagnostics& diagnostics) {
  for (const Host& host : resource.hosts) {
    if (!host.stacked_on.empty()) return;
    for (const Host& other : resource.hosts) {
      const std::vector<Volume> theirs = effective_volumes(resource, other);
      for (const Volume& volume : effective_volumes(resource, host)) {
        if (find_volume(theirs, volume.number) != nullptr) continue;
        diagnostics.error(host.place, in_host(resource, host) + " { ... }: volume " +
                                          std::to_string(volume.number) + " not defined on " +
                                          host_name(other));
      }
    }
  }
}

void use_addresses(const Resource& resource, Uniqueness& addresses) {
  for (const Host& host : resource.hosts) {
    if (host.address) addresses.use("IP", host.address->endpoint(), host.address->place);
  }
}

void use_minors(const Resource& resource, Uniqueness& minors) {
  for (const Host& host : resource.hosts) {
    if (!host.stacked_on.empty()) continue;
    for (const Volume& volume : effective_volumes(resource, host)) {
      if (!volume.device) continue;
      for (const std::string& name : host.names) {
        minors.use("device-minor",
                   "device-minor:" + name + ":" + std::to_string(volume.device->minor),
                   volume.device->place);
      }
    }
  }
}

bool names_a_resource(const Config& config, const std::string& target) {
  if (config.find(target) != nullptr) return true;
  const std::size_t slash = target.rfind('/');
  if (slash != std::string::npos && config.find(target.substr(0, slash)) != nullptr) return true;
  const auto* option = control::find_option(OptionSection::disk, "resync-after");
  return control::parse_option(*option, target).problem.empty();
}

// An unknown target is a warning, and the option is dropped: the resource it waited for is gone.
void drop_unknown_resync_after(Config& config, const std::string& where, Section& disk,
                               Diagnostics& diagnostics) {
  const Setting* setting = disk.find("resync-after");
  if (setting == nullptr || names_a_resource(config, setting->value)) return;
  diagnostics.warning(setting->place, where + ":\n\tresource '" + setting->value +
                                          "' mentioned in 'resync-after' option is not known.");
  std::erase_if(disk.settings, [](const Setting& each) { return each.name == "resync-after"; });
}

void check_resync_after(Config& config, Diagnostics& diagnostics) {
  drop_unknown_resync_after(config, "in the common section", config.common.of(OptionSection::disk),
                            diagnostics);
  for (Resource& resource : config.resources) {
    const std::string where = "in resource " + resource.name;
    const auto drop = [&](Sections& sections) {
      drop_unknown_resync_after(config, where, sections.of(OptionSection::disk), diagnostics);
    };
    drop(resource.sections);
    for (Volume& volume : resource.volumes)
      drop(volume.sections);
    for (Connection& connection : resource.connections) {
      drop(connection.sections);
      for (Volume& volume : connection.volumes)
        drop(volume.sections);
    }
    for (Host& host : resource.hosts) {
      drop(host.sections);
      for (Volume& volume : host.volumes)
        drop(volume.sections);
    }
  }
}

std::string merged_value(const Config& config, const Resource& resource, OptionSection kind,
                         const char* name) {
  const Setting* setting = resource.sections.of(kind).find(name);
  if (setting == nullptr) setting = config.common.of(kind).find(name);
  return setting == nullptr ? std::string() : setting->value;
}

std::int64_t merged_rate(const Config& config, const Resource& resource, const char* name) {
  const std::string value = merged_value(config, resource, OptionSection::disk, name);
  if (value.empty()) return -1;
  const auto* option = control::find_option(OptionSection::disk, name);
  const control::ParsedOption parsed = control::parse_option(*option, value);
  return parsed.problem.empty() ? parsed.value.number : -1;
}

void check_combinations(const Config& config, const Resource& resource, Diagnostics& diagnostics) {
  if (merged_value(config, resource, OptionSection::startup, "become-primary-on") == "both" &&
      merged_value(config, resource, OptionSection::net, "allow-two-primaries") != "yes") {
    diagnostics.error(resource.place, "in resource " + resource.name +
                                          ":\nbecome-primary-on is set to both, but "
                                          "allow-two-primaries is not set.");
  }
  const std::int64_t most = merged_rate(config, resource, "c-max-rate");
  const std::int64_t fixed = merged_rate(config, resource, "resync-rate");
  if (most >= 0 && fixed > most) {
    diagnostics.warning(resource.place, "in resource " + resource.name +
                                            ":\n\tc-max-rate is below resync-rate; a resync "
                                            "never becomes faster than c-max-rate.");
  }
}

// A stacked section is that of the hosts of the resource below.
void name_stacked_hosts(Config& config, Diagnostics& diagnostics) {
  for (Resource& resource : config.resources) {
    for (Host& host : resource.hosts) {
      if (host.stacked_on.empty()) continue;
      const Resource* below = config.find(host.stacked_on);
      if (below == nullptr || below == &resource) {
        diagnostics.error(host.place, "in resource " + resource.name + ", stacked-on-top-of " +
                                          host.stacked_on + " { ... }: resource '" +
                                          host.stacked_on + "' not defined!");
        continue;
      }
      for (const Host& lower : below->hosts) {
        if (lower.stacked_on.empty()) {
          host.names.insert(host.names.end(), lower.names.begin(), lower.names.end());
        }
      }
    }
  }
}

}  // namespace

void check(Config& config, Diagnostics& diagnostics) {
  name_stacked_hosts(config, diagnostics);
  Uniqueness addresses(diagnostics);
  Uniqueness minors(diagnostics);
  check_resync_after(config, diagnostics);
  std::set<std::string> seen;
  for (const Resource& resource : config.resources) {
    if (!seen.insert(resource.name).second) continue;  // reported as used twice
    if (resource.hosts.empty()) check_mixture(resource, nullptr, diagnostics);
    for (const Host& host : resource.hosts)
      check_host(resource, host, diagnostics);
    check_same_volumes(resource, diagnostics);
    use_addresses(resource, addresses);
    use_minors(resource, minors);
    check_combinations(config, resource, diagnostics);
  }
}

}  // namespace replicator::config
