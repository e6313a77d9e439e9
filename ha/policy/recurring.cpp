// Monitors: which run in the role that comes, which are canceled.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/create_actions.hpp"

namespace ha::policy {
namespace {

struct Monitor {
  std::string_view name;
  std::string key;
  std::uint32_t interval = 0;
  Role role = Role::unknown;  // unknown: the default one
};

bool duplicate(const Element& operations, const Element& operation, std::uint32_t interval) {
  int count = 0;
  for (const Element& other : operations.children) {
    if (other.name == "op" && other.value("name") == operation.value("name") &&
        interval_milliseconds(other.value("interval", "0")) == interval) {
      ++count;
    }
  }
  return count > 1;
}

bool read_monitor(const Resource& resource, const Element& operation, Monitor& monitor) {
  monitor.name = operation.value("name");
  monitor.interval = interval_milliseconds(operation.value("interval", "0"));
  if (monitor.interval == 0 || operation.id().empty()) return false;
  if (any_of(monitor.name, {"stop", "start", "demote", "promote", "reload-agent", "migrate_to",
                            "migrate_from"})) {
    return false;
  }
  if (duplicate(*resource.operations, operation, monitor.interval)) return false;
  monitor.role = parse_role(operation.value("role"));
  monitor.key = operation_key(resource.id, monitor.name, monitor.interval);
  return find_operation(resource, monitor.key, false) != nullptr;
}

bool runs_already(const Resource& resource, const Node* node, const Monitor& monitor,
                  const Action& start) {
  if (node == nullptr || !start.is(act::optional)) return false;
  const std::vector<Action*> same_monitor = find_actions_on(resource.actions, monitor.key, node);
  return !same_monitor.empty() &&
         std::none_of(same_monitor.begin(), same_monitor.end(),
                      [](const Action* action) { return action->is(act::reschedule); });
}

// The monitor of a role that ends is canceled before the role changes.
void cancel_for_role(Cluster& cluster, Resource& resource, Node* node, const Monitor& monitor) {
  Action& cancel = cancel_action(cluster, resource, monitor.name, monitor.interval, node);
  std::string_view before;
  if (resource.role == Role::promoted) before = "demote";
  else if (resource.role == Role::started || resource.role == Role::unpromoted) {
    if (resource.next_role == Role::promoted) before = "promote";
    else if (resource.next_role == Role::stopped) before = "stop";
  }
  if (before.empty()) return;
  new_ordering(cluster, side(cancel), side(resource, before), order::needs_runnable_first);
}

void order_monitor(Cluster& cluster, Resource& resource, Action& action) {
  const std::uint32_t follows = order::implies_then | order::needs_runnable_first;
  new_ordering(cluster, side(resource, "start"), side(action), follows);
  new_ordering(cluster, side(resource, "reload-agent"), side(action), follows);
  const std::uint32_t after = order::optional | order::needs_runnable_first;
  if (resource.next_role == Role::promoted)
    new_ordering(cluster, side(resource, "promote"), side(action), after);
  else if (resource.role == Role::promoted)
    new_ordering(cluster, side(resource, "demote"), side(action), after);
}

void for_active(Cluster& cluster, Resource& resource, const Action& start, Node* node,
                const Monitor& monitor) {
  if (monitor.role == Role::stopped) return;
  const bool optional = runs_already(resource, node, monitor, start);
  const bool other_role = monitor.role != Role::unknown ? resource.next_role != monitor.role
                                                        : resource.next_role == Role::promoted;
  if (other_role) {
    if (optional) cancel_for_role(cluster, resource, node, monitor);
    return;
  }
  Action& action =
      get_action(cluster, &resource, monitor.key, monitor.name, monitor.interval, node, optional);
  if (!start.is(act::runnable) || node == nullptr || !node->online || node->unclean)
    action.clear(act::runnable);
  if (resource.next_role == Role::promoted) action.expected_result = 8;
  if (node == nullptr || resource.managed) order_monitor(cluster, resource, action);
}

void order_after_stops(Cluster& cluster, Resource& resource, Node& node, Action& monitor) {
  for (Action* stop : resource_actions(resource, &node, "stop", true)) {
    if (!stop->is(act::optional) && !monitor.is(act::optional) && !resource.managed)
      monitor.set(act::optional);
    if (!stop->is(act::runnable)) monitor.clear(act::runnable);
    if (!resource.managed) continue;
    new_ordering(cluster, side(*stop), side(monitor),
                 order::implies_then | order::needs_runnable_first);
  }
}

// Where the resource is not supposed to run, a monitor of the role Stopped watches that it does
// not.
void for_inactive(Cluster& cluster, Resource& resource, const Node* active,
                  const Monitor& monitor) {
  if (monitor.role != Role::stopped || !resource.unique) return;
  for (const auto& node : cluster.nodes) {
    if (node.get() == active) {
      if (find_actions_on(resource.actions, monitor.key, active).empty()) continue;
      Action& cancel = cancel_action(cluster, resource, monitor.name, monitor.interval, node.get());
      if (resource.next_role == Role::started || resource.next_role == Role::unpromoted) {
        new_ordering(cluster, side(cancel), side(resource, "start"), order::needs_runnable_first);
      }
      continue;
    }
    const bool optional = !find_actions_on(resource.actions, monitor.key, node.get()).empty();
    Action& action = get_action(cluster, &resource, monitor.key, monitor.name, monitor.interval,
                                node.get(), optional);
    action.expected_result = 7;
    if (resource.managed) {
      for (Action* probed : resource_actions(resource, node.get(), "monitor")) {
        order_actions(probed, &action, order::needs_runnable_first);
      }
    }
    order_after_stops(cluster, resource, *node, action);
    if (!node->online || node->unclean) action.clear(act::runnable);
  }
}

}  // namespace

void create_recurring(Cluster& cluster, Resource& resource) {
  if (resource.blocked || resource.maintenance || resource.operations == nullptr) return;
  Node* node = resource.assigned;
  const Action* start = nullptr;
  const bool maintained = node != nullptr && node->maintenance;
  if (node != nullptr && !maintained &&
      (resource.next_role != Role::stopped || !resource.managed)) {
    start = &get_action(cluster, resource, "start", node, true);
  }
  for (const Element& operation : resource.operations->children) {
    Monitor monitor;
    if (operation.name != "op" || !read_monitor(resource, operation, monitor)) continue;
    if (start != nullptr) for_active(cluster, resource, *start, node, monitor);
    for_inactive(cluster, resource, node, monitor);
  }
}

}  // namespace ha::policy
