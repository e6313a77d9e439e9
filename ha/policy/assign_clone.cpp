// Placement of clones: instances stay where they are as far as each node keeps to its share, then
// the rest is spread.
#include <algorithm>

#include "ha/policy/assign.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

void add_score_below(Resource& resource, const Node* node, Score score) {
  if (NodeScore* entry = resource.allowed.find(node); entry != nullptr)
    entry->score = add(entry->score, score);
  for (Resource* child : resource.children)
    add_score_below(*child, node, score);
}

// Forbids the nodes that are unusable, unwanted by the clone, or have as many instances as they
// may.
void ban_full(Resource& instance, int limit) {
  const NodeTable table = instance.allowed;
  for (const NodeScore& entry : table) {
    const NodeScore* shared = parent_entry(instance, entry.node);
    const bool room = available(entry.node) && !instance.orphan && shared != nullptr &&
                      shared->score >= 0 && shared->count < limit;
    if (!room) add_score_below(instance, entry.node, -infinity);
  }
}

void hand_colocations_down(const Resource& clone, Resource& instance, bool all) {
  for (const Colocation* colocation : clone.this_with) {
    if (all || colocation->score < 0 || colocation->score == infinity)
      add_this_with(instance, *colocation);
  }
  for (const Colocation* colocation : clone.with_this) {
    if (!has_influence(*colocation, &instance)) continue;
    if (all || colocation->score < 0) add_with_this(instance, *colocation);
  }
}

Node* place_instance(Cluster& cluster, Resource& instance, Node* prefer, bool all_colocations,
                     int limit) {
  if (!instance.provisional) return location_of(instance, When::next);
  if (instance.assigning) return nullptr;
  hand_colocations_down(*instance.parent, instance, all_colocations);
  if (prefer != nullptr) {
    const NodeScore* entry = instance.allowed.find(prefer);
    if (entry == nullptr || entry->score < 0) return nullptr;
  }
  ban_full(instance, limit);
  const NodeTable before = instance.allowed;
  Node* chosen = assign(cluster, instance, prefer);
  if (chosen != nullptr && prefer != nullptr && chosen != prefer) {
    instance.allowed = before;
    unassign(cluster, instance);
    return nullptr;
  }
  if (chosen == nullptr) return nullptr;
  if (NodeScore* shared = parent_entry(instance, chosen); shared != nullptr) ++shared->count;
  return chosen;
}

bool stays_for_now(const Resource& instance) {
  return !instance.running_on.empty() && instance.provisional && !instance.failed;
}

void spread(Cluster& cluster, Resource& clone) {
  int usable = 0;
  for (NodeScore& entry : clone.allowed) {
    entry.count = 0;
    if (available(entry.node)) ++usable;
  }
  const int most = clone.clone_max;
  const bool all_colocations = most < usable;
  const int share = std::max(1, usable == 0 ? 1 : most / usable);
  int placed = 0;
  const std::vector<Resource*> instances = clone.children;
  for (Resource* instance : instances) {
    if (placed >= most) break;
    if (!stays_for_now(*instance)) continue;
    Node* current = current_node(*instance);
    const NodeScore* shared = parent_entry(*instance, current);
    if (!available(current) || current->base_score < 0) continue;
    if (shared != nullptr && shared->count >= share) continue;
    if (place_instance(cluster, *instance, current, all_colocations, clone.clone_node_max) !=
        nullptr)
      ++placed;
  }
  for (Resource* instance : instances) {
    if (!instance->provisional) continue;
    if (placed >= most) add_location_score(cluster, *instance, nullptr, -infinity);
    else if (place_instance(cluster, *instance, nullptr, all_colocations, clone.clone_node_max) !=
             nullptr)
      ++placed;
  }
}

}  // namespace

NodeScore* parent_entry(const Resource& instance, const Node* node) noexcept {
  if (node == nullptr) return nullptr;
  // The counts live in the table that all instances share.
  auto& owner = const_cast<Resource&>(instance.parent == nullptr ? instance : *instance.parent);
  return owner.allowed.find(node);
}

Resource* compatible_instance(const Cluster& cluster, const Resource& other, const Resource& clone,
                              Role filter, bool current) {
  const When when = current ? When::now : When::next;
  const auto on_node = [&](const Node* node) -> Resource* {
    for (Resource* instance : clone.children) {
      if (any_blocked(*instance)) continue;
      if (filter != Role::unknown && state_of(*instance, current) != filter) continue;
      if (location_of(*instance, when) == node) return instance;
    }
    return nullptr;
  };
  if (const Node* node = location_of(other, when); node != nullptr) return on_node(node);
  for (const NodeScore& entry : sorted_nodes(cluster, other.allowed)) {
    if (Resource* found = on_node(entry.node); found != nullptr) return found;
  }
  return nullptr;
}

void assign_clone(Cluster& cluster, Resource& clone, Node* prefer) {
  if (!clone.provisional || clone.assigning) return;
  if (clone.promotable) add_promotion_scores(cluster, clone);
  clone.assigning = true;
  const std::vector<const Colocation*> primaries = clone.this_with;
  for (const Colocation* colocation : primaries)
    assign(cluster, *colocation->primary, prefer);
  const std::vector<const Colocation*> dependents = clone.with_this;
  for (const Colocation* colocation : dependents) {
    if (!has_influence(*colocation)) continue;
    add_colocated_scores(cluster, *colocation->dependent, clone.allowed, colocation->attribute,
                         factor_of(*colocation), {.active = true, .nonnegative = true});
  }
  show_scores(cluster, clone, "pcmk__clone_allocate");
  merge_sort(clone.children, [&](const Resource* a, const Resource* b) {
    return compare_instances(cluster, *a, *b);
  });
  spread(cluster, clone);
  if (clone.promotable) choose_promoted(cluster, clone);
  clone.provisional = false;
  clone.assigning = false;
}

}  // namespace ha::policy
