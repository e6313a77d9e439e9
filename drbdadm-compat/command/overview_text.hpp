// One line for each device, as drbd-overview of DRBD 8.3 and 8.4 printed it and as programs still
// read it. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/status.hpp"

namespace replicator::command {

// What is mounted from a device.
struct MountFacts {
  std::string point;
  std::string type;
  std::uint64_t total_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t free_bytes = 0;  // for ordinary users, as df says it
};

// By minor number.
std::string overview_text(const std::vector<ResourceStatus>& resources,
                          const std::map<std::uint32_t, MountFacts>& mounts);

}  // namespace replicator::command
