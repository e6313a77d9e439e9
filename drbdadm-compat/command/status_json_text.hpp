// `drbdsetup status --json` (docs/operations.md#status-json): DRBD 9's keys and types, because that
// is what exporters read. What this release does not know is left out rather than made up. Sizes in
// KiB, rates in MiB/s.
#pragma once

#include <string>
#include <vector>

#include "engine/status.hpp"

namespace replicator::command {

// An array with one object per resource, and a newline.
std::string status_json_text(const std::vector<ResourceStatus>& resources);

}  // namespace replicator::command
