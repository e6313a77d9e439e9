// pollux explain RESOURCE, without more: facts from the daemon, and an echo of a peer that is not
// reached; then pollux/diagnosis.
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "control/client.hpp"

namespace replicator::pollux {

// Exit code as of run_explain().
int explain_resource(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                     const control::Client& client);

}  // namespace replicator::pollux
