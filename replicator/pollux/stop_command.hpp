// pollux stop: ends the daemon as soon as nobody uses a device, and never before. What a service
// manager and the packages call (docs/services.md).
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "control/client.hpp"

namespace replicator::pollux {

inline constexpr const char* stop_usage =
    "usage: pollux stop [--wait SECONDS]\n"
    "Ends the daemon when nobody uses a device; waits for that at most SECONDS (0).\n";

// Exit code: 0 no daemon runs any more; 1 a device is in use, and everything is as it was; 2 usage;
// 3 the daemon does not answer.
int run_stop(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
             const control::Client& client);

}  // namespace replicator::pollux
