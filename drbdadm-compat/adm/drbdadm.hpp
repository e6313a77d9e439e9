// drbdadm as a function (docs/operations.md#drbdadm): reads the configuration, turns a verb into
// calls of drbdsetup and drbdmeta.
#pragma once

#include <span>
#include <string>

#include "adm/tools.hpp"

namespace replicator::adm {

// Exit code: 0; 1 usage, or not defined here; 10 configuration invalid; 20 something could not be
// run or read; else that of the low-level tool. With several targets the highest.
int run_drbdadm(std::span<const std::string> words, Tools& tools, Console console);

}  // namespace replicator::adm
