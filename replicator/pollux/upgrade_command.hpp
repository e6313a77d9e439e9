// pollux upgrade: another polluxd in the place of the one that runs, under open devices. The answer
// is not given before the new one serves; when it does not, the old one is started again.
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "control/client.hpp"

namespace replicator::pollux {

inline constexpr const char* upgrade_usage =
    "usage: pollux upgrade [--binary PATH]\n"
    "  Replaces the running polluxd by PATH (as a rule the polluxd beside this program) while "
    "devices\n"
    "  are in use: their I/O waits for a moment.\n";

// 0: done. 1: nothing has happened. 2: usage. 3: the new daemon does not serve.
int run_upgrade(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                const control::Client& client);

}  // namespace replicator::pollux
