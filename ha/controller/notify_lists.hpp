// What the instances of a clone are told about each other: who is active, and who is about to
// change, as it was before anything changed.
#pragma once

#include "ha/policy/cluster.hpp"

namespace ha::controller {

void add_notify_lists(const policy::Cluster& cluster, const policy::Resource& clone,
                      policy::Attributes& parameters);

}  // namespace ha::controller
