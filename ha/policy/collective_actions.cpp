// Groups and clones have actions of their own, which do nothing but give others something to be
// ordered by.
#include "ha/policy/actions.hpp"
#include "ha/policy/assign.hpp"
#include "ha/policy/create_actions.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

struct Changes {
  bool active = false;
  bool starting = false;
  bool stopping = false;
};

void look(const Resource& resource, Changes& changes) {
  for (const Resource* child : resource.children)
    look(*child, changes);
  if (!resource.children.empty()) return;
  if (!resource.running_on.empty()) changes.active = true;
  for (const Action* action : resource.actions) {
    if (action->is(act::optional) || !action->any(act::pseudo | act::runnable)) continue;
    if (same(action->task, "stop")) changes.stopping = true;
    else if (same(action->task, "start") && action->is(act::runnable)) changes.starting = true;
  }
}

void look_for_roles(const Resource& resource, bool& demoting, bool& promoting) {
  for (const Resource* child : resource.children)
    look_for_roles(*child, demoting, promoting);
  if (!resource.children.empty()) return;
  for (const Action* action : resource.actions) {
    if (action->is(act::optional)) continue;
    demoting = demoting || action->task == "demote";
    promoting = promoting || action->task == "promote";
  }
}

Action* only_required(const Resource& resource, std::string_view task) {
  Action* found = nullptr;
  for (Action* action : resource_actions(resource, nullptr, task)) {
    if (action->is(act::optional)) continue;
    if (found != nullptr) return nullptr;
    found = action;
  }
  return found;
}

void order_instances(Resource& clone) {
  if (!clone.ordered) return;
  merge_sort(clone.children,
             [](const Resource* a, const Resource* b) { return compare_instance_numbers(*a, *b); });
  Action* last_stop = nullptr;
  Action* last_start = nullptr;
  for (const Resource* instance : clone.children) {
    if (Action* stop = only_required(*instance, "stop"); stop != nullptr) {
      order_actions(stop, last_stop, order::optional);
      last_stop = stop;
    }
    if (Action* start = only_required(*instance, "start"); start != nullptr) {
      order_actions(last_start, start, order::optional);
      last_start = start;
    }
  }
}

void create_up_and_down(Cluster& cluster, Resource& clone) {
  Changes all;
  bool dependents_may_migrate = true;
  for (Resource* instance : clone.children) {
    create_actions_of(cluster, *instance);
    Changes changes;
    look(*instance, changes);
    if (changes.starting && changes.stopping) dependents_may_migrate = false;
    all.active = all.active || changes.active;
    all.starting = all.starting || changes.starting;
    all.stopping = all.stopping || changes.stopping;
  }
  Action& start = pseudo_action(cluster, clone, "start", !all.starting, true);
  Action& started = pseudo_action(cluster, clone, "running", !all.starting, false);
  started.priority = infinity;
  if (all.active || all.starting) started.set(act::runnable);
  clone.start_notify = make_notification(cluster, clone, "start", &start, &started);
  Action& stop = pseudo_action(cluster, clone, "stop", !all.stopping, true);
  Action& stopped = pseudo_action(cluster, clone, "stopped", !all.stopping, true);
  stopped.priority = infinity;
  if (dependents_may_migrate) stop.set(act::migrate_runnable);
  clone.stop_notify = make_notification(cluster, clone, "stop", &stop, &stopped);
  if (clone.start_notify != nullptr) {
    order_actions(clone.stop_notify->post_done, clone.start_notify->pre, order::optional);
  }
}

void create_role_changes(Cluster& cluster, Resource& clone) {
  bool promoting = false;
  bool demoting = false;
  for (Resource* instance : clone.children) {
    create_actions_of(cluster, *instance);
    look_for_roles(*instance, demoting, promoting);
  }
  Action& promote = pseudo_action(cluster, clone, "promote", !promoting, true);
  Action& promoted = pseudo_action(cluster, clone, "promoted", !promoting, true);
  promoted.priority = infinity;
  clone.promote_notify = make_notification(cluster, clone, "promote", &promote, &promoted);
  Action& demote = pseudo_action(cluster, clone, "demote", !demoting, true);
  Action& demoted = pseudo_action(cluster, clone, "demoted", !demoting, true);
  demoted.priority = infinity;
  clone.demote_notify = make_notification(cluster, clone, "demote", &demote, &demoted);
  if (clone.promote_notify != nullptr) {
    order_actions(clone.stop_notify->post_done, clone.promote_notify->pre, order::optional);
    order_actions(clone.start_notify->post_done, clone.promote_notify->pre, order::optional);
    order_actions(clone.demote_notify->post_done, clone.promote_notify->pre, order::optional);
    order_actions(clone.demote_notify->post_done, clone.start_notify->pre, order::optional);
    order_actions(clone.demote_notify->post_done, clone.stop_notify->pre, order::optional);
  }
  for (Resource* instance : clone.children)
    instance->priority = clone.priority;
}

}  // namespace

void create_for_group(Cluster& cluster, Resource& group) {
  for (Resource* member : group.children)
    create_actions_of(cluster, *member);
  const auto mark = [&](std::string_view task) {
    get_action(cluster, group, task, nullptr, true).set(act::pseudo | act::runnable);
  };
  for (const std::string_view task : {"start", "running", "stop", "stopped"})
    mark(task);
  if (!is_true(lookup(group.meta, "promotable"))) return;
  for (const std::string_view task : {"demote", "demoted", "promote", "promoted"})
    mark(task);
}

void create_for_clone(Cluster& cluster, Resource& clone) {
  create_up_and_down(cluster, clone);
  order_instances(clone);
  if (clone.promotable) create_role_changes(cluster, clone);
}

}  // namespace ha::policy
