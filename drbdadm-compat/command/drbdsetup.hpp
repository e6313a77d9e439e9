// drbdsetup as a function: one call, one operation of the daemon, DRBD 8.4's words, texts and exit
// codes (docs/operations.md#drbdsetup).
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "control/client.hpp"

namespace replicator::command {

// Exit code: 0; 5 a wait timed out, or data already worse than Outdated; 10 configuration error;
// 11, 16, 17 state change refused; 20 usage, or no daemon.
int run_drbdsetup(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                  const control::Client& client);
int run_drbdsetup(std::span<const std::string> arguments, std::FILE* out, std::FILE* err);

}  // namespace replicator::command
