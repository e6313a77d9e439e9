// Nodes that must be fenced, or shut down, and what has to wait for it (H2, H3, H4).
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/create_actions.hpp"

namespace ha::policy {
namespace {

bool any_managed(const Resource& resource) {
  return resource.managed || std::any_of(resource.children.begin(), resource.children.end(),
                                         [](const Resource* child) { return any_managed(*child); });
}

bool state_known(const Resource& resource, const Node* node) {
  if (resource.knows(node)) return true;
  return !resource.collective() && is_anonymous_clone(resource.parent) &&
         resource.parent->knows(node);
}

void order_starts_after(Resource& resource, Action& fencing) {
  for (auto at = resource.actions.rbegin(); at != resource.actions.rend(); ++at) {
    Action* action = *at;
    if (action->needs == Needs::fencing) {
      order_actions(&fencing, action, order::optional);
    } else if (action->needs == Needs::quorum && same(action->task, "start") &&
               resource.allowed.find(fencing.node) != nullptr &&
               !state_known(resource, fencing.node)) {
      order_actions(&fencing, action, order::optional | order::needs_runnable_first);
    }
  }
}

// Fencing stops everything there: stops and demotions become marks.
void imply_stops(Cluster& cluster, Resource& resource, Action& fencing) {
  const bool implicit = resource.needs_fencing;
  Action* top_stop = find_first_action(top_of(&resource)->actions, {}, "stop", nullptr);
  for (Action* stop : resource_actions(resource, fencing.node, "stop")) {
    stop->set(act::pseudo | act::runnable);
    if (implicit) {
      stop->set(act::implied_by_fencing);
      order_actions(&fencing, stop, order::preserve);
      order_actions(&fencing, top_stop, order::preserve);
    }
    if (resource.notify) notify_after_fencing(cluster, resource, fencing);
  }
  for (Action* demote : resource_actions(resource, fencing.node, "demote")) {
    if (demote->node->online && !demote->node->unclean && !resource.failed) continue;
    demote->set(act::pseudo | act::runnable);
    if (implicit) order_actions(&fencing, demote, order::preserve | order::optional);
  }
}

void order_around_fencing(Cluster& cluster, Resource& resource, Action& fencing) {
  for (Resource* child : resource.children)
    order_around_fencing(cluster, *child, fencing);
  if (!resource.children.empty() || !resource.managed) return;
  order_starts_after(resource, fencing);
  imply_stops(cluster, resource, fencing);
}

Action& schedule_fencing(Cluster& cluster, Node& node) {
  Action& fencing = fence_action(cluster, node, {}, false, "node is unclean");
  for (Resource* resource : cluster.resources)
    order_around_fencing(cluster, *resource, fencing);
  return fencing;
}

Action& schedule_shutdown(Cluster& cluster, Node& node) {
  Action& shutdown =
      get_action(cluster, nullptr, "do_shutdown-" + node.name, "do_shutdown", 0, &node, false);
  for (auto at = cluster.actions.rbegin(); at != cluster.actions.rend(); ++at) {
    Action* action = *at;
    const Resource* resource = action->resource;
    if (resource == nullptr || action->node != &node || !same(action->task, "stop")) continue;
    if (resource->maintenance || node.maintenance || (!resource->managed && !resource->blocked))
      continue;
    action->clear(act::optional);
    new_ordering(cluster, side(*action), side(shutdown),
                 order::optional | order::needs_runnable_first);
  }
  return shutdown;
}

}  // namespace

void schedule_fencing_and_shutdowns(Cluster& cluster) {
  const bool managed = std::any_of(cluster.resources.begin(), cluster.resources.end(),
                                   [](const Resource* resource) { return any_managed(*resource); });
  Action* dc_down = nullptr;  // the coordinator goes last
  std::vector<Action*> fencings;
  std::vector<Action*> shutdowns;
  for (const auto& node : cluster.nodes) {
    if (managed && node->unclean && can_fence(cluster, node.get())) {
      Action& fencing = schedule_fencing(cluster, *node);
      if (node->is_dc) {
        dc_down = &fencing;
        continue;
      }
      if (!cluster.options.concurrent_fencing && !fencings.empty()) {
        order_actions(fencings.back(), &fencing, order::optional);
      }
      fencings.push_back(&fencing);
    } else if (node->online && node->shutting_down) {
      Action& shutdown = schedule_shutdown(cluster, *node);
      if (node->is_dc) dc_down = &shutdown;
      else shutdowns.push_back(&shutdown);
    }
  }
  if (dc_down == nullptr) return;
  if (dc_down->task == "do_shutdown") {
    for (auto at = shutdowns.rbegin(); at != shutdowns.rend(); ++at)
      order_actions(*at, dc_down, order::optional);
  }
  if (cluster.options.concurrent_fencing) {
    for (auto at = fencings.rbegin(); at != fencings.rend(); ++at)
      order_actions(*at, dc_down, order::optional);
  } else if (!fencings.empty()) {
    order_actions(fencings.back(), dc_down, order::optional);
  }
}

}  // namespace ha::policy
