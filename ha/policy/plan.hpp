// The planner: a pure function from configuration, status and time to a plan (H8). The same input
// gives the same plan on every node; nothing here reads a clock, a file or an address.
#pragma once

#include <memory>

#include "ha/policy/cluster.hpp"

namespace ha::policy {

// The cluster as the status says it is. The Cib must outlive the result.
[[nodiscard]] std::unique_ptr<Cluster> read_cluster(const config::Cib& cib, Seconds now);

// The same, with places chosen and actions planned: `plan` lists what is to be done, each action's
// used links say what it waits for.
[[nodiscard]] std::unique_ptr<Cluster> make_plan(const config::Cib& cib, Seconds now,
                                                 bool show_scores = false);

}  // namespace ha::policy
