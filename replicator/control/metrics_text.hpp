// What polluxd tells Prometheus (docs/operations.md#metrics): the metrics of drbd-reactor under the
// same names and labels, and what only Pollux knows under names of its own. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/status.hpp"

namespace replicator::control {

struct ResourceMetrics {
  ResourceStatus status;
  std::vector<WriteTimes> times;  // by position, of each volume
};

// Text exposition format 0.0.4.
std::string metrics_text(std::span<const ResourceMetrics> resources);

}  // namespace replicator::control
