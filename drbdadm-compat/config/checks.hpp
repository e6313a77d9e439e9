// What must hold across a parsed configuration: nothing used twice, nothing missing, both sides of
// a resource alike.
#pragma once

#include "config/model.hpp"

namespace replicator::config {

void check(Config& config, Diagnostics& diagnostics);

}  // namespace replicator::config
