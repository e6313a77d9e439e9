// The orders that follow from what resources are: stop before start, members one after the other,
// instances within their clone.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/assign.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

void constrain(Cluster& cluster, Resource& resource);

Action& load_stopped(Cluster& cluster, Node& node) {
  Action& action = named_pseudo_action(cluster, "load_stopped_" + node.name);
  if (action.node == nullptr) {
    action.node = &node;
    action.clear(act::optional);
  }
  return action;
}

// What leaves makes room before what comes takes it.
void order_by_load(Cluster& cluster, Resource& resource) {
  for (Node* node : resource.running_on) {
    new_ordering(cluster, side(resource, "stop"), side(load_stopped(cluster, *node)), order::load);
  }
  for (const NodeScore& entry : resource.allowed) {
    Action& free = load_stopped(cluster, *entry.node);
    new_ordering(cluster, side(free), side(resource, "start"), order::load);
    new_ordering(cluster, side(free), side(resource, "migrate_to"), order::load);
  }
}

void order_by_unfencing(Cluster& cluster, Resource& resource) {
  for (const NodeScore& entry : resource.allowed) {
    Action& unfence = fence_action(cluster, *entry.node, "on", true, {});
    new_ordering(cluster, side(resource, "stop"), side(unfence),
                 order::optional | order::same_node);
    new_ordering(cluster, side(unfence), side(resource, "start"),
                 order::implies_then_on_node | order::same_node);
  }
}

void constrain_primitive(Cluster& cluster, Resource& resource) {
  if (!resource.managed) return;
  order_tasks(cluster, resource, "stop", resource, "start",
              order::optional | order::implies_then | order::restart);
  if (top_of(&resource)->promotable || resource.role > Role::unpromoted) {
    order_tasks(cluster, resource, "demote", resource, "stop", order::promoted_implies_first);
    order_tasks(cluster, resource, "start", resource, "promote", order::needs_runnable_first);
  }
  order_tasks(cluster, resource, "lrm_delete", resource, "monitor",
              order::same_node | order::then_cancels_first);
  if (!resource.fence_device && cluster.options.unfencing && resource.needs_unfencing) {
    order_by_unfencing(cluster, resource);
  }
  if (!resource.utilization.empty() && !same(cluster.options.placement, "default"))
    order_by_load(cluster, resource);
}

struct Members {
  bool promotable = false;
  Resource* previous = nullptr;
  Resource* last_active = nullptr;
};

void constrain_promotion(Cluster& cluster, Resource& group, Resource& member, std::uint32_t down,
                         std::uint32_t after_down) {
  order_tasks(cluster, group, "demote", member, "demote", down);
  order_tasks(cluster, member, "demote", group, "demoted", after_down);
  order_tasks(cluster, member, "promote", group, "promoted",
              order::needs_runnable_first | order::implies_then | order::prints_then);
  order_tasks(cluster, group, "promote", member, "promote", order::prints_first);
}

void chain(Cluster& cluster, Resource& group, Resource& member, const Members& members) {
  const std::uint32_t forward = order::implies_then | order::needs_runnable_first;
  if (!group.ordered) {
    order_tasks(cluster, group, "start", member, "start", forward | order::prints_first);
    if (members.promotable)
      order_tasks(cluster, group, "promote", member, "promote", forward | order::prints_first);
  } else if (members.previous == nullptr) {
    order_tasks(cluster, group, "start", member, "start", order::none);
    if (members.promotable) order_tasks(cluster, group, "promote", member, "promote", order::none);
  } else {
    Resource& previous = *members.previous;
    order_tasks(cluster, previous, "start", member, "start", forward);
    order_tasks(cluster, member, "stop", previous, "stop", order::optional | order::restart);
    if (!members.promotable) return;
    order_tasks(cluster, previous, "promote", member, "promote", forward);
    order_tasks(cluster, member, "demote", previous, "demote", order::optional);
  }
}

void constrain_member(Cluster& cluster, Resource& group, Resource& member, Members& members) {
  std::uint32_t down = order::prints_first;
  std::uint32_t after_down = order::prints_then;
  constrain(cluster, member);
  if (members.previous == nullptr) {
    if (group.ordered) {
      down |= order::optional;
      after_down = order::implies_then;
    }
  } else if (group.collocated) {
    new_colocation(cluster, "group:internal_colocation", {}, infinity, member, *members.previous,
                   {}, {}, member.critical);
  }
  if (members.promotable) constrain_promotion(cluster, group, member, down, after_down);
  order_tasks(cluster, group, "stop", member, "stop", down);
  order_tasks(cluster, member, "stop", group, "stopped", after_down);
  order_tasks(cluster, group, "start", member, "start", order::prints_first);
  order_tasks(cluster, member, "start", group, "running",
              order::needs_runnable_first | order::implies_then | order::prints_then);
  chain(cluster, group, member, members);
  if (!member.running_on.empty()) {
    // With a gap in the chain, the stops need an order all the same.
    if (group.ordered && members.previous != nullptr && members.previous->running_on.empty() &&
        members.last_active != nullptr && !members.last_active->running_on.empty()) {
      order_tasks(cluster, member, "stop", *members.last_active, "stop", order::optional);
    }
    members.last_active = &member;
  }
  members.previous = &member;
}

void constrain_group(Cluster& cluster, Resource& group) {
  order_tasks(cluster, group, "stop", group, "stopped", order::needs_runnable_first);
  order_tasks(cluster, group, "stopped", group, "start", order::optional);
  order_tasks(cluster, group, "start", group, "running", order::needs_runnable_first);
  Members members;
  members.promotable = top_of(&group)->promotable;
  for (Resource* member : group.children)
    constrain_member(cluster, group, *member, members);
}

void constrain_promotable(Cluster& cluster, Resource& clone) {
  order_tasks(cluster, clone, "stopped", clone, "start", order::optional);
  order_tasks(cluster, clone, "stopped", clone, "promote", order::optional);
  order_tasks(cluster, clone, "demoted", clone, "stop", order::optional);
  order_tasks(cluster, clone, "demoted", clone, "start", order::optional);
  order_tasks(cluster, clone, "demoted", clone, "promote", order::optional);
  order_tasks(cluster, clone, "running", clone, "promote", order::optional);
  order_tasks(cluster, clone, "demote", clone, "demoted", order::optional);
  Resource* previous = nullptr;
  for (Resource* instance : clone.children) {
    order_tasks(cluster, *instance, "demote", *instance, "promote", order::optional);
    order_tasks(cluster, clone, "promote", *instance, "promote", order::optional);
    order_tasks(cluster, *instance, "promote", clone, "promoted", order::optional);
    if (previous != nullptr && clone.ordered) {
      order_tasks(cluster, *previous, "promote", *instance, "promote", order::optional);
    }
    order_tasks(cluster, clone, "demote", *instance, "demote", order::prints_first);
    order_tasks(cluster, *instance, "demote", clone, "demoted", order::prints_then);
    if (previous != nullptr && clone.ordered) {
      order_tasks(cluster, *instance, "demote", *previous, "demote", order::optional);
    }
    previous = instance;
  }
}

void constrain_clone(Cluster& cluster, Resource& clone) {
  order_tasks(cluster, clone, "stopped", clone, "start", order::optional);
  order_tasks(cluster, clone, "start", clone, "running", order::needs_runnable_first);
  order_tasks(cluster, clone, "stop", clone, "stopped", order::needs_runnable_first);
  if (clone.promotable) {
    order_tasks(cluster, clone, "demoted", clone, "stop", order::optional);
    order_tasks(cluster, clone, "running", clone, "promote", order::needs_runnable_first);
  }
  if (clone.ordered) {
    merge_sort(clone.children, [](const Resource* a, const Resource* b) {
      return compare_instance_numbers(*a, *b);
    });
  }
  Resource* previous = nullptr;
  for (Resource* instance : clone.children) {
    constrain(cluster, *instance);
    order_tasks(cluster, clone, "start", *instance, "start",
                order::needs_runnable_first | order::prints_first);
    order_tasks(cluster, *instance, "start", clone, "running", order::prints_then);
    if (clone.ordered && previous != nullptr) {
      order_tasks(cluster, *previous, "start", *instance, "start", order::optional);
    }
    order_tasks(cluster, clone, "stop", *instance, "stop", order::prints_first);
    order_tasks(cluster, *instance, "stop", clone, "stopped", order::prints_then);
    if (clone.ordered && previous != nullptr) {
      order_tasks(cluster, *instance, "stop", *previous, "stop", order::optional);
    }
    previous = instance;
  }
  if (clone.promotable) constrain_promotable(cluster, clone);
}

void constrain(Cluster& cluster, Resource& resource) {
  switch (resource.kind) {
    case Kind::primitive: constrain_primitive(cluster, resource); break;
    case Kind::group: constrain_group(cluster, resource); break;
    case Kind::clone: constrain_clone(cluster, resource); break;
  }
}

}  // namespace

void internal_constraints(Cluster& cluster) {
  for (Resource* resource : cluster.resources)
    constrain(cluster, *resource);
}

}  // namespace ha::policy
