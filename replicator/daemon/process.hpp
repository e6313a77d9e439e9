// What keeps a block device in userspace from deadlocking under memory pressure
// (docs/operations.md#memory).
#pragma once

#include <string>
#include <vector>

namespace replicator {

// Locks memory, marks the process as one that writes pages back, protects it from the OOM killer,
// raises the descriptor limit. One line each on what was done, or could not be and why.
std::vector<std::string> harden_process();

// The program that runs handlers unless another one is named: drbdadm of the same installation,
// under the name that the kernel would use where that is the same file.
std::string usual_helper();

}  // namespace replicator
