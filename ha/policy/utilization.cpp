// Capacities: what resources take of nodes, where the placement strategy counts it.
#include <algorithm>

#include "ha/policy/assign.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

using Amounts = std::map<std::string, int, std::less<>>;

int amount(const Amounts& amounts, const std::string& name) {
  const auto found = amounts.find(name);
  return found == amounts.end() ? 0 : found->second;
}

bool enough(const Node& node, const Amounts& needed) {
  return std::all_of(needed.begin(), needed.end(), [&](const auto& need) {
    return need.second <= amount(node.free_capacity, need.first);
  });
}

bool contains(const std::vector<Resource*>& list, const Resource* resource) {
  return std::find(list.begin(), list.end(), resource) != list.end();
}

void collect(Resource& resource, const Resource& origin, std::vector<Resource*>& found);

void collect_colocated(Resource& resource, const Resource& origin, std::vector<Resource*>& found) {
  if (contains(found, &resource)) return;
  found.push_back(&resource);
  for (const Colocation* colocation : resource.this_with) {
    if (colocation->primary == &origin || colocation->score != infinity) continue;
    if (would_decide_place(resource, *colocation->primary, *colocation))
      collect(*colocation->primary, origin, found);
  }
  for (const Colocation* colocation : resource.with_this) {
    Resource& dependent = *colocation->dependent;
    if (&dependent == &origin || colocation->score != infinity) continue;
    if (resource.is_clone() && !dependent.is_clone()) continue;
    if (would_decide_place(dependent, resource, *colocation)) collect(dependent, origin, found);
  }
}

// All that has to run on the same node.
void collect(Resource& resource, const Resource& origin, std::vector<Resource*>& found) {
  if (resource.kind == Kind::group && !resource.children.empty()) {
    const bool all =
        resource.collocated || (resource.parent != nullptr && resource.parent->is_clone());
    for (Resource* member : resource.children) {
      collect(*member, origin, found);
      if (!all) break;
    }
  }
  collect_colocated(resource, origin, found);
}

void add_needs(const Resource& resource, const std::vector<Resource*>& all, Amounts& needed) {
  if (!resource.provisional) return;
  if (resource.kind == Kind::primitive) {
    for (const auto& [name, value] : resource.utilization)
      needed[name] += value;
    return;
  }
  if (resource.kind == Kind::group) {
    const bool whole =
        resource.collocated || (resource.parent != nullptr && resource.parent->is_clone());
    for (const Resource* member : resource.children) {
      if (member->provisional && !contains(all, member)) add_needs(*member, all, needed);
      if (!whole) break;
    }
    return;
  }
  bool counted = false;
  for (const Resource* instance : resource.children) {
    if (contains(all, instance)) {
      counted = true;
    } else if (std::any_of(instance->children.begin(), instance->children.end(),
                           [&](const Resource* member) { return contains(all, member); })) {
      add_needs(*instance, all, needed);
      counted = true;
    }
  }
  if (!counted && !resource.children.empty()) add_needs(*resource.children.front(), all, needed);
}

void ban_where_not_enough(Cluster& cluster, Resource& resource, const Amounts& needed) {
  const NodeTable table = resource.allowed;
  for (const NodeScore& entry : table) {
    if (available(entry) && !enough(*entry.node, needed)) {
      add_location_score(cluster, resource, entry.node, -infinity);
    }
  }
}

Score score_on(const NodeTable& table, const Node* node) {
  const NodeScore* entry = table.find(node);
  return entry == nullptr ? -infinity : entry->score;
}

NodeTable scores_with_primaries(Cluster& cluster, Resource& resource) {
  NodeTable table;
  add_colocated_scores(cluster, resource, table, {}, 1, {.this_with = true, .fresh = true});
  return table;
}

int compare_resources(Cluster& cluster, Resource& a, Resource& b,
                      const std::vector<NodeScore>& nodes) {
  if (a.priority != b.priority) return a.priority > b.priority ? -1 : 1;
  const NodeTable table_a = scores_with_primaries(cluster, a);
  const NodeTable table_b = scores_with_primaries(cluster, b);
  const Score here_a = score_on(table_a, current_node(a));
  const Score here_b = score_on(table_b, current_node(b));
  if (here_a != here_b) return here_a > here_b ? -1 : 1;
  for (const NodeScore& entry : nodes) {
    const Score score_a = score_on(table_a, entry.node);
    const Score score_b = score_on(table_b, entry.node);
    if (score_a != score_b) return score_a > score_b ? -1 : 1;
  }
  return 0;
}

}  // namespace

int compare_capacities(const Node& a, const Node& b) {
  int result = 0;
  const auto compare = [&](int left, int right) {
    result += left > right ? -1 : (left < right ? 1 : 0);
  };
  for (const auto& [name, value] : a.free_capacity)
    compare(value, amount(b.free_capacity, name));
  for (const auto& [name, value] : b.free_capacity) {
    if (!a.free_capacity.contains(name)) compare(0, value);
  }
  return result;
}

void take_capacity(const Cluster& cluster, const Resource& resource, Node& node, bool give_back) {
  if (same(cluster.options.placement, "default")) return;
  for (const auto& [name, value] : resource.utilization) {
    if (give_back) node.free_capacity[name] += value;
    else if (node.free_capacity.contains(name)) node.free_capacity[name] -= value;
    else node.free_capacity[name] = 0;
  }
}

Node* ban_full_nodes(Cluster& cluster, Resource& resource) {
  if (same(cluster.options.placement, "default")) return nullptr;
  std::vector<Resource*> together;
  collect(resource, resource, together);
  Amounts needed;
  for (const Resource* each : together)
    add_needs(*each, together, needed);
  bool any = false;
  Node* roomiest = nullptr;
  for (const NodeScore& entry : resource.allowed) {
    if (!available(entry)) continue;
    any = any || enough(*entry.node, needed);
    if (roomiest == nullptr || compare_capacities(*entry.node, *roomiest) < 0)
      roomiest = entry.node;
  }
  ban_where_not_enough(cluster, resource, any ? needed : resource.utilization);
  return any ? nullptr : roomiest;
}

void sort_for_utilization(Cluster& cluster) {
  NodeTable all;
  for (const auto& node : cluster.nodes)
    all.insert({node.get(), node->base_score});
  const std::vector<NodeScore> nodes = sorted_nodes(cluster, all);
  merge_sort(cluster.resources,
             [&](Resource* a, Resource* b) { return compare_resources(cluster, *a, *b, nodes); });
}

}  // namespace ha::policy
