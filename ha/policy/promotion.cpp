// Which instances are promoted: those with the highest promotion scores, which their agents set
// according to the data.
#include <algorithm>

#include "ha/policy/assign.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

Resource* active_member(const Resource& clone, std::string_view id, const Node* node) {
  for (Resource* instance : clone.children) {
    Resource* member = find_clone_member(instance, id);
    if (member != nullptr && member->runs_on(node)) return member;
  }
  return nullptr;
}

bool known_there(const Resource& clone, std::string_view id, const Node* node) {
  return std::any_of(clone.children.begin(), clone.children.end(), [&](Resource* instance) {
    const Resource* member = find_clone_member(instance, id);
    return member != nullptr && member->knows(node);
  });
}

bool allowed_on(const Resource& resource, const Node* node) {
  const NodeScore* entry = resource.allowed.find(node);
  return entry != nullptr && entry->score >= 0;
}

// A score of an anonymous clone belongs to the instance that is there, or to all if none is.
bool score_applies(const Resource& resource, const Node* node) {
  const Resource& clone = *top_of(&resource);
  if (!resource.unique) {
    const std::string_view id = without_instance(resource.id);
    const Resource* active = active_member(clone, id, node);
    if (active == &resource || (active == nullptr && known_there(clone, id, node))) {
      return allowed_on(resource, node);
    }
  }
  const bool never_probed = resource.running_on.empty() && resource.known_on.empty();
  if (!never_probed && !resource.knows(node) && !resource.runs_on(node)) return false;
  return allowed_on(resource, node);
}

std::optional<Score> promotion_score(const Cluster& cluster, const Resource& resource,
                                     const Node* node) {
  if (!resource.children.empty()) {
    std::optional<Score> sum;
    for (const Resource* child : resource.children) {
      const std::optional<Score> score = promotion_score(cluster, *child, node);
      if (score) sum = sum.value_or(0) + *score;
    }
    return sum;
  }
  if (!score_applies(resource, node)) return std::nullopt;
  const std::string& name = resource.history_name.empty() ? resource.id : resource.history_name;
  std::string attribute = "master-" + name;
  if (!has(node->attributes, attribute) && !resource.unique) {
    attribute = "master-" + std::string(without_instance(resource.id));
  }
  if (!has(node->attributes, attribute)) return std::nullopt;
  return parse_score(lookup(node->attributes, attribute), cluster.options.health);
}

void set_current_unpromoted(Resource& resource) {
  if (resource.role == Role::started) resource.role = Role::unpromoted;
  for (Resource* child : resource.children)
    set_current_unpromoted(*child);
}

void set_next_unpromoted(Resource& resource) {
  std::vector<Node*> places;
  (void)location_of(resource, When::next, &places);
  resource.next_role = places.empty() ? Role::stopped : Role::unpromoted;
  for (Resource* child : resource.children)
    set_next_unpromoted(*child);
}

void set_next_promoted(Resource& resource) {
  if (resource.next_role == Role::unknown) resource.next_role = Role::promoted;
  for (Resource* child : resource.children)
    set_next_promoted(*child);
}

void add_promoted_locations(Resource& instance, const std::vector<const Location*>& locations,
                            const Node* node) {
  for (const Location* location : locations) {
    if (location->role != Role::promoted) continue;
    for (const NodeScore& entry : location->nodes) {
      if (entry.node == node) instance.priority = add(instance.priority, entry.score);
    }
  }
}

void set_priority(Cluster& cluster, Resource& clone, Resource& instance) {
  if (state_of(instance, true) == Role::started) set_current_unpromoted(instance);
  const Node* chosen = location_of(instance, When::next);
  if (chosen == nullptr) return;
  const Role next = state_of(instance, false);
  if (next == Role::started || next == Role::unknown) {
    instance.priority = promotion_score(cluster, instance, chosen).value_or(-1);
  } else if (next != Role::promoted) {
    instance.priority = -infinity;
  }
  add_promoted_locations(instance, instance.locations, chosen);
  add_promoted_locations(instance, clone.locations, chosen);
  const std::vector<const Colocation*> primaries = instance.this_with;
  for (const Colocation* colocation : primaries) {
    apply_colocation(cluster, instance, *colocation->primary, *colocation, true);
  }
  instance.sort_index = next == Role::promoted ? infinity : instance.priority;
}

// What others wish: those that want to be where this is promoted, and those that this wants to be
// with.
void add_wishes(Cluster& cluster, Resource& clone) {
  for (Resource* instance : clone.children) {
    const Node* chosen = location_of(*instance, When::next);
    NodeScore* entry =
        chosen == nullptr || instance->sort_index < 0 ? nullptr : clone.allowed.find(chosen);
    if (entry != nullptr) entry->score = add(instance->sort_index, entry->score);
  }
  for (const Colocation* colocation : clone.this_with) {
    if (colocation->dependent_role != Role::promoted) continue;
    add_colocated_scores(cluster, *colocation->primary, clone.allowed, colocation->attribute,
                         factor_of(*colocation), {.active = colocation->score < infinity});
  }
  for (const Colocation* colocation : clone.with_this) {
    if (colocation->primary_role != Role::promoted || !has_influence(*colocation)) continue;
    add_colocated_scores(cluster, *colocation->dependent, clone.allowed, colocation->attribute,
                         factor_of(*colocation), {.active = true, .nonnegative = true});
  }
  require_promotion_tickets(cluster, clone);
}

int compare_promotable(Cluster& cluster, const Resource& a, const Resource& b) {
  if (a.sort_index != b.sort_index) return a.sort_index > b.sort_index ? -1 : 1;
  const Role role_a = state_of(a, true);
  const Role role_b = state_of(b, true);
  if (role_a != role_b) return role_a > role_b ? -1 : 1;
  return compare_instances(cluster, a, b);
}

void sort_instances(Cluster& cluster, Resource& clone) {
  if (clone.promotion_sorted) return;
  clone.promotion_sorted = true;
  clone.merging = true;
  add_wishes(cluster, clone);
  for (Resource* instance : clone.children) {
    const Node* chosen = location_of(*instance, When::next);
    if (!instance->managed && instance->next_role == Role::promoted) {
      instance->sort_index = infinity;
    } else if (chosen != nullptr && instance->sort_index >= 0) {
      const NodeScore* entry = clone.allowed.find(chosen);
      if (entry != nullptr) instance->sort_index = entry->score;
    }
  }
  merge_sort(clone.children, [&](const Resource* a, const Resource* b) {
    return compare_promotable(cluster, *a, *b);
  });
  clone.merging = false;
}

NodeScore* promotable_on(Resource& resource) {
  Resource& clone = *top_of(&resource);
  for (Resource* child : resource.children) {
    if (promotable_on(*child) == nullptr) return nullptr;
  }
  const Node* node = location_of(resource, When::next);
  if (node == nullptr) return nullptr;
  if (!resource.managed) {
    if (state_of(resource, true) != Role::promoted) return nullptr;
  } else if (resource.priority < 0 || !available(node)) {
    return nullptr;
  }
  NodeScore* entry = clone.allowed.find(node);
  if (entry == nullptr || (entry->count >= clone.promoted_node_max && resource.managed))
    return nullptr;
  return entry;
}

void choose_role(Cluster& cluster, Resource& clone, Resource& instance, int& promoted) {
  const Node* chosen = location_of(instance, When::next);
  if (cluster.show_scores) {
    cluster.score_lines.push_back(instance.id + " promotion score on " +
                                  (chosen == nullptr ? std::string("none") : chosen->name) + ": " +
                                  score_text(instance.sort_index));
  }
  NodeScore* entry = nullptr;
  if (instance.sort_index >= 0 && (promoted < clone.promoted_max || !clone.managed))
    entry = promotable_on(instance);
  const bool frozen = instance.role < Role::promoted && !cluster.options.have_quorum &&
                      cluster.options.no_quorum == NoQuorum::freeze;
  if (entry == nullptr || frozen) {
    set_next_unpromoted(instance);
    return;
  }
  ++entry->count;
  set_next_promoted(instance);
  ++promoted;
}

}  // namespace

void add_promotion_scores(Cluster& cluster, Resource& clone) {
  if (clone.promotion_scores_added) return;
  clone.promotion_scores_added = true;
  for (Resource* instance : clone.children) {
    for (NodeScore& entry : instance->allowed) {
      if (!available(entry.node)) continue;
      const Score score = promotion_score(cluster, *instance, entry.node).value_or(0);
      if (score > 0) entry.score = add(entry.score, score);
      instance->priority = std::max(instance->priority, score);
    }
  }
}

void choose_promoted(Cluster& cluster, Resource& clone) {
  for (NodeScore& entry : clone.allowed)
    entry.count = 0;
  for (Resource* instance : clone.children)
    set_priority(cluster, clone, *instance);
  sort_instances(cluster, clone);
  int promoted = 0;
  for (Resource* instance : clone.children)
    choose_role(cluster, clone, *instance, promoted);
}

void promotable_sets_dependent(const Resource& primary, Resource& dependent,
                               const Colocation& colocation) {
  std::vector<NodeScore> places;
  for (const Resource* instance : primary.children) {
    Node* node = location_of(*instance, When::next);
    if (node == nullptr || state_of(*instance, false) != colocation.primary_role) continue;
    if (colocation.score < infinity) {
      const std::string_view attribute =
          colocation.attribute.empty() ? "#uname" : std::string_view(colocation.attribute);
      for (NodeScore& entry : dependent.allowed) {
        if (same(lookup(node->attributes, attribute), lookup(entry.node->attributes, attribute))) {
          entry.score = add(entry.score, colocation.score);
        }
      }
    }
    places.insert(places.begin(), {node, place_score(*instance)});
  }
  const bool both_promoted =
      colocation.dependent_role == Role::promoted && colocation.primary_role == Role::promoted;
  if (colocation.score >= infinity && !both_promoted) keep_only(dependent.allowed, places, true);
}

void promotable_sets_priority(const Cluster& cluster, const Resource& primary, Resource& dependent,
                              const Colocation& colocation) {
  const Resource* instance =
      compatible_instance(cluster, dependent, primary, colocation.primary_role, false);
  if (instance != nullptr) dependent.priority = add(dependent.priority, colocation.score);
  else if (colocation.score >= infinity) dependent.priority = -infinity;
}

}  // namespace ha::policy
