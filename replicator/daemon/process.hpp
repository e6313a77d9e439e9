// What keeps a block device in userspace from deadlocking under memory pressure
// (docs/operations.md#memory).
#pragma once

#include <string>
#include <vector>

namespace replicator {

// Locks memory, marks the process as one that writes pages back, protects it from the OOM killer,
// raises the descriptor limit. One line each on what was done, or could not be and why.
std::vector<std::string> harden_process();

}  // namespace replicator
