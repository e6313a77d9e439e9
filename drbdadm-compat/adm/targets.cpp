#include "adm/targets.hpp"

namespace replicator::adm {
namespace {

using config::LocalResource;
using config::LocalVolume;

const LocalResource* find_resource(const Locals& locals, const std::string& name) {
  for (const LocalResource& local : locals) {
    if (local.name() == name && !local.ignored()) return &local;
  }
  return nullptr;
}

bool is_stacked(const Locals& locals, const std::string& word) {
  const std::string name = parse_target(word).resource;
  for (const LocalResource& local : locals) {
    if (local.stacked && local.name() == name) return true;
  }
  return false;
}

Target find_minor(const Locals& locals, std::uint32_t minor) {
  for (const LocalResource& local : locals) {
    if (local.ignored()) continue;
    for (const LocalVolume& volume : local.volumes) {
      if (volume.minor == minor) return Target{&local, &volume};
    }
  }
  return Target();
}

Target find(const Locals& locals, const std::string& word) {
  const TargetName name = parse_target(word);
  if (name.kind == TargetName::Kind::minor) return find_minor(locals, name.number);
  const LocalResource* resource = find_resource(locals, name.resource);
  if (resource == nullptr) return Target();
  if (name.kind == TargetName::Kind::resource) return Target{resource, nullptr};
  const LocalVolume* volume = resource->find(name.number);
  if (volume == nullptr) return Target();
  return Target{resource, volume};
}

}  // namespace

std::vector<const LocalVolume*> Target::volumes() const {
  std::vector<const LocalVolume*> found;
  if (volume != nullptr) {
    found.push_back(volume);
    return found;
  }
  for (const LocalVolume& each : resource->volumes)
    found.push_back(&each);
  return found;
}

Targets select_targets(const std::vector<std::string>& words, const Locals& locals) {
  Targets targets;
  for (const std::string& word : words) {
    if (word == "all") {
      for (const LocalResource& local : locals) {
        if (!local.ignored()) targets.list.push_back(Target{&local, nullptr});
      }
      continue;
    }
    const Target target = find(locals, word);
    if (target.resource == nullptr) {
      targets.problem =
          is_stacked(locals, word)
              ? "'" + word + "' is a stacked resource, and not available in normal mode."
              : "'" + word + "' not defined in your config (for this host).";
      targets.list.clear();
      return targets;
    }
    targets.list.push_back(target);
  }
  return targets;
}

}  // namespace replicator::adm
