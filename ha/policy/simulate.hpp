// What the status would be if every planned action went as expected. The configuration stays as it
// is.
#pragma once

#include <string>
#include <vector>

#include "ha/policy/plan.hpp"

namespace ha::policy {

struct Simulation {
  std::vector<std::string> lines;  // what was done, in order
  config::Element root;            // the configuration with the new status
  bool complete = true;            // false: some actions wait for what never happens
};

// "RESOURCE_TASK_INTERVAL@NODE=RESULT": operations that are to fail.
[[nodiscard]] Simulation simulate(const Cluster& cluster, Seconds now,
                                  const std::vector<std::string>& failing = {});

// Changes of the status by hand, as one would try them out.
void inject_node_state(config::Element& root, std::string_view node, bool online);
void inject_node_failure(config::Element& root, std::string_view node);
void wipe_node_history(config::Element& root, std::string_view node);
// False when the specification makes no sense here.
bool inject_operation(config::Element& root, const Cluster& cluster, std::string_view specification,
                      Seconds now);

}  // namespace ha::policy
