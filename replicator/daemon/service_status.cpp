#include "daemon/service_status.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "control/state_words.hpp"

namespace replicator {

std::string service_status(const std::vector<ResourceStatus>& resources) {
  if (resources.empty()) return "no resources";
  std::size_t connected = 0;
  std::size_t primary = 0;
  std::uint64_t out_of_sync_kib = 0;
  for (const ResourceStatus& resource : resources) {
    const auto any = [&](auto holds) {
      return std::any_of(resource.volumes.begin(), resource.volumes.end(), holds);
    };
    if (any([](const VolumeStatus& v) { return control::is_connected(v.state.connection); }))
      ++connected;
    if (any([](const VolumeStatus& v) { return v.state.role == Role::primary; })) ++primary;
    for (const VolumeStatus& volume : resource.volumes)
      out_of_sync_kib += volume.out_of_sync_kib;
  }
  return fmt::format("{} resource{}: {} connected, {} Primary; {} KiB out of sync",
                     resources.size(), resources.size() == 1 ? "" : "s", connected, primary,
                     out_of_sync_kib);
}

}  // namespace replicator
