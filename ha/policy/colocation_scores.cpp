// What colocations do to scores: to the dependent's, once its primary has a place, and before that
// to the primary's, so that it goes where its dependents can follow.
#include <algorithm>

#include "ha/policy/assign.hpp"

namespace ha::policy {
namespace {

// A score that a merge took out of the game, until the merge is complete.
constexpr Score set_aside = -100 * infinity;

std::string_view attribute_of(const Node& node, std::string_view name) {
  return lookup(node.attributes, name);
}

bool alike(const Node& a, const Node& b, std::string_view attribute) {
  if (attribute.empty()) return &a == &b;
  const bool has_a = has(a.attributes, attribute);
  return has_a == has(b.attributes, attribute) &&
         same(attribute_of(a, attribute), attribute_of(b, attribute));
}

Score best_score_like(const Resource& resource, std::string_view attribute, const Node& node) {
  Score best = -infinity;
  for (const NodeScore& entry : resource.allowed) {
    if (entry.score > best && available(entry.node) && alike(*entry.node, node, attribute))
      best = entry.score;
  }
  return best;
}

void merge_scores(NodeTable& nodes, const Resource& resource, std::string_view attribute,
                  float factor, bool nonnegative) {
  for (NodeScore& entry : nodes) {
    const Score score = best_score_like(resource, attribute, *entry.node);
    // A place that the other avoids is no reason to go there, even if the two avoid each other.
    if (factor < 0 && score < 0) continue;
    if (entry.score == set_aside) continue;
    const Score sum = add(scaled(score, factor), entry.score);
    if (nonnegative && sum < 0 && entry.score > 0) entry.score = set_aside;
    else if (!nonnegative || sum >= 0 || entry.score != 0) entry.score = sum;
  }
}

enum class Affects { nothing, location, role };

Affects affects(const Resource& dependent, const Resource& primary, const Colocation& colocation,
                bool preview = false) noexcept {
  if (!preview && primary.provisional) return Affects::nothing;
  if (colocation.dependent_role >= Role::unpromoted && dependent.parent != nullptr &&
      dependent.parent->promotable && !dependent.provisional) {
    return Affects::role;
  }
  if (!preview && !dependent.provisional) return Affects::nothing;
  const auto concerned = [&](Role wanted, Role actual) {
    // For a negative score the test is the other way round; configurations have come to rely on it.
    return wanted == Role::unknown || (wanted == actual) == (colocation.score > 0);
  };
  return concerned(colocation.dependent_role, dependent.next_role) &&
                 concerned(colocation.primary_role, primary.next_role)
             ? Affects::location
             : Affects::nothing;
}

void change_scores(Resource& dependent, const Resource& primary, const Colocation& colocation) {
  if (primary.assigned == nullptr && colocation.score < 0) return;
  NodeTable changed = dependent.allowed;
  for (NodeScore& entry : changed) {
    if (primary.assigned == nullptr) {
      entry.score = add(-colocation.score, entry.score);
    } else if (alike(*entry.node, *primary.assigned, colocation.attribute)) {
      if (colocation.score < infinity) entry.score = add(colocation.score, entry.score);
    } else if (colocation.score >= infinity) {
      entry.score = add(-colocation.score, entry.score);
    }
  }
  const bool mandatory = colocation.score <= -infinity || colocation.score >= infinity;
  if (mandatory || any_available(changed)) dependent.allowed = std::move(changed);
}

void change_priority(Resource& dependent, const Resource& primary, const Colocation& colocation) {
  if (primary.assigned == nullptr || dependent.assigned == nullptr) return;
  if (!alike(*dependent.assigned, *primary.assigned, colocation.attribute)) {
    if (colocation.score == infinity && colocation.dependent_role == Role::promoted)
      dependent.priority = -infinity;
    return;
  }
  if (colocation.primary_role != Role::unknown && colocation.primary_role != primary.next_role)
    return;
  const int sign = colocation.dependent_role == Role::unpromoted ? -1 : 1;
  dependent.priority = add(sign * colocation.score, dependent.priority);
}

void apply_to_primitive(Resource& dependent, const Resource& primary,
                        const Colocation& colocation) {
  switch (affects(dependent, primary, colocation)) {
    case Affects::location: change_scores(dependent, primary, colocation); break;
    case Affects::role: change_priority(dependent, primary, colocation); break;
    case Affects::nothing: break;
  }
}

int copies_per_node(const Resource& resource) {
  if (resource.is_clone()) return resource.clone_node_max;
  return 1;
}

bool interleaved(const Colocation& colocation) {
  const Resource& dependent = *colocation.dependent;
  return is_true(lookup(dependent.meta, "interleave")) && dependent.is_clone() &&
         copies_per_node(dependent) == copies_per_node(*colocation.primary);
}

void apply_with_group(Cluster& cluster, Resource& dependent, Resource& primary,
                      const Colocation& colocation) {
  if (primary.provisional || primary.children.empty()) return;
  if (primary.collocated) {
    Resource& member =
        colocation.score >= infinity ? *primary.last_member() : *primary.children.front();
    apply_colocation(cluster, dependent, member, colocation, false);
  } else if (colocation.score < infinity) {
    for (Resource* member : primary.children)
      apply_colocation(cluster, dependent, *member, colocation, false);
  }
}

void apply_group_with(Cluster& cluster, Resource& dependent, Resource& primary,
                      const Colocation& colocation) {
  if (dependent.children.empty()) return;
  if (dependent.collocated) {
    apply_colocation(cluster, *dependent.children.front(), primary, colocation, true);
  } else if (colocation.score < infinity) {
    for (Resource* member : dependent.children)
      apply_colocation(cluster, *member, primary, colocation, true);
  }
}

void apply_with_clone(Cluster& cluster, Resource& dependent, Resource& primary,
                      const Colocation& colocation) {
  if (primary.promotable && colocation.primary_role != Role::unknown && !primary.provisional) {
    if (dependent.provisional) {
      promotable_sets_dependent(primary, dependent, colocation);
      return;
    }
    if (colocation.dependent_role == Role::promoted) {
      promotable_sets_priority(cluster, primary, dependent, colocation);
      return;
    }
  }
  if (primary.provisional) return;
  if (interleaved(colocation)) {
    Resource* instance = compatible_instance(cluster, dependent, primary, Role::unknown, false);
    if (instance != nullptr) apply_colocation(cluster, dependent, *instance, colocation, true);
    else if (colocation.score >= infinity) assign_all(cluster, dependent, nullptr, true);
    return;
  }
  if (colocation.score < infinity) {
    for (Resource* instance : primary.children)
      apply_colocation(cluster, dependent, *instance, colocation, false);
    return;
  }
  std::vector<NodeScore> places;
  for (const Resource* instance : primary.children) {
    Node* node = location_of(*instance, When::next);
    if (node != nullptr && !any_blocked(*instance))
      places.push_back({node, place_score(*instance)});
  }
  keep_only(dependent.allowed, places, false);
}

// The scores of a group are those of its first member, or of its last where the group itself is
// ranked.
bool start_merge(Cluster& cluster, Resource& resource, NodeTable& work, const NodeTable& nodes,
                 std::string_view attribute, float factor, Merge merge) {
  if (resource.kind == Kind::group) {
    if (resource.children.empty()) return false;
    Resource& member = merge.fresh ? *resource.last_member() : *resource.children.front();
    work = nodes;
    add_colocated_scores(cluster, member, work, attribute, factor, merge);
    return true;
  }
  if (merge.fresh) {
    work = resource.allowed;
    return true;
  }
  work = nodes;
  merge_scores(work, resource, attribute, factor, merge.nonnegative);
  return true;
}

}  // namespace

bool would_decide_place(const Resource& dependent, const Resource& primary,
                        const Colocation& colocation) noexcept {
  return affects(dependent, primary, colocation, true) == Affects::location;
}

Score place_score(const Resource& resource) noexcept {
  return resource.children.empty() ? resource.assigned_score
                                   : place_score(*resource.children.front());
}

float factor_of(const Colocation& colocation) noexcept {
  return static_cast<float>(colocation.score) / static_cast<float>(infinity);
}

bool has_influence(const Colocation& colocation, const Resource* resource) noexcept {
  if (resource == nullptr) resource = colocation.primary;
  return colocation.influence || resource->running_on.empty();
}

bool any_blocked(const Resource& resource) noexcept {
  return resource.blocked || std::any_of(resource.children.begin(), resource.children.end(),
                                         [](const Resource* child) { return any_blocked(*child); });
}

void keep_only(NodeTable& table, const std::vector<NodeScore>& nodes, bool add_scores) {
  const auto listed = [&](const Node* node) {
    return std::find_if(nodes.begin(), nodes.end(),
                        [&](const NodeScore& entry) { return entry.node == node; });
  };
  for (NodeScore& entry : table) {
    const auto found = listed(entry.node);
    if (found == nodes.end()) entry.score = -infinity;
    else if (add_scores) entry.score = add(entry.score, found->score);
  }
  for (const NodeScore& entry : nodes) {
    if (table.find(entry.node) == nullptr) table.insert({entry.node, -infinity});
  }
}

void add_colocated_scores(Cluster& cluster, Resource& resource, NodeTable& nodes,
                          std::string_view attribute, float factor, Merge merge) {
  if (resource.merging) return;  // a circle
  resource.merging = true;
  NodeTable work;
  if (!start_merge(cluster, resource, work, nodes, attribute, factor, merge)) {
    resource.merging = false;
    return;
  }
  if (any_available(work)) {
    const float sign = factor < 0 ? -1.0F : 1.0F;
    const Resource& end =
        resource.kind == Kind::group && !merge.this_with ? *resource.last_member() : resource;
    const std::vector<const Colocation*> colocations =
        merge.this_with ? resource.this_with : end.with_this;
    Merge deeper = merge;
    deeper.active = true;
    deeper.fresh = false;
    for (const Colocation* colocation : colocations) {
      if (!merge.this_with && !has_influence(*colocation)) continue;
      Resource& other = merge.this_with ? *colocation->primary : *colocation->dependent;
      add_colocated_scores(cluster, other, work, colocation->attribute,
                           sign * factor_of(*colocation), deeper);
    }
  } else if (merge.active) {
    resource.merging = false;
    return;
  }
  if (merge.nonnegative) {
    for (NodeScore& entry : work) {
      if (entry.score == set_aside) entry.score = 1;
    }
  }
  nodes = std::move(work);
  resource.merging = false;
}

void apply_colocation(Cluster& cluster, Resource& dependent, Resource& primary,
                      const Colocation& colocation, bool for_dependent) {
  if (for_dependent && dependent.kind == Kind::group) {
    apply_group_with(cluster, dependent, primary, colocation);
    return;
  }
  switch (primary.kind) {
    case Kind::primitive: apply_to_primitive(dependent, primary, colocation); break;
    case Kind::group: apply_with_group(cluster, dependent, primary, colocation); break;
    case Kind::clone: apply_with_clone(cluster, dependent, primary, colocation); break;
  }
}

}  // namespace ha::policy
