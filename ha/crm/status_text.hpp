// The state of a cluster, and what is going to change, as administrators know it.
#pragma once

#include "ha/crm/outline.hpp"
#include "ha/policy/cluster.hpp"

namespace ha::crm {

void print_status(Outline& out, const policy::Cluster& cluster, std::string_view title);
void print_transition(Outline& out, policy::Cluster& cluster);

struct Counts {
  int instances = 0;
  int disabled = 0;
  int blocked = 0;
};
[[nodiscard]] Counts count_instances(const policy::Cluster& cluster);

}  // namespace ha::crm
