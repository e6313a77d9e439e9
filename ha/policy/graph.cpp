// Which actions are carried out, and which of the orders between them count.
#include "ha/policy/graph.hpp"

#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/apply_orders.hpp"
#include "ha/policy/create_actions.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

bool selected(const Action& action) {
  if (!action.is(act::runnable)) return false;
  if (action.is(act::optional) && !action.is(act::print_always)) return false;
  const Resource* resource = action.resource;
  if (resource != nullptr && !resource->managed && action.task != "monitor" && action.interval == 0)
    return false;
  if (action.is(act::pseudo) || any_of(action.task, {"stonith", "do_shutdown"})) return true;
  if (action.node == nullptr) return false;
  return action.is(act::on_dc) || (action.node->online && !action.node->unclean);
}

bool only_prints(const Link& link) {
  return (link.flags & ~(order::prints_first | order::prints_then | order::optional)) == 0;
}

bool load_counts(const Action& action, Link& link) {
  const Node* there = link.action->node;
  const bool sends = action.resource != nullptr && same(action.task, "migrate_to");
  const Node* here = sends ? action.resource->assigned : action.node;
  const bool counts =
      there != nullptr && there == here && (sends || !link.action->is(act::optional));
  if (!counts) link.flags = order::none;
  return counts;
}

bool anti_colocation_counts(const Action& action, Link& link) {
  const Node* there = link.action->node;
  const bool elsewhere = there != nullptr && action.node != nullptr && there != action.node;
  if (!elsewhere && !link.action->is(act::optional)) return true;
  link.flags = order::none;
  return false;
}

bool stuck_stop_for_clone(const Action& action, const Action& input) {
  return input.resource != nullptr && input.resource != action.resource && input.resource->failed &&
         !input.resource->managed && input.key.ends_with("_stop_0") && action.resource != nullptr &&
         action.resource->is_clone();
}

bool counts(const Action& action, Link& link) {
  const Action& input = *link.action;
  if (link.used) return true;
  if (link.flags == order::none) return false;
  if (!input.is(act::runnable)) {
    if (only_prints(link)) return false;
    if ((link.flags & (order::one_or_more | order::implies_first_migratable)) != 0) return false;
  }
  if ((link.flags & order::unless_migratable) != 0 && input.is(act::migrate_runnable)) return false;
  if (link.flags == order::optional && input.is(act::migrate_runnable) &&
      input.key.ends_with("_stop_0"))
    return false;
  if (link.flags == order::load) return load_counts(action, link);
  if (link.flags == order::anti_colocation) return anti_colocation_counts(action, link);
  if (stuck_stop_for_clone(action, input)) return false;
  if (input.is(act::optional) && !input.any(act::print_always | act::in_graph) && !selected(input))
    return false;
  return true;
}

void merge_inputs(Action& action) {
  if (action.is(act::inputs_merged)) return;
  action.set(act::inputs_merged);
  std::vector<Link> links(action.before.rbegin(), action.before.rend());
  merge_sort(links, [](const Link& a, const Link& b) { return a.action->id - b.action->id; });
  action.before.clear();
  for (const Link& link : links) {
    if (!action.before.empty() && action.before.back().action == link.action)
      action.before.back().flags |= link.flags;
    else action.before.push_back({link.action, link.flags});
  }
}

void add(Cluster& cluster, Action& action) {
  merge_inputs(action);
  if (action.is(act::in_graph) || !selected(action)) return;
  action.set(act::in_graph);
  cluster.plan.push_back(&action);
  for (Link& link : action.before) {
    if (counts(action, link)) link.used = true;
  }
}

void add_resource(Cluster& cluster, Resource& resource);

void add_own(Cluster& cluster, Resource& resource) {
  for (std::size_t i = resource.actions.size(); i-- > 0;)
    add(cluster, *resource.actions[i]);
}

void add_resource(Cluster& cluster, Resource& resource) {
  if (!resource.is_clone()) {
    add_own(cluster, resource);
    for (Resource* child : resource.children)
      add_resource(cluster, *child);
    return;
  }
  for (std::size_t i = resource.actions.size(); i-- > 0;)
    (void)action_flags(*resource.actions[i], nullptr);
  for (const Notification* notification :
       {resource.start_notify.get(), resource.stop_notify.get(), resource.promote_notify.get(),
        resource.demote_notify.get()}) {
    create_notify_actions(cluster, resource, notification);
  }
  for (Resource* child : resource.children)
    add_resource(cluster, *child);
  add_own(cluster, resource);
  for (Resource* child : resource.children)
    add_resource(cluster, *child);
}

}  // namespace

bool leads_back(const Action& start, Action& action, Link& link) {
  Action& input = *link.action;
  if (input.is(act::visiting) || !counts(action, link)) return false;
  if (&input == &start) return true;
  input.set(act::visiting);
  const bool found = std::any_of(input.before.begin(), input.before.end(),
                                 [&](Link& deeper) { return leads_back(start, input, deeper); });
  input.clear(act::visiting);
  return found;
}

void select_actions(Cluster& cluster) {
  for (Resource* resource : cluster.resources)
    add_resource(cluster, *resource);
  for (std::size_t i = cluster.actions.size(); i-- > 0;)
    add(cluster, *cluster.actions[i]);
}

}  // namespace ha::policy
