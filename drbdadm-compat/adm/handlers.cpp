#include "adm/handlers.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace replicator::adm {

namespace {

using config::LocalResource;
using config::LocalVolume;

constexpr std::array<std::string_view, 13> names{
    "before-resync-target", "after-resync-target", "before-resync-source",
    "pri-on-incon-degr",    "pri-lost-after-sb",   "pri-lost",
    "fence-peer",           "unfence-peer",        "local-io-error",
    "initial-split-brain",  "split-brain",         "out-of-sync",
    "outdate-peer"};

// One volume, or the minors of all of them.
void add_volumes(std::vector<std::pair<std::string, std::string>>& told, const Target& target) {
  if (target.volume != nullptr) {
    told.emplace_back("DRBD_VOLUME", std::to_string(target.volume->number));
    told.emplace_back("DRBD_MINOR", std::to_string(target.volume->minor));
    if (!target.volume->diskless()) told.emplace_back("DRBD_LL_DISK", target.volume->disk);
    return;
  }
  std::string minors;
  for (const LocalVolume& volume : target.resource->volumes)
    minors += (minors.empty() ? "" : " ") + std::to_string(volume.minor);
  told.emplace_back("DRBD_MINOR", minors);
}

}  // namespace

bool is_handler(std::string_view verb) noexcept {
  return std::find(names.begin(), names.end(), verb) != names.end();
}

std::vector<std::string> handler_objects(const std::vector<Target>& targets) {
  std::vector<std::string> objects;
  for (const Target& target : targets) {
    objects.push_back(target.resource->name());
    for (const LocalVolume& volume : target.resource->volumes)
      objects.push_back("minor-" + std::to_string(volume.minor));
  }
  return objects;
}

std::vector<std::pair<std::string, std::string>> handler_environment(
    const Target& target, const std::string& config_path) {
  const LocalResource& resource = *target.resource;
  std::vector<std::pair<std::string, std::string>> told;
  told.emplace_back("DRBD_CONF", config_path);
  told.emplace_back("DRBD_RESOURCE", resource.name());
  add_volumes(told, target);
  told.emplace_back("DRBD_PEER", resource.peer_name);
  told.emplace_back("DRBD_PEERS", resource.peer_name);
  if (resource.peer_address) {
    told.emplace_back("DRBD_PEER_AF", resource.peer_address->family);
    told.emplace_back("DRBD_PEER_ADDRESS", resource.peer_address->ip);
  }
  told.emplace_back("DRBD_DONT_WARN_ON_VERSION_MISMATCH", "1");
  return told;
}

int verb_handler(const Context& context, const Target& target) {
  const std::string& verb = context.call.verb;
  const config::Setting* setting =
      target.resource->handlers.find(verb == "outdate-peer" ? "fence-peer" : verb);
  if (setting == nullptr || setting->value.empty()) return 0;
  if (context.runner.dry_run() || context.call.verbose > 0) {
    fmt::print(context.console.out, "/bin/sh -c {}\n", shell_word(setting->value));
    std::fflush(context.console.out);
  }
  if (context.runner.dry_run()) return 0;
  return context.tools.run_handler(setting->value,
                                   handler_environment(target, context.config_path));
}

}  // namespace replicator::adm
