// What `systemctl status` shows of the daemon: one line.
#pragma once

#include <string>
#include <vector>

#include "engine/status.hpp"

namespace replicator {

// "2 resources: 1 connected, 1 Primary; 12 KiB out of sync"
std::string service_status(const std::vector<ResourceStatus>& resources);

}  // namespace replicator
