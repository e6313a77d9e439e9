// Probes: nothing starts before it is known, on every node, whether it runs there (H10).
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/assign.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

bool probe_all(Cluster& cluster, const std::vector<Resource*>& resources, Node& node) {
  bool any = false;
  for (Resource* resource : resources)
    any = probe(cluster, *resource, node) || any;
  return any;
}

bool discovery_allows(const Resource& resource, const Resource& top, const Node& node) {
  const NodeScore* entry = resource.allowed.find(&node);
  const bool exclusive = resource.exclusive_discovery || top.exclusive_discovery;
  if (exclusive && (entry == nullptr || entry->discovery != Discovery::exclusive)) return false;
  return entry == nullptr || entry->discovery != Discovery::never;
}

bool probe_primitive(Cluster& cluster, Resource& resource, Node& node) {
  Resource* top = top_of(&resource);
  if (resource.orphan || resource.knows(&node) || !discovery_allows(resource, *top, node))
    return false;
  Action& action = get_action(cluster, resource, "monitor", &node, false);
  action.clear(act::optional);
  order_after_unfencing(cluster, resource, node, action, order::optional);
  if (!resource.runs_on(&node)) action.expected_result = 7;
  else if (resource.role == Role::promoted) action.expected_result = 8;
  if ((resource.fence_device && cluster.options.unfencing) || !top->is_clone()) top = &resource;
  const bool impossible = !action.is(act::runnable) && resource.running_on.empty();
  new_ordering(cluster, side(action), side(*top, "start"),
               order::optional | (impossible ? order::needs_runnable_first : 0));
  OrderSide reload = side(resource, "reload-agent");
  reload.resource = top;
  new_ordering(cluster, side(action), reload, order::optional);
  return true;
}

bool known_anywhere(const Resource& resource, const Node* node) {
  if (resource.children.empty()) return resource.knows(node);
  return std::any_of(resource.children.begin(), resource.children.end(),
                     [&](const Resource* child) { return known_anywhere(*child, node); });
}

// One instance of an anonymous clone tells what there is to know about a node.
bool probe_clone(Cluster& cluster, Resource& clone, Node& node) {
  merge_sort(clone.children,
             [](const Resource* a, const Resource* b) { return compare_instance_numbers(*a, *b); });
  if (clone.children.empty()) return false;
  if (clone.exclusive_discovery) {
    const NodeScore* entry = clone.allowed.find(&node);
    if (entry != nullptr && entry->discovery != Discovery::exclusive) {
      clone.allowed.erase(&node);
      return false;
    }
  }
  if (clone.unique) return probe_all(cluster, clone.children, node);
  for (Resource* instance : clone.children) {
    if (known_anywhere(*instance, &node)) return probe(cluster, *instance, node);
  }
  for (Resource* instance : clone.children) {
    if (location_of(*instance, When::next) == &node) return probe(cluster, *instance, node);
  }
  return probe(cluster, *clone.children.front(), node);
}

bool needed_before(const Action& probed, const Action& then) {
  if (same(then.task, "stonith") && probed.node != nullptr && probed.node == then.node) {
    return !same(then.fence_action, "on");
  }
  const bool other_node =
      probed.node != nullptr && then.node != nullptr && probed.node != then.node;
  return !(then.task == "do_shutdown" && other_node);
}

bool is_stop(const OrderSide& side_of_order) {
  return side_of_order.action != nullptr ? side_of_order.action->task == "stop"
                                         : side_of_order.task == "stop";
}

// What has to wait for a stop has to wait for the probes that may find that a stop is due.
void order_after_probes_of_stops(Cluster& cluster) {
  for (const Ordering& ordering : cluster.orderings) {
    Resource* first = ordering.first.resource;
    if (ordering.flags == order::none || first == nullptr || first == ordering.then.resource)
      continue;
    if (!is_stop(ordering.first)) continue;
    std::uint32_t flags =
        order::optional | (ordering.flags & (order::unless_migratable | order::same_node));
    if (ordering.flags == order::anti_colocation || ordering.flags == order::load)
      flags = ordering.flags;
    const std::vector<Action*> probes = resource_actions(*first, nullptr, "monitor");
    if (probes.empty()) continue;
    std::vector<Action*> thens;
    if (ordering.then.action != nullptr) thens.push_back(ordering.then.action);
    else if (ordering.then.resource != nullptr) {
      thens = find_actions(ordering.then.resource->actions, ordering.then.key, nullptr);
    }
    for (Action* probed : probes) {
      for (Action* then : thens) {
        if (needed_before(*probed, *then)) order_actions(probed, then, flags);
      }
    }
  }
}

class RestartOrders {
 public:
  RestartOrders(Cluster& cluster, Action& probed) : cluster_(cluster), probed_(probed) {}

  // Whatever follows the probe, by way of starts that imply others, waits with its stops too: a
  // restart must not begin before the probe has answered.
  void visit(Action& after) {
    if (after.is(act::visiting)) return;
    after.set(act::visiting);
    visited_.push_back(&after);
    order_stops(after);
    Resource* interleaved = nullptr;
    const bool interleaves = after.resource != nullptr && after.resource->is_clone() &&
                             is_true(lookup(after.resource->meta, "interleave"));
    if (interleaves) {
      interleaved =
          compatible_instance(cluster_, *probed_.resource, *after.resource, Role::unknown, false);
    }
    const std::size_t count = after.after.size();
    for (std::size_t i = count; i-- > 0;) {
      const Link link = after.after[i];
      if (follows(after, link, interleaves, interleaved)) visit(*link.action);
    }
  }

  void forget() {
    for (Action* action : visited_)
      action->clear(act::visiting);
    visited_.clear();
  }

 private:
  void order_stops(const Action& after) {
    if (after.resource == nullptr || after.resource->collective() ||
        after.resource == probed_.resource)
      return;
    std::vector<Action*> downs;
    if (same(after.task, "start")) downs = resource_actions(*after.resource, nullptr, "stop");
    else if (same(after.task, "promote"))
      downs = resource_actions(*after.resource, nullptr, "demote");
    for (Action* down : downs) {
      if (!down->is(act::pseudo)) order_actions(&probed_, down, order::optional);
    }
  }

  [[nodiscard]] bool follows(const Action& after, const Link& link, bool interleaves,
                             const Resource* interleaved) const {
    if ((link.flags & order::implies_then) != 0) return true;
    const Resource* owner = after.resource;
    const Resource* next = link.action->resource;
    // From a clone or a group to its own instances or members, but not beyond.
    if (owner == nullptr || !owner->collective() || probed_.resource->parent == owner ||
        next == nullptr || next->is_clone() || next->parent != owner) {
      return false;
    }
    return !interleaves || interleaved == next;
  }

  Cluster& cluster_;
  Action& probed_;
  std::vector<Action*> visited_;
};

void order_restarts(Cluster& cluster, Resource& resource) {
  for (Resource* child : resource.children)
    order_restarts(cluster, *child);
  if (resource.collective()) return;
  for (Action* probed : resource_actions(resource, nullptr, "monitor")) {
    for (std::size_t i = probed->after.size(); i-- > 0;) {
      RestartOrders orders(cluster, *probed);
      orders.visit(*probed->after[i].action);
      orders.forget();
    }
  }
}

}  // namespace

bool probe(Cluster& cluster, Resource& resource, Node& node) {
  if (resource.is_clone()) return probe_clone(cluster, resource, node);
  if (!cluster.options.startup_probes) return false;
  if (!resource.children.empty()) return probe_all(cluster, resource.children, node);
  return !resource.collective() && probe_primitive(cluster, resource, node);
}

void schedule_probes(Cluster& cluster) {
  for (const auto& node : cluster.nodes) {
    if (!node->online || node->unclean) continue;
    const std::string_view probed = lookup(node->attributes, "probe_complete");
    if (!probed.empty() && !is_true(probed)) {
      get_action(cluster, nullptr, "probe_again-" + node->name, "probe_again", 0, node.get(),
                 false);
      continue;
    }
    probe_all(cluster, cluster.resources, *node);
  }
}

void order_probes(Cluster& cluster) {
  for (Resource* resource : cluster.resources)
    order_restarts(cluster, *resource);
  order_after_probes_of_stops(cluster);
}

}  // namespace ha::policy
