// Placement of primitives and groups.
#include <algorithm>

#include "ha/policy/assign.hpp"

#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

int compare_nodes(const Cluster& cluster, const NodeScore& a, const NodeScore& b,
                  const Node* active) {
  const Score score_a = available(a.node) ? a.score : -infinity;
  const Score score_b = available(b.node) ? b.score : -infinity;
  if (score_a != score_b) return score_a > score_b ? -1 : 1;
  const bool minimal = same(cluster.options.placement, "minimal");
  if (same(cluster.options.placement, "balanced")) {
    if (const int order = compare_capacities(*a.node, *b.node); order != 0) return order;
  }
  if (!minimal) {
    if (a.node->placed != b.node->placed) return a.node->placed < b.node->placed ? -1 : 1;
    if (active != nullptr && active == a.node) return -1;
    if (active != nullptr && active == b.node) return 1;
  }
  return a.node->name.compare(b.node->name);
}

const NodeScore* preferred(const Resource& resource, const std::vector<NodeScore>& nodes,
                           const Node* prefer) {
  if (prefer == nullptr || nodes.empty()) return nullptr;
  const NodeScore* entry = resource.allowed.find(prefer);
  return entry != nullptr && entry->score >= nodes.front().score && available(*entry) ? entry
                                                                                      : nullptr;
}

// The best node, but rather the one where it is if that is as good.
const NodeScore* best(const Resource& resource, const std::vector<NodeScore>& nodes) {
  if (nodes.empty()) return nullptr;
  const NodeScore* chosen = &nodes.front();
  if (is_unique_clone(resource.parent) || chosen->score <= 0 || !available(chosen->node))
    return chosen;
  const Node* running = current_node(resource);
  if (running == nullptr || !available(running) || running->base_score < 0) return chosen;
  for (const NodeScore& entry : nodes) {
    if (entry.score != nodes.front().score) break;
    if (entry.node == running) chosen = &entry;
  }
  return chosen;
}

bool choose_node(Cluster& cluster, Resource& resource, Node* prefer) {
  Node* roomiest = ban_full_nodes(cluster, resource);
  if (prefer == nullptr) prefer = roomiest;
  const std::vector<NodeScore> nodes =
      sorted_nodes(cluster, resource.allowed, current_node(resource));
  const NodeScore* chosen = preferred(resource, nodes, prefer);
  if (chosen == nullptr) chosen = best(resource, nodes);
  if (chosen == nullptr) return finish_assignment(cluster, resource, nullptr, false);
  const NodeScore copy = *chosen;
  return finish_assignment(cluster, resource, &copy, false);
}

// Place those it depends on, and take over what that means.
void follow(Cluster& cluster, Resource& resource, const Colocation& colocation) {
  const bool revocable = colocation.dependent_role >= Role::promoted ||
                         (colocation.score < 0 && colocation.score > -infinity);
  const NodeTable before = revocable ? resource.allowed : NodeTable();
  assign(cluster, *colocation.primary);
  apply_colocation(cluster, resource, *colocation.primary, colocation, true);
  if (revocable && !any_available(resource.allowed)) resource.allowed = before;
}

void listen(Cluster& cluster, Resource& resource, const Colocation& colocation) {
  if (!has_influence(colocation)) return;
  add_colocated_scores(cluster, *colocation.dependent, resource.allowed, colocation.attribute,
                       factor_of(colocation), {.active = true});
}

void assign_unmanaged(const Cluster& cluster, Resource& resource) {
  resource.next_role = resource.role;
  Node* node = current_node(resource);
  const NodeScore place{node, node == nullptr ? 0 : node->base_score};
  finish_assignment(cluster, resource, node == nullptr ? nullptr : &place, true);
}

Node* assign_primitive(Cluster& cluster, Resource& resource, Node* prefer) {
  if (resource.parent != nullptr && !resource.parent->assigning)
    assign(cluster, *resource.parent, prefer);
  if (!resource.provisional) return resource.assigned;
  if (resource.assigning) return nullptr;  // a circle of colocations
  resource.assigning = true;
  // Copies: placing others adds to these lists.
  const std::vector<const Colocation*> primaries = resource.this_with;
  for (const Colocation* colocation : primaries)
    follow(cluster, resource, *colocation);
  const std::vector<const Colocation*> dependents = resource.with_this;
  for (const Colocation* colocation : dependents)
    listen(cluster, resource, *colocation);
  if (resource.next_role == Role::stopped) {
    add_location_score(cluster, resource, nullptr, -infinity);
  } else if (resource.next_role > resource.role && !cluster.options.have_quorum &&
             cluster.options.no_quorum == NoQuorum::freeze) {
    resource.next_role = resource.role;
  }
  show_scores(cluster, resource, "pcmk__primitive_assign");
  if (cluster.options.fencing && !cluster.options.fencing_device) resource.managed = false;
  if (!resource.managed) {
    assign_unmanaged(cluster, resource);
  } else if (cluster.options.stop_all) {
    finish_assignment(cluster, resource, nullptr, true);
  } else if (resource.provisional) {
    choose_node(cluster, resource, prefer);
  }
  resource.assigning = false;
  return resource.assigned;
}

void hand_colocations_to_members(Resource& group) {
  Resource& first = *group.children.front();
  for (const Colocation* colocation : group.this_with)
    add_this_with(first, *colocation);
  bool any_unmanaged = !first.managed;
  for (std::size_t i = 1; i < group.children.size(); ++i) {
    Resource& member = *group.children[i];
    if (any_unmanaged) {
      // An unmanaged member may be elsewhere: those after it are bound on their own.
      for (const Colocation* colocation : group.this_with) {
        if (colocation->score == infinity) add_this_with(member, *colocation);
      }
    } else if (!member.managed) {
      any_unmanaged = true;
    }
  }
  group.this_with.clear();
  for (const Colocation* colocation : group.with_this)
    add_with_this(*group.last_member(), *colocation);
  group.with_this.clear();
}

Node* assign_group(Cluster& cluster, Resource& group, Node* prefer) {
  if (!group.provisional) return group.assigned;
  if (group.assigning) return nullptr;
  if (group.children.empty()) {
    group.provisional = false;
    return nullptr;
  }
  group.assigning = true;
  group.role = group.children.front()->role;
  hand_colocations_to_members(group);
  show_scores(cluster, group, "pcmk__group_assign");
  Node* first_place = nullptr;
  for (Resource* member : group.children) {
    Node* place = assign(cluster, *member, prefer);
    if (first_place == nullptr) first_place = place;
  }
  group.next_role = group.children.front()->next_role;
  group.assigning = false;
  group.provisional = false;
  return group.collocated ? first_place : nullptr;
}

void cancel_for_stop(Resource& resource) {
  for (Action* action : resource.actions) {
    if (same(action->task, "stop")) action->clear(act::optional);
    else if (same(action->task, "start")) action->clear(act::runnable);
    else if (action->interval != 0 && action->expected_result != 7) action->clear(act::runnable);
  }
}

}  // namespace

std::vector<NodeScore> sorted_nodes(const Cluster& cluster, const NodeTable& table,
                                    const Node* active) {
  std::vector<NodeScore> nodes(table.begin(), table.end());
  merge_sort(nodes, [&](const NodeScore& a, const NodeScore& b) {
    return compare_nodes(cluster, a, b, active);
  });
  return nodes;
}

bool finish_assignment(const Cluster& cluster, Resource& resource, const NodeScore* chosen,
                       bool force) {
  if (!force && chosen != nullptr && !available(*chosen)) {
    resource.next_role = Role::stopped;
    chosen = nullptr;
  }
  unassign(cluster, resource);
  resource.provisional = false;
  if (chosen == nullptr) {
    resource.next_role = Role::stopped;
    cancel_for_stop(resource);
    return false;
  }
  resource.assigned = chosen->node;
  resource.assigned_score = chosen->score;
  ++chosen->node->placed;
  take_capacity(cluster, resource, *chosen->node, false);
  return true;
}

void unassign(const Cluster& cluster, Resource& resource) {
  if (resource.assigned == nullptr) return;
  resource.provisional = true;
  --resource.assigned->placed;
  take_capacity(cluster, resource, *resource.assigned, true);
  resource.assigned = nullptr;
}

bool assign_all(const Cluster& cluster, Resource& resource, const NodeScore* chosen, bool force) {
  if (resource.children.empty()) {
    const bool changed = resource.assigned != nullptr;
    finish_assignment(cluster, resource, chosen, force);
    return changed;
  }
  bool changed = false;
  for (Resource* child : resource.children)
    changed = assign_all(cluster, *child, chosen, force) || changed;
  return changed;
}

Node* assign(Cluster& cluster, Resource& resource, Node* prefer) {
  switch (resource.kind) {
    case Kind::primitive: return assign_primitive(cluster, resource, prefer);
    case Kind::group: return assign_group(cluster, resource, prefer);
    case Kind::clone: assign_clone(cluster, resource, prefer); return nullptr;
  }
  return nullptr;
}

}  // namespace ha::policy
