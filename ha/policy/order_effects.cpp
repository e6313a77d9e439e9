#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/apply_orders.hpp"
#include "ha/policy/assign.hpp"

namespace ha::policy {
namespace {

bool has_bit(std::uint32_t flags, std::uint32_t bit) noexcept { return (flags & bit) != 0; }

void asymmetric_order(Action& first, Action& then) {
  if (then.resource == nullptr) return;
  const Role role = state_of(*then.resource, true);
  if (role == Role::stopped && then.task == "stop") return;
  const std::vector<Node*>& on = then.resource->running_on;
  if (role >= Role::started && then.is(act::optional) && then.node != nullptr && on.size() == 1 &&
      on.front() == then.node && then.task == "start") {
    return;  // it runs already
  }
  if (first.is(act::runnable)) return;
  clear_because(then, act::optional, first);
  clear_because(then, act::runnable, first);
}

void restart_order(Action& first, Action& then, std::uint32_t filter) {
  const bool required = has_bit(filter, act::optional) && !then.is(act::optional);
  const bool impossible = has_bit(filter, act::runnable) && !then.is(act::runnable) &&
                          then.resource->managed && first.resource == then.resource;
  if (!required && !impossible) return;
  if (first.is(act::runnable)) clear_because(first, act::optional, then);
  if (!then.is(act::optional)) clear_because(first, act::optional, then);
  if (!then.is(act::migrate_runnable)) clear_because(first, act::migrate_runnable, then);
  if (!first.is(act::optional) && !first.is(act::runnable))
    clear_because(then, act::runnable, first);
}

void implied_first(const Effect& effect) {
  Action& first = *effect.first;
  const Action& then = *effect.then;
  if (then.is(act::optional)) return;
  if (has_bit(effect.filter, act::optional) && !has_bit(effect.first_flags, act::optional) &&
      first.is(act::optional)) {
    clear_because(first, act::optional, then);
  }
  if (has_bit(effect.first_flags, act::migrate_runnable) && !then.is(act::migrate_runnable)) {
    clear_because(first, act::migrate_runnable, then);
  }
}

void promoted_implied_first(const Effect& effect) {
  Action& first = *effect.first;
  const Action& then = *effect.then;
  if (then.resource == nullptr || then.resource->role != Role::promoted || then.is(act::optional))
    return;
  clear_because(first, act::optional, then);
  if (first.is(act::migrate_runnable) && !then.is(act::migrate_runnable)) {
    clear_because(first, act::migrate_runnable, then);
  }
}

void act_on_pair(const Effect& effect) {
  Action& first = *effect.first;
  Action& then = *effect.then;
  const bool optional_counts = has_bit(effect.filter, act::optional);
  switch (effect.kind) {
    case order::asymmetric: asymmetric_order(first, then); break;
    case order::implies_first: implied_first(effect); break;
    case order::promoted_implies_first:
      if (optional_counts) promoted_implied_first(effect);
      break;
    case order::implies_first_migratable:
      if (!optional_counts) break;
      if (!then.is(act::migrate_runnable | act::runnable))
        clear_because(first, act::runnable, then);
      if (!then.is(act::optional)) clear_because(first, act::optional, then);
      break;
    case order::pseudo_needs_first:
      if (!optional_counts || first.is(act::runnable)) break;
      clear_because(then, act::migrate_runnable, first);
      then.clear(act::pseudo);
      break;
    case order::needs_runnable_first:
      if (has_bit(effect.filter, act::runnable) && then.is(act::runnable) &&
          !has_bit(effect.first_flags, act::runnable)) {
        clear_because(then, act::runnable, first);
        clear_because(then, act::migrate_runnable, first);
      }
      break;
    case order::implies_then:
      if (optional_counts && then.is(act::optional) &&
          !has_bit(effect.first_flags, act::optional) && !first.is(act::migrate_runnable)) {
        clear_because(then, act::optional, first);
      }
      break;
    case order::restart: restart_order(first, then, effect.filter); break;
    default: break;
  }
}

unsigned apply_to_pair(Cluster& cluster, const Effect& effect) {
  const std::uint32_t first_before = effect.first->flags;
  const std::uint32_t then_before = effect.then->flags;
  act_on_pair(effect);
  unsigned what = changed::nothing;
  if (then_before != effect.then->flags) {
    what |= changed::then;
    if (effect.then->resource != nullptr && effect.then->resource->parent != nullptr) {
      update_for_orders(cluster, *effect.then);
    }
  }
  if (first_before != effect.first->flags) what |= changed::first;
  return what;
}

unsigned apply_to(Cluster& cluster, const Resource& owner, const Effect& effect);

unsigned apply_to_members(Cluster& cluster, const Effect& effect) {
  unsigned what = apply_to_pair(cluster, effect);
  if (effect.then->resource == nullptr) return what;
  for (const Resource* member : effect.then->resource->children) {
    Action* action = find_first_action(member->actions, {}, effect.then->task, effect.node);
    if (action == nullptr) continue;
    Effect on_member = effect;
    on_member.then = action;
    what |= apply_to(cluster, *member, on_member);
  }
  return what;
}

bool interleave(const Action& first, const Action& then) {
  if (first.resource == nullptr || then.resource == nullptr || first.resource == then.resource)
    return false;
  if (!first.resource->is_clone() || !then.resource->is_clone()) return false;
  const bool downwards = then.key.ends_with("_stop_0") || then.key.ends_with("_demote_0");
  return is_true(lookup((downwards ? first : then).resource->meta, "interleave"));
}

unsigned interleave_instance(Cluster& cluster, const Effect& effect, Resource& then_instance,
                             bool current) {
  Resource* first_instance =
      compatible_instance(cluster, then_instance, *effect.first->resource, Role::unknown, current);
  if (first_instance == nullptr) {
    const bool needs_it = has_bit(effect.kind, order::needs_runnable_first | order::implies_then);
    if (current || !needs_it) return changed::nothing;
    // Nothing to go with on this node.
    return assign_all(cluster, then_instance, nullptr, true) ? changed::then : changed::nothing;
  }
  const std::string_view task = clone_member_task(*effect.first);
  Action* first = find_first_action(first_instance->actions, {}, task, effect.node);
  Action* then = find_first_action(then_instance.actions, {}, effect.then->task, effect.node);
  if (first == nullptr || then == nullptr) return changed::nothing;
  unsigned what = changed::nothing;
  if (order_actions(first, then, effect.kind)) what |= changed::first | changed::then;
  Effect on_instance = effect;
  on_instance.first = first;
  on_instance.then = then;
  on_instance.first_flags = action_flags(*first, effect.node);
  return what | apply_to(cluster, then_instance, on_instance);
}

unsigned apply_to_instances(Cluster& cluster, const Effect& effect) {
  unsigned what = apply_to_pair(cluster, effect);
  for (const Resource* instance : effect.then->resource->children) {
    Action* action = find_first_action(instance->actions, {}, effect.then->task, effect.node);
    if (action == nullptr || !has_bit(action_flags(*action, effect.node), act::runnable)) continue;
    Effect on_instance = effect;
    on_instance.then = action;
    const unsigned of_instance = apply_to(cluster, *instance, on_instance);
    what |= of_instance;
    if (!has_bit(of_instance, changed::then)) continue;
    for (std::size_t i = action->after.size(); i-- > 0;)
      update_for_orders(cluster, *action->after[i].action);
  }
  return what;
}

unsigned apply_to_clone(Cluster& cluster, const Effect& effect) {
  if (effect.then->resource == nullptr) return changed::nothing;
  if (!interleave(*effect.first, *effect.then)) return apply_to_instances(cluster, effect);
  const bool current =
      effect.first->key.ends_with("_stopped_0") || effect.first->key.ends_with("_demoted_0");
  unsigned what = changed::nothing;
  for (Resource* instance : effect.then->resource->children)
    what |= interleave_instance(cluster, effect, *instance, current);
  return what;
}

// The owner's kind decides how; it is always the second action's members or instances that are
// visited.
unsigned apply_to(Cluster& cluster, const Resource& owner, const Effect& effect) {
  switch (owner.kind) {
    case Kind::primitive: return apply_to_pair(cluster, effect);
    case Kind::group: return apply_to_members(cluster, effect);
    case Kind::clone: return apply_to_clone(cluster, effect);
  }
  return changed::nothing;
}

std::uint32_t group_flags(Action& action, const Node* node) {
  std::uint32_t flags = act::optional | act::runnable | act::pseudo;
  for (const Resource* member : action.resource->children) {
    const std::string_view task = member_task(*member, action.task);
    Action* of_member = find_first_action(member->actions, {}, task, node);
    if (of_member == nullptr) {
      if (task != "stop" && task != "demote") flags &= ~act::runnable;
      continue;
    }
    const std::uint32_t member_flags = action_flags(*of_member, node);
    if (has_bit(flags, act::optional) && !has_bit(member_flags, act::optional)) {
      flags &= ~act::optional;
      action.clear(act::optional);
    }
    if (task != action.task && has_bit(flags, act::runnable) &&
        !has_bit(member_flags, act::runnable)) {
      flags &= ~act::runnable;
      action.clear(act::runnable);
    }
  }
  return flags;
}

std::uint32_t clone_flags(Action& action, const Node* node) {
  std::uint32_t flags = act::optional | act::runnable | act::pseudo;
  const std::string_view task = clone_member_task(action);
  bool any_runnable = false;
  for (const Resource* instance : action.resource->children) {
    Action* of_instance =
        find_first_action(instance->actions, {}, task, instance->children.empty() ? node : nullptr);
    if (of_instance == nullptr) continue;
    const std::uint32_t instance_flags = action_flags(*of_instance, node);
    if (has_bit(flags, act::optional) && !has_bit(instance_flags, act::optional)) {
      flags &= ~act::optional;
      action.clear(act::optional);
    }
    any_runnable = any_runnable || has_bit(instance_flags, act::runnable);
  }
  if (!any_runnable) {
    flags &= ~act::runnable;
    if (node == nullptr) action.clear(act::runnable);
  }
  return flags;
}

}  // namespace

unsigned apply_effect(Cluster& cluster, const Effect& effect) {
  // What an order implies for the first is the first's business, all else the second's.
  const bool upwards = effect.kind == order::implies_first;
  const Resource& owner = upwards ? *effect.first->resource : *effect.then->resource;
  return apply_to(cluster, owner, effect);
}

std::uint32_t action_flags(Action& action, const Node* node) {
  if (action.resource == nullptr || !action.resource->collective()) return action.flags;
  return action.resource->is_clone() ? clone_flags(action, node) : group_flags(action, node);
}

std::string_view member_task(const Resource& member, std::string_view task) {
  if (member.collective()) return task;
  if (task == "running") return "start";
  if (task == "stopped") return "stop";
  if (task == "promoted") return "promote";
  return task == "demoted" ? "demote" : task;
}

std::string_view clone_member_task(const Action& action) {
  const Resource& instance = *action.resource->children.front();
  if (action.task == "notify" || action.task == "notified") {
    return member_task(instance, action.notify_key_operation);
  }
  return member_task(instance, action.task);
}

void clear_because(Action& action, std::uint32_t flag, const Action& reason) {
  if (!action.is(flag)) return;
  action.clear(flag);
  if (action.resource == reason.resource) return;
  std::string text = flag == act::optional ? "required" : "unrunnable";
  if (reason.resource != nullptr) text += " " + reason.resource->id;
  text += " " + reason.task;
  set_reason(action, text, flag == act::migrate_runnable);
}

}  // namespace ha::policy
