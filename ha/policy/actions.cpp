#include "ha/policy/actions.hpp"

#include <algorithm>

#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

NoQuorum effective_quorum_policy(const Cluster& cluster, Resource& resource) {
  if (cluster.options.have_quorum) return NoQuorum::ignore;
  if (cluster.options.no_quorum != NoQuorum::demote) return cluster.options.no_quorum;
  if (resource.role != Role::promoted && resource.role != Role::unpromoted) return NoQuorum::stop;
  if (resource.next_role > Role::unpromoted) resource.next_role = Role::unpromoted;
  return NoQuorum::ignore;
}

void apply_quorum(const Cluster& cluster, Action& action) {
  const Resource& resource = *action.resource;
  switch (effective_quorum_policy(cluster, *action.resource)) {
    case NoQuorum::stop:
      action.clear(act::runnable);
      set_reason(action, "no quorum", true);
      break;
    case NoQuorum::freeze:
      if (!is_active(resource, true) || resource.next_role > resource.role) {
        action.clear(act::runnable);
        set_reason(action, "quorum freeze", true);
      }
      break;
    default: action.set(act::runnable); break;
  }
}

void update_runnable(Cluster& cluster, Action& action) {
  if (action.is(act::pseudo)) return;
  if (action.node == nullptr) {
    action.clear(act::runnable);
  } else if (!action.is(act::on_dc) && !action.node->online) {
    action.clear(act::runnable);
    if (action.resource->managed && same(action.task, "stop") && !action.node->unclean) {
      note_failure_on_node(cluster, *action.node, "stop is unrunnable");
    }
  } else if (!action.is(act::on_dc) && action.node->pending) {
    action.clear(act::runnable);
  } else if (action.needs == Needs::nothing) {
    set_reason(action, {}, true);
    action.set(act::runnable);
  } else {
    apply_quorum(cluster, action);
  }
}

Action& make_action(Cluster& cluster, Resource* resource, std::string_view key,
                    std::string_view task, std::uint32_t interval, Node* node, bool optional) {
  Action& action = cluster.action_store.emplace_back();
  action.resource = resource;
  action.task = task;
  action.key = key;
  action.node = node;
  action.interval = interval;
  action.flags = act::runnable | (optional ? act::optional : 0);
  if (task == "lrm_delete") action.set(act::on_dc);
  if (resource != nullptr) {
    const OperationPolicy policy = operation_policy(cluster, *resource, key, task, interval);
    action.needs = policy.needs;
    action.on_fail = policy.on_fail;
    action.fail_role = policy.fail_role;
    action.timeout = policy.timeout;
    if (policy.xml != nullptr && node != nullptr) {
      add_pairs(*policy.xml, "instance_attributes", cluster.cib->root(),
                {.now = cluster.now, .node = &node->attributes}, action.parameters);
    }
  }
  action.id = cluster.next_action++;
  cluster.actions.push_back(&action);
  if (resource != nullptr) resource->actions.push_back(&action);
  return action;
}

Action* find_global(const Cluster& cluster, std::string_view key) {
  for (Action* action : cluster.actions) {
    if (action->resource == nullptr && action->key == key) return action;
  }
  return nullptr;
}

int fencing_delay(const Cluster& cluster, const Node& node) {
  int members = 0;
  int online = 0;
  int top = 0;
  int lowest = 0;
  if (node.ping || node.online) return 0;
  for (const auto& other : cluster.nodes) {
    if (other->ping) continue;
    top = members == 0 ? other->priority : std::max(top, other->priority);
    lowest = members == 0 ? other->priority : std::min(lowest, other->priority);
    ++members;
    if (other->online) ++online;
  }
  if (online > members / 2 || lowest == top || node.priority < top) return 0;
  return static_cast<int>(cluster.options.priority_fencing_delay);
}

bool node_unfenced(const Node& node) {
  const std::string_view value = lookup(node.attributes, "#node-unfenced", "0");
  return value != "0";
}

}  // namespace

Action& get_action(Cluster& cluster, Resource* resource, std::string_view key,
                   std::string_view task, std::uint32_t interval, Node* node, bool optional) {
  const std::vector<Action*> existing =
      find_actions(resource == nullptr ? cluster.actions : resource->actions, key, node);
  Action& action = existing.empty()
                       ? make_action(cluster, resource, key, task, interval, node, optional)
                       : *existing.front();
  if (resource != nullptr && action.node != nullptr && !action.is(act::pseudo) &&
      !resource->managed && action.interval == 0) {
    action.set(act::optional);
  } else if (!optional) {
    action.clear(act::optional);
  }
  if (resource != nullptr) update_runnable(cluster, action);
  return action;
}

Action& get_action(Cluster& cluster, Resource& resource, std::string_view task, Node* node,
                   bool optional) {
  return get_action(cluster, &resource, operation_key(resource.id, task), task, 0, node, optional);
}

Action& pseudo_action(Cluster& cluster, Resource& resource, std::string_view task, bool optional,
                      bool runnable) {
  Action& action = get_action(cluster, resource, task, nullptr, optional);
  action.set(act::pseudo | (runnable ? act::runnable : 0));
  return action;
}

Action& named_pseudo_action(Cluster& cluster, std::string_view name) {
  if (Action* found = find_global(cluster, name); found != nullptr) return *found;
  Action& action = get_action(cluster, nullptr, name, name, 0, nullptr, true);
  action.set(act::pseudo | act::runnable);
  return action;
}

Action& fence_action(Cluster& cluster, Node& node, std::string_view operation, bool optional,
                     const std::string& reason, bool delay) {
  if (operation.empty()) operation = cluster.options.fence_action;
  const std::string key = "stonith-" + node.name + "-" + std::string(operation);
  Action* action = find_global(cluster, key);
  if (action == nullptr) {
    action = &get_action(cluster, nullptr, key, "stonith", 0, &node, true);
    action->fence_action = operation;
  }
  if (cluster.options.priority_fencing_delay > 0 &&
      (delay || has(action->parameters, "priority-fencing-delay"))) {
    action->parameters["priority-fencing-delay"] = std::to_string(fencing_delay(cluster, node));
  }
  if (!optional && can_fence(cluster, &node)) {
    action->clear(act::optional);
    set_reason(*action, reason, false);
  } else if (action->reason.empty()) {
    action->reason = reason;
  }
  return *action;
}

Action& cancel_action(Cluster& cluster, Resource& resource, std::string_view task,
                      std::uint32_t interval, Node* node) {
  // A monitor that runs and its cancellation share a key: the one becomes the other.
  Action& action = get_action(cluster, &resource, operation_key(resource.id, task, interval),
                              "cancel", interval, node, false);
  action.task = "cancel";
  action.canceled_task = task;
  return action;
}

void schedule_cancel(Cluster& cluster, Resource& resource, std::string_view task,
                     std::uint32_t interval, Node* node) {
  Action& action = cancel_action(cluster, resource, task, interval, node);
  new_ordering(cluster, side(resource, "stop"), side(action), order::optional);
}

void schedule_cleanup(Cluster& cluster, Resource& resource, Node& node, bool optional) {
  if (resource.failed || node.unclean || !node.online) return;
  get_action(cluster, resource, "delete", &node, optional);
  const std::uint32_t flags = optional ? order::implies_then : order::optional;
  order_tasks(cluster, resource, "stop", resource, "delete", flags);
  order_tasks(cluster, resource, "delete", resource, "start", flags);
}

void trigger_unfencing(Cluster& cluster, const Resource* resource, Node* node,
                       const std::string& reason) {
  if (!cluster.options.unfencing || (resource != nullptr && !resource->fence_device)) return;
  const auto usable = [](const Node& candidate) {
    return candidate.online && !candidate.unclean && !candidate.shutting_down;
  };
  if (node != nullptr && usable(*node)) {
    fence_action(cluster, *node, "on", false, reason);
  } else if (resource != nullptr) {
    for (const NodeScore& entry : resource->allowed) {
      if (usable(*entry.node)) fence_action(cluster, *entry.node, "on", false, reason);
    }
  }
}

void order_after_unfencing(Cluster& cluster, const Resource& resource, Node& node, Action& action,
                           std::uint32_t flags) {
  if (!(resource.fence_device && cluster.options.unfencing) && !resource.needs_unfencing) return;
  order_actions(&fence_action(cluster, node, "on", true, {}), &action, flags);
  if (!node_unfenced(node)) {
    trigger_unfencing(cluster, nullptr, &node, "required by " + resource.id + " " + action.task);
  }
}

std::vector<Action*> find_actions(const std::vector<Action*>& among, std::string_view key,
                                  Node* node) {
  std::vector<Action*> found;
  for (Action* action : among) {
    if (action->key != key) continue;
    if (node != nullptr && action->node == nullptr) action->node = node;
    if (node == nullptr || action->node == node) found.push_back(action);
  }
  return found;
}

std::vector<Action*> find_actions_on(const std::vector<Action*>& among, std::string_view key,
                                     const Node* node) {
  std::vector<Action*> found;
  if (node == nullptr) return found;
  for (Action* action : among) {
    if (action->node == node && action->key == key) found.push_back(action);
  }
  return found;
}

std::vector<Action*> resource_actions(const Resource& resource, Node* node, std::string_view task,
                                      bool exactly_there) {
  const std::string key = operation_key(resource.id, task);
  return exactly_there ? find_actions_on(resource.actions, key, node)
                       : find_actions(resource.actions, key, node);
}

Action* find_first_action(const std::vector<Action*>& among, std::string_view key,
                          std::string_view task, const Node* node) {
  for (auto at = among.rbegin(); at != among.rend(); ++at) {
    Action* action = *at;
    if (!key.empty() && action->key != key) continue;
    if (!task.empty() && action->task != task) continue;
    if (node == nullptr || action->node == node) return action;
  }
  return nullptr;
}

void set_reason(Action& action, std::string_view reason, bool overwrite) {
  if (action.reason.empty() || overwrite) action.reason = reason;
}

bool order_actions(Action* first, Action* then, std::uint32_t flags) {
  if (first == nullptr || then == nullptr || flags == order::none) return false;
  for (const Link& link : first->after) {
    if (link.action == then && (link.flags & flags) != 0) return false;
  }
  first->after.push_back({then, flags});
  then->before.push_back({first, flags});
  return true;
}

OrderSide side(Resource& resource, std::string_view task) {
  return {&resource, std::string(task), operation_key(resource.id, task), nullptr, 0};
}

OrderSide side(Action& action) {
  return {action.resource, action.task, action.key, &action, action.interval};
}

void order_tasks(Cluster& cluster, Resource& first, std::string_view first_task, Resource& then,
                 std::string_view then_task, std::uint32_t flags) {
  new_ordering(cluster, side(first, first_task), side(then, then_task), flags);
}

}  // namespace ha::policy
