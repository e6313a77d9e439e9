// pollux doctor: whether this machine and its configuration are fit, and what to do where they are
// not (docs/doctor.md).
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "control/client.hpp"

namespace replicator::doctor {

inline constexpr const char* doctor_usage =
    "usage: pollux doctor [RESOURCE...] [--config-file FILE] [--json]\n"
    "Whether this machine and its configuration are fit, and what to do where they are not.\n";

// Exit code: 0 nothing has to be repaired, 1 something has; 2 usage; 3 not root.
int run_doctor(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
               const control::Client& client);

}  // namespace replicator::doctor
