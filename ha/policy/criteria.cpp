// Scores of nodes that come from locations, from where a resource is, from failures and from the
// nodes' health.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

void apply_health(Cluster& cluster) {
  const std::string& strategy = cluster.options.health_strategy;
  if (same(strategy, "none")) return;
  const Score base =
      same(strategy, "progressive")
          ? parse_score(lookup(cluster.properties, "node-health-base", "0"), cluster.options.health)
          : 0;
  for (const auto& node : cluster.nodes) {
    Score health = base;
    for (const auto& [name, value] : node->attributes) {
      if (name.starts_with("#health"))
        health = add(parse_score(value, cluster.options.health), health);
    }
    if (health == 0) continue;
    for (Resource* resource : cluster.resources) {
      if (health < 0 && is_true(lookup(resource->meta, "allow-unhealthy-nodes"))) continue;
      new_location(cluster, strategy, *resource, health, {}, node.get());
    }
  }
}

void apply_here(Resource& resource, const Location& location) {
  if (location.role != Role::unknown && location.role != resource.next_role) return;
  for (const NodeScore& wanted : location.nodes) {
    NodeScore* entry = resource.allowed.find(wanted.node);
    if (entry == nullptr) entry = &resource.allowed.insert(wanted);
    else entry->score = add(entry->score, wanted.score);
    if (entry->discovery >= location.discovery) continue;
    if (location.discovery == Discovery::exclusive) resource.exclusive_discovery = true;
    entry->discovery = location.discovery;
  }
}

void apply_stickiness(Cluster& cluster, Resource& resource) {
  for (Resource* child : resource.children)
    apply_stickiness(cluster, *child);
  if (!resource.children.empty() || !resource.managed || resource.stickiness < 1) return;
  if (resource.running_on.size() != 1) return;
  Node* node = resource.running_on.front();
  if (!cluster.options.symmetric && resource.allowed.find(node) == nullptr) return;
  add_location_score(cluster, resource, node, resource.stickiness);
}

// Too many failures: not there again, until somebody looked.
void apply_threshold(Cluster& cluster, Resource& resource, Node& node) {
  for (Resource* child : resource.children)
    apply_threshold(cluster, *child, node);
  if (!resource.children.empty() || resource.migration_threshold == 0 || resource.failure_ignored)
    return;
  const bool being_cleared =
      !find_actions_on(resource.actions, operation_key(resource.id, "clear_failcount"), &node)
           .empty();
  if (being_cleared) return;
  const Score count = failures_of(cluster, node, resource, true).count;
  if (count <= 0 || count < resource.migration_threshold) return;
  Resource& banned = resource.unique ? resource : *top_of(&resource);
  add_location_score(cluster, banned, &node, -infinity);
}

void apply_exclusive_discovery(Resource& resource, const Node* node) {
  if (!resource.exclusive_discovery && !top_of(&resource)->exclusive_discovery) return;
  for (Resource* child : resource.children)
    apply_exclusive_discovery(*child, node);
  NodeScore* entry = resource.allowed.find(node);
  if (entry != nullptr && entry->discovery != Discovery::exclusive) entry->score = -infinity;
}

// A node that was shut down in order keeps its resources: nobody else starts them before it
// returns.
void apply_shutdown_lock(Cluster& cluster, Resource& resource) {
  if (resource.is_clone()) return;
  for (Resource* member : resource.children)
    apply_shutdown_lock(cluster, *member);
  if (resource.collective() || resource.fence_device) return;
  if (resource.lock_node != nullptr) {
    if (!resource.running_on.empty()) {
      get_action(cluster, resource, "lrm_delete", resource.lock_node, false);
      resource.lock_node = nullptr;
    }
  } else if (resource.running_on.size() == 1) {
    Node* node = resource.running_on.front();
    if (node->shutting_down && !node->unclean) {
      resource.lock_node = node;
      const Seconds since = parse_number(lookup(node->attributes, "shutdown")).value_or(0);
      resource.lock_time = since == 0 ? cluster.now : since;
    }
  }
  if (resource.lock_node == nullptr) return;
  for (const auto& node : cluster.nodes) {
    if (node.get() != resource.lock_node)
      add_location_score(cluster, resource, node.get(), -infinity);
  }
}

}  // namespace

void apply_location(Resource& resource, Location& location) {
  apply_here(resource, location);
  if (resource.kind == Kind::group && resource.collocated) {
    // The first member decides; the others only learn which nodes there are.
    Location without_scores = location;
    for (NodeScore& entry : without_scores.nodes)
      entry.score = 0;
    bool first = true;
    for (Resource* member : resource.children) {
      apply_location(*member, first ? location : without_scores);
      first = false;
    }
    return;
  }
  for (Resource* child : resource.children)
    apply_location(*child, location);
}

void apply_node_criteria(Cluster& cluster) {
  if (cluster.options.shutdown_lock) {
    for (Resource* resource : cluster.resources)
      apply_shutdown_lock(cluster, *resource);
  }
  for (auto at = cluster.locations.rbegin(); at != cluster.locations.rend(); ++at) {
    apply_location(*at->resource, *at);
  }
  for (Resource* resource : cluster.resources)
    apply_stickiness(cluster, *resource);
  for (const auto& node : cluster.nodes) {
    for (Resource* resource : cluster.resources) {
      apply_threshold(cluster, *resource, *node);
      apply_exclusive_discovery(*resource, node.get());
    }
  }
}

void read_health_constraints(Cluster& cluster) { apply_health(cluster); }

}  // namespace ha::policy
