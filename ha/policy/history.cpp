// Operation history: from what was done to what runs where (H10: what was found counts, not what
// was intended).
#include <algorithm>

#include "ha/policy/history.hpp"

namespace ha::policy {
namespace {

Resource* idle_or_new_instance(Cluster& cluster, Resource& clone, Node& node, std::string_view id) {
  Resource* found = nullptr;
  Resource* idle = nullptr;
  bool may_use_idle = true;
  for (Resource* instance : clone.children) {
    std::vector<Node*> places;
    (void)location_of(*instance, When::now_or_pending, &places);
    if (found != nullptr) break;
    if (!places.empty()) {
      if (places.front() != &node) continue;
      found = find_clone_member(instance, id);
      if (found != nullptr && !found->running_on.empty()) {
        // Two histories of one anonymous instance on one node: the second is a surplus one.
        may_use_idle = false;
        found = nullptr;
      }
    } else if (may_use_idle && idle == nullptr && !instance->blocked) {
      idle = find_clone_member(instance, id);
      if (idle != nullptr && idle->pending_node != nullptr && idle->pending_node != &node)
        idle = nullptr;
    }
  }
  if (found == nullptr && may_use_idle) found = idle;
  // A lost node must not take a number away from the nodes that are there, unless each node has one
  // anyway.
  const bool universal = clone.clone_max == std::ssize(cluster.nodes);
  if (found != nullptr && !found->needs_fencing && (!node.online || node.unclean) && !universal)
    found = nullptr;
  if (found != nullptr) return found;
  Resource* made = make_instance(cluster, clone);
  return made == nullptr ? nullptr : find_clone_member(made, id);
}

Resource* resource_of(Cluster& cluster, Node& node, std::string_view id) {
  Resource* resource = find_resource(cluster, id);
  if (resource == nullptr) {
    resource = find_resource(cluster, std::string(without_instance(id)) + ":0");
    if (resource == nullptr || resource->unique) return nullptr;
  } else if (resource->collective()) {
    return nullptr;
  }
  Resource* top = top_of(resource);
  if (is_anonymous_clone(top))
    resource = idle_or_new_instance(cluster, *top, node, without_instance(id));
  if (resource != nullptr && !same(resource->id, id) && !same(resource->history_name, id)) {
    resource->history_name = id;
  }
  return resource;
}

Resource* orphan_of(Cluster& cluster, const Element& history) {
  Resource* orphan = make_orphan(cluster, history);
  if (orphan == nullptr) return nullptr;
  if (cluster.options.stop_orphan_resources) {
    add_location_score(cluster, *orphan, nullptr, -infinity);
  } else {
    orphan->managed = false;
  }
  return orphan;
}

void note_known(Resource& resource, const Node& node) {
  if (resource.role == Role::unknown) return;
  for (Resource* up = &resource; up != nullptr; up = up->parent) {
    if (!up->knows(&node)) up->known_on.push_back(&node);
    if (up->unique) break;
  }
}

void mark_failed(Resource& resource) {
  resource.failed = true;
  resource.needs_stop = true;
}

void react(Cluster& cluster, Resource& resource, Node& node, OnFail on_fail) {
  const bool active = resource.role != Role::stopped && resource.role != Role::unknown;
  switch (on_fail) {
    case OnFail::ignore: break;
    case OnFail::demote:
      resource.failed = true;
      get_action(cluster, resource, "demote", &node, false);
      break;
    case OnFail::fence: note_failure_on_node(cluster, node, resource.id + " failed there"); break;
    case OnFail::standby:
      node.standby = true;
      node.standby_on_failure = true;
      break;
    case OnFail::block:
      resource.managed = false;
      resource.blocked = true;
      break;
    case OnFail::migrate: add_location_score(cluster, resource, &node, -infinity); break;
    case OnFail::stop: resource.next_role = Role::stopped; break;
    case OnFail::recover:
      if (!active) break;
      mark_failed(resource);
      get_action(cluster, resource, "stop", &node, false);
      break;
  }
}

void settle(Cluster& cluster, Resource& resource, Node& node, OnFail on_fail) {
  note_known(resource, node);
  if (resource.role > Role::stopped && !node.online && !node.maintenance && resource.managed &&
      cluster.options.fencing) {
    note_failure_on_node(cluster, node, resource.id + " is thought to be active there");
  }
  const bool had_failure = on_fail != OnFail::ignore;
  if (node.unclean) on_fail = OnFail::ignore;  // fencing will take care of it
  react(cluster, resource, node, on_fail);
  if (resource.role != Role::stopped && resource.role != Role::unknown) {
    add_running(cluster, resource, node, had_failure);
    if (on_fail == OnFail::demote || on_fail == OnFail::block) resource.failed = true;
    else if (on_fail != OnFail::ignore) mark_failed(resource);
  } else if (resource.history_name.find(':') != std::string::npos) {
    resource.history_name.clear();
  } else {
    for (Action* stop : resource_actions(resource, &node, "stop"))
      stop->set(act::optional);
  }
  if (resource.role == Role::stopped && resource.migration_source == &node &&
      resource.migration_target != nullptr && !resource.running_on.empty()) {
    resource.role = Role::started;
  }
}

// Monitors that run: if they stay right they are optional, else they are what has to be canceled.
void note_monitors(Cluster& cluster, Resource& resource, Node& node,
                   const std::vector<OperationRecord>& records) {
  if (!node.online) return;
  const ActivePart part = active_part(records);
  for (int i = 0; i < std::ssize(records); ++i) {
    const OperationRecord& record = records[static_cast<std::size_t>(i)];
    if ((part.start < part.stop && i <= part.stop) || i < part.start) continue;
    if (record.interval == 0 || record.xml->value("op-status") == "-1") continue;
    get_action(cluster, &resource, operation_key(resource.id, record.task, record.interval),
               record.task, record.interval, &node, true);
  }
}

void read_shutdown_lock(Cluster& cluster, Resource& resource, Node& node, const Element& history) {
  const Seconds since = parse_number(history.value("shutdown-lock")).value_or(0);
  if (!cluster.options.shutdown_lock || since == 0) return;
  if (cluster.options.shutdown_lock_limit > 0 &&
      cluster.now > since + cluster.options.shutdown_lock_limit) {
    get_action(cluster, resource, "lrm_delete", &node, false);
    return;
  }
  resource.lock_node = &node;
  resource.lock_time = since;
}

void read_resource_history(Cluster& cluster, Node& node, const Element& history) {
  if (history.id().empty()) return;
  const std::vector<OperationRecord> records = sorted_records(history);
  if (records.empty() && !cluster.options.shutdown_lock) return;
  Resource* resource = resource_of(cluster, node, history.id());
  if (resource == nullptr) {
    // Groups and clones have no history of their own; whatever claims to be one is of no use.
    if (records.empty() || find_resource(cluster, history.id()) != nullptr) return;
    resource = orphan_of(cluster, history);
    if (resource == nullptr) return;
  }
  read_shutdown_lock(cluster, *resource, node, history);
  const Role role_elsewhere = resource->role;
  resource->role = Role::unknown;
  HistoryState state{cluster, *resource, node, nullptr, OnFail::ignore};
  for (const OperationRecord& record : records)
    read_operation(state, record);
  note_monitors(cluster, *resource, node, records);
  settle(cluster, *resource, node, state.on_fail);
  Role wanted = Role::unknown;
  if (target_role(*resource, wanted) &&
      (resource->next_role == Role::unknown || wanted < resource->next_role)) {
    resource->next_role = wanted;
  }
  resource->role = std::max(resource->role, role_elsewhere);
}

void count_priority(const Resource& resource, Node& node, bool failed) {
  if (resource.priority == 0 || failed) return;
  node.priority += resource.priority + (resource.role == Role::promoted ? 1 : 0);
}

void block_group_of(Resource& resource) {
  Resource* parent = resource.parent;
  if (parent == nullptr || parent->kind != Kind::group ||
      parent->multiple_active != MultipleActive::block)
    return;
  for (Resource* sibling : parent->children) {
    sibling->managed = false;
    sibling->blocked = true;
  }
}

void react_to_multiple(Cluster& cluster, Resource& resource) {
  if (resource.multiple_active == MultipleActive::stop_only) forbid_everywhere(cluster, resource);
  if (resource.multiple_active != MultipleActive::block) return;
  resource.managed = false;
  resource.blocked = true;
  block_group_of(resource);
}

}  // namespace

void add_running(Cluster& cluster, Resource& resource, Node& node, bool failed) {
  if (resource.runs_on(&node)) return;
  resource.running_on.push_back(&node);
  const bool primitive = !resource.collective();
  if (primitive) {
    node.running.push_back(&resource);
    count_priority(resource, node, failed);
    if (node.maintenance) resource.managed = false;
  }
  if (!resource.managed) {
    add_location_score(cluster, resource, &node, infinity);
    for (Resource* up = resource.parent; up != nullptr && node.online; up = up->parent) {
      up->running_on.push_back(&node);
    }
    return;
  }
  const Activity activity = activity_of(resource);
  if (primitive && (resource.needs_fencing ? activity.all : activity.clean) > 1)
    react_to_multiple(cluster, resource);
  if (resource.parent != nullptr) add_running(cluster, *resource.parent, node, false);
}

void read_history(Cluster& cluster, Node& node, const Element& state) {
  const Element* lrm = state.child("lrm");
  const Element* resources = lrm == nullptr ? nullptr : lrm->child("lrm_resources");
  if (resources == nullptr) return;
  for (const Element& history : resources->children) {
    if (history.name == "lrm_resource") read_resource_history(cluster, node, history);
  }
}

}  // namespace ha::policy
