#include "ha/policy/plan.hpp"

#include "ha/policy/assign.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

void place_all(Cluster& cluster) {
  if (!same(cluster.options.placement, "default")) sort_for_utilization(cluster);
  const std::vector<Resource*> resources = cluster.resources;
  for (Resource* resource : resources)
    assign(cluster, *resource);
}

}  // namespace

std::unique_ptr<Cluster> read_cluster(const config::Cib& cib, Seconds now) {
  auto cluster = std::make_unique<Cluster>();
  cluster->cib = &cib;
  cluster->now = now;
  read_options(*cluster);
  read_nodes(*cluster);
  read_resources(*cluster);
  read_tags(*cluster);
  read_status(*cluster);
  return cluster;
}

std::unique_ptr<Cluster> make_plan(const config::Cib& cib, Seconds now, bool show_scores) {
  std::unique_ptr<Cluster> cluster = read_cluster(cib, now);
  cluster->show_scores = show_scores;
  read_health_constraints(*cluster);
  read_constraints(*cluster);
  apply_node_criteria(*cluster);
  internal_constraints(*cluster);
  check_config_changes(*cluster);
  place_all(*cluster);
  create_actions(*cluster);
  schedule_fencing_and_shutdowns(*cluster);
  apply_orderings(*cluster);
  select_actions(*cluster);
  return cluster;
}

}  // namespace ha::policy
