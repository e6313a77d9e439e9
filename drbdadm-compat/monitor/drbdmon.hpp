// drbdmon: the daemon's events, the keyboard and a running command, one after the other, and the
// screen after each of them.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace replicator::monitor {

// The exit code: 0, or 20.
int run_drbdmon(const std::vector<std::string>& arguments, std::FILE* out, std::FILE* err);

}  // namespace replicator::monitor
