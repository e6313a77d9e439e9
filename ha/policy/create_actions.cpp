// From present and future roles to actions. Primitives here; what consists of several in
// collective_actions.cpp.
#include "ha/policy/create_actions.hpp"

#include <algorithm>

#include "ha/policy/actions.hpp"

namespace ha::policy {
namespace {

enum class Step { none, stop, start, promote, demote, impossible };

// One step towards the wished role.
Role next_towards(Role from, Role to) noexcept {
  switch (from) {
    case Role::unknown: return to == Role::unknown ? Role::unknown : Role::stopped;
    case Role::stopped:
      if (to <= Role::stopped) return Role::stopped;
      return to == Role::started ? Role::started : Role::unpromoted;
    case Role::started: return to <= Role::stopped ? Role::stopped : to;
    case Role::unpromoted:
      if (to == Role::unpromoted || to == Role::promoted) return to;
      return Role::stopped;
    case Role::promoted:
      if (to == Role::promoted) return to;
      return to == Role::unknown ? Role::stopped : Role::unpromoted;
  }
  return Role::stopped;
}

Step step_between(Role from, Role to) noexcept {
  if (from == Role::unknown) return to == Role::stopped ? Step::stop : Step::impossible;
  if (to == Role::unknown) return Step::impossible;
  if (from == to) return Step::none;
  switch (from) {
    case Role::stopped: return to == Role::promoted ? Step::impossible : Step::start;
    case Role::started:
      if (to == Role::stopped) return Step::stop;
      return to == Role::promoted ? Step::promote : Step::none;
    case Role::unpromoted: return to == Role::promoted ? Step::promote : Step::stop;
    case Role::promoted: return Step::demote;
    case Role::unknown: break;
  }
  return Step::impossible;
}

// With multiple-active=stop_unexpected, the one that is where it belongs goes on.
bool expected_there(const Resource& resource, const Node* node) {
  return resource.stop_unexpected && resource.restarting && resource.next_role > Role::stopped &&
         resource.assigned == node;
}

void stop(Cluster& cluster, Resource& resource, bool optional) {
  const std::vector<Node*> nodes = resource.running_on;
  for (Node* node : nodes) {
    if (expected_there(resource, node)) continue;
    if (resource.migration_target != nullptr) {
      if (node == resource.migration_target && node == resource.assigned) continue;
      optional = false;
    }
    Action& action = get_action(cluster, resource, "stop", node, optional);
    if (resource.assigned == nullptr) set_reason(action, "node availability", true);
    else if (resource.restarting && resource.stop_unexpected)
      set_reason(action, "being multiply active", true);
    if (!resource.managed) action.clear(act::runnable);
    if (cluster.options.remove_after_stop) schedule_cleanup(cluster, resource, *node, optional);
    if (resource.needs_unfencing) {
      order_actions(&action, &fence_action(cluster, *node, "on", true, {}), order::implies_first);
    }
  }
}

void start(Cluster& cluster, Resource& resource, Node* node, bool optional) {
  Action& action = get_action(cluster, resource, "start", node, true);
  if (node != nullptr) order_after_unfencing(cluster, resource, *node, action, order::implies_then);
  if (action.is(act::runnable) && !optional) action.clear(act::optional);
  if (expected_there(resource, node)) action.set(act::pseudo);
}

void promote(Cluster& cluster, Resource& resource, Node* node, bool optional) {
  const std::vector<Action*> starts = resource_actions(resource, node, "start", true);
  const bool runnable = std::all_of(starts.begin(), starts.end(),
                                    [](const Action* action) { return action->is(act::runnable); });
  if (runnable) {
    Action& action = get_action(cluster, resource, "promote", node, optional);
    if (expected_there(resource, node)) action.set(act::pseudo);
    return;
  }
  for (Action* action : resource_actions(resource, node, "promote", true))
    action->clear(act::runnable);
}

void demote(Cluster& cluster, Resource& resource, bool optional) {
  const std::vector<Node*> nodes = resource.running_on;
  for (Node* node : nodes) {
    if (!expected_there(resource, node)) get_action(cluster, resource, "demote", node, optional);
  }
}

// False when there is nothing to do for this step.
bool take(Cluster& cluster, Resource& resource, Step step, Node* node, bool optional) {
  switch (step) {
    case Step::none: return false;
    case Step::stop: stop(cluster, resource, optional); return true;
    case Step::start: start(cluster, resource, node, optional); return true;
    case Step::promote: promote(cluster, resource, node, optional); return true;
    case Step::demote: demote(cluster, resource, optional); return true;
    case Step::impossible: return true;
  }
  return false;
}

// Down to a stop and up again: all optional, unless a restart is needed; orders may make them
// required later.
void schedule_restart(Cluster& cluster, Resource& resource, Node* current, bool need_stop,
                      bool need_promote) {
  Role role = resource.role;
  resource.restarting = true;
  while (role != Role::stopped) {
    const Role next = next_towards(role, Role::stopped);
    if (!take(cluster, resource, step_between(role, next), current, !need_stop)) break;
    role = next;
  }
  while (resource.role <= resource.next_role && role != resource.role && !resource.blocked) {
    const Role next = next_towards(role, resource.role);
    const bool required = need_stop || (next == Role::promoted && need_promote);
    if (!take(cluster, resource, step_between(role, next), resource.assigned, !required)) break;
    role = next;
  }
  resource.restarting = false;
}

void schedule_transition(Cluster& cluster, Resource& resource) {
  Role role = resource.role;
  while (role != resource.next_role) {
    const Role next = next_towards(role, resource.next_role);
    if (!take(cluster, resource, step_between(role, next), resource.assigned, false)) break;
    role = next;
  }
}

bool can_migrate(const Resource& resource, const Node* current) {
  return resource.allow_migrate && resource.managed && !resource.failed &&
         !resource.start_pending && current != nullptr && !current->unclean &&
         resource.assigned != nullptr && !resource.assigned->unclean;
}

struct Situation {
  Activity activity;
  bool moving = false;
  bool migrates = false;
  bool need_stop = false;
  bool need_promote = false;
};

void judge_multiple(Resource& resource, Situation& situation) {
  bool multiple = false;
  const bool migrating =
      resource.migration_source != nullptr && resource.migration_target != nullptr;
  if (migrating && situation.migrates && situation.activity.all == 2 &&
      situation.activity.node == resource.migration_source &&
      resource.assigned == resource.migration_target) {
    // The migration goes on.
  } else if (resource.migration_source != nullptr || resource.migration_target != nullptr) {
    situation.need_stop = true;
    resource.migration_source = resource.migration_target = nullptr;
    situation.migrates = false;
  } else {
    multiple = (resource.needs_fencing ? situation.activity.all : situation.activity.clean) > 1;
  }
  resource.stop_unexpected = false;
  if (!multiple) return;
  if (resource.multiple_active == MultipleActive::stop_start) situation.need_stop = true;
  if (resource.multiple_active == MultipleActive::stop_unexpected) {
    situation.need_stop = true;
    resource.stop_unexpected = true;
  }
}

void judge_staying(Cluster& cluster, Resource& resource, Situation& situation) {
  if (resource.failed) {
    if (resource.needs_stop) situation.need_stop = true;
    else if (resource.next_role == Role::promoted) situation.need_promote = true;
  } else if (resource.blocked) {
    situation.need_stop = true;
  } else if (resource.role > Role::started && situation.activity.node != nullptr &&
             resource.assigned != nullptr) {
    const Action& start_again = get_action(cluster, resource, "start", resource.assigned, true);
    if (!start_again.is(act::optional)) situation.need_stop = true;
  }
}

void create_for_primitive(Cluster& cluster, Resource& resource) {
  if (resource.next_role == Role::unknown) {
    resource.next_role = resource.assigned == nullptr ? Role::stopped : Role::started;
  }
  Situation situation{.activity = activity_of(resource)};
  for (Node* node : resource.dangling_migrations) {
    get_action(cluster, resource, "stop", node, false).set(act::dangling);
    if (cluster.options.remove_after_stop) schedule_cleanup(cluster, resource, *node, false);
  }
  Node* current = situation.activity.node;
  if (current != nullptr && resource.assigned != nullptr && current != resource.assigned &&
      resource.next_role >= Role::started) {
    situation.moving = true;
    situation.migrates = can_migrate(resource, current);
    situation.need_stop = true;
  }
  judge_multiple(resource, situation);
  if (resource.start_pending)
    get_action(cluster, resource, "start", resource.assigned, true).set(act::print_always);
  if (!situation.moving) judge_staying(cluster, resource, situation);
  schedule_restart(cluster, resource, current, situation.need_stop, situation.need_promote);
  schedule_transition(cluster, resource);
  create_recurring(cluster, resource);
  if (situation.migrates) create_migration(cluster, resource, *current);
}

}  // namespace

void create_actions_of(Cluster& cluster, Resource& resource) {
  switch (resource.kind) {
    case Kind::primitive: create_for_primitive(cluster, resource); break;
    case Kind::group: create_for_group(cluster, resource); break;
    case Kind::clone: create_for_clone(cluster, resource); break;
  }
}

void create_actions(Cluster& cluster) {
  if (cluster.options.startup_probes) schedule_probes(cluster);
  for (Resource* resource : cluster.resources) {
    if (!cluster.options.stop_orphan_resources || !resource->orphan) continue;
    for (const auto& node : cluster.nodes) {
      if (!node->online || failures_of(cluster, *node, *resource, true).count == 0) continue;
      Action* clear = clear_failures(cluster, *resource, *node);
      new_ordering(cluster, side(*clear), side(*resource, "stop"), order::optional);
    }
  }
  for (Resource* resource : cluster.resources)
    create_actions_of(cluster, *resource);
}

}  // namespace ha::policy
