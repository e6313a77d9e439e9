// `drbdsetup show`: the running configuration in the language of drbd.conf
// (docs/operations.md#show).
#pragma once

#include <string>

#include "control/status_json.hpp"

namespace replicator::command {

std::string show_text(const control::ResourceShow& resource, bool show_defaults);

}  // namespace replicator::command
