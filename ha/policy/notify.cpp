// Notifications: instances of a clone are told before and after anything happens to one of them.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/create_actions.hpp"

namespace ha::policy {
namespace {

Action& notify_pseudo(Cluster& cluster, Resource& resource, const Action& about,
                      std::string_view task, std::string_view key_type) {
  Action& made = get_action(cluster, &resource, notify_key(resource.id, key_type, about.task), task,
                            0, nullptr, about.is(act::optional));
  made.set(act::pseudo);
  made.notify_key_type = key_type;
  made.notify_key_operation = about.task;
  return made;
}

void set_runnable(Action& action, bool runnable) {
  if (runnable) action.set(act::runnable);
  else action.clear(act::runnable);
}

void describe(Action& action, std::string_view type, std::string_view operation) {
  action.notify_type = type;
  action.notify_operation = operation;
}

// What the instances will do, as far as it decides who is notified of what.
struct Plans {
  bool start = false;
  bool stop = false;
  bool promote = false;
  bool demote = false;
};

void collect(const Resource& resource, Plans& plans) {
  for (const Resource* child : resource.children)
    collect(*child, plans);
  if (!resource.children.empty()) return;
  for (const Action* action : resource.actions) {
    if (action->is(act::optional) || action->node == nullptr) continue;
    const bool lost_stop = action->task == "stop" && action->node->unclean;
    if (!lost_stop && !action->is(act::runnable)) continue;
    plans.start = plans.start || action->task == "start";
    plans.stop = plans.stop || action->task == "stop";
    plans.promote = plans.promote || action->task == "promote";
    plans.demote = plans.demote || action->task == "demote";
  }
}

bool planned(const Plans& plans, std::string_view task) {
  if (task == "start") return plans.start;
  if (task == "stop") return plans.stop;
  return task == "promote" ? plans.promote : plans.demote;
}

Action* notify_instance(Cluster& cluster, Resource& instance, Node& node, Action* about,
                        Action* done) {
  if (about == nullptr || done == nullptr || !node.online || !about->is(act::runnable))
    return nullptr;
  Action& made = get_action(cluster, &instance,
                            notify_key(instance.id, about->notify_type, about->notify_operation),
                            about->task, 0, &node, about->is(act::optional));
  made.notify_type = about->notify_type;
  made.notify_operation = about->notify_operation;
  made.notify_key_type = about->notify_key_type;
  made.notify_key_operation = about->notify_key_operation;
  order_actions(about, &made, order::optional);
  order_actions(&made, done, order::optional);
  return &made;
}

void notify_afterwards(Cluster& cluster, Resource& instance, Node& node,
                       const Notification& notification) {
  Action* made =
      notify_instance(cluster, instance, node, notification.post, notification.post_done);
  if (made != nullptr) made->priority = infinity;
  if (notification.post_done == nullptr) return;
  for (auto at = instance.actions.rbegin(); at != instance.actions.rend(); ++at) {
    Action* action = *at;
    if (action->interval == 0 || action->task == "cancel") continue;
    order_actions(notification.post_done, action, order::optional);
  }
}

void notify_leaving(Cluster& cluster, Resource& instance, const Notification& notification,
                    bool demoting) {
  const Action* stop = find_first_action(instance.actions, {}, "stop", nullptr);
  const std::vector<Node*> nodes = instance.running_on;
  for (Node* node : nodes) {
    // Nobody is there to hear it.
    if (stop != nullptr && stop->is(act::pseudo) && node->unclean) continue;
    notify_instance(cluster, instance, *node, notification.pre, notification.pre_done);
    if (demoting || stop == nullptr || stop->is(act::optional)) {
      notify_afterwards(cluster, instance, *node, notification);
    }
  }
}

void notify_coming(Cluster& cluster, Resource& instance, const Notification& notification,
                   bool starting) {
  const Action* start = find_first_action(instance.actions, {}, "start", nullptr);
  if (instance.assigned == nullptr) return;
  if (!starting || start == nullptr || start->is(act::optional)) {
    notify_instance(cluster, instance, *instance.assigned, notification.pre, notification.pre_done);
  }
  notify_afterwards(cluster, instance, *instance.assigned, notification);
}

void notify_all(Cluster& cluster, Resource& resource, const Notification& notification,
                const Plans& plans) {
  for (Resource* child : resource.children)
    notify_all(cluster, *child, notification, plans);
  if (!resource.children.empty()) return;
  const std::string& task = notification.task;
  // A stop may also follow from fencing, without being planned.
  if (task != "stop" && !planned(plans, task)) return;
  if (resource.role != Role::stopped && (task == "stop" || task == "demote")) {
    notify_leaving(cluster, resource, notification, task == "demote");
  }
  if (resource.next_role != Role::stopped && (task == "start" || task == "promote")) {
    notify_coming(cluster, resource, notification, task == "start");
  }
}

}  // namespace

std::unique_ptr<Notification> make_notification(Cluster& cluster, Resource& resource,
                                                std::string_view task, Action* action,
                                                Action* complete) {
  if (!resource.notify) return nullptr;
  auto made = std::make_unique<Notification>();
  made->task = task;
  if (action != nullptr) {
    made->pre = &notify_pseudo(cluster, resource, *action, "notify", "pre");
    made->pre_done = &notify_pseudo(cluster, resource, *action, "notified", "confirmed-pre");
    for (Action* each : {made->pre, made->pre_done}) {
      each->set(act::runnable);
      describe(*each, "pre", task);
    }
    order_actions(made->pre, made->pre_done, order::optional);
    order_actions(made->pre_done, action, order::optional);
  }
  if (complete != nullptr) {
    made->post = &notify_pseudo(cluster, resource, *complete, "notify", "post");
    made->post_done = &notify_pseudo(cluster, resource, *complete, "notified", "confirmed-post");
    for (Action* each : {made->post, made->post_done}) {
      each->priority = infinity;
      set_runnable(*each, complete->is(act::runnable));
      describe(*each, "post", task);
    }
    order_actions(complete, made->post, order::implies_then);
    order_actions(made->post, made->post_done, order::implies_then);
  }
  if (action != nullptr && complete != nullptr)
    order_actions(made->pre_done, made->post, order::optional);
  return made;
}

void create_notify_actions(Cluster& cluster, Resource& clone, const Notification* notification) {
  if (notification == nullptr) return;
  Plans plans;
  collect(clone, plans);
  if (planned(plans, notification->task)) {
    for (Action* each :
         {notification->pre, notification->pre_done, notification->post, notification->post_done}) {
      if (each != nullptr) each->clear(act::optional);
    }
  }
  notify_all(cluster, clone, *notification, plans);
}

void notify_after_fencing(Cluster& cluster, Resource& resource, Action& fencing) {
  const std::unique_ptr<Notification> made =
      make_notification(cluster, resource, "stop", nullptr, &fencing);
  if (made == nullptr) return;
  notify_all(cluster, *top_of(&resource), *made, {});
}

}  // namespace ha::policy
