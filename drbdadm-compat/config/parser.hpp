// drbd.conf text to model (docs/operations.md#configuration): DRBD 8.3, 8.4 and the two-host forms
// of
// 9. A syntax error ends the parse, other defects are collected. Never fails on any input but by a
// message.
#pragma once

#include <string>

#include "config/files.hpp"
#include "config/model.hpp"

namespace replicator::config {

// What `require-drbd-module-version-…` is compared with.
inline constexpr unsigned emulated_version[3] = {8, 4, 11};

// Reads `path` and what it includes, and checks it (checks.hpp).
Config load(Files& files, const std::string& path, Diagnostics& diagnostics);
// Also parses `extra` behind it (drbdadm -t).
Config load_with(Files& files, const std::string& path, const std::string& extra,
                 Diagnostics& diagnostics);

}  // namespace replicator::config
