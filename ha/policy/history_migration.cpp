// A live migration leaves its traces on two nodes. Which of them is right depends on what happened
// on each afterwards.
#include "ha/policy/history.hpp"

namespace ha::policy {
namespace {

const Element* history_on(const Cluster& cluster, std::string_view resource,
                          std::string_view node) {
  for (const Element& state : cluster.cib->status().children) {
    if (state.name != "node_state" || state.value("uname") != node) continue;
    if (const Element* found = state.find("lrm_resource", resource); found != nullptr) return found;
  }
  return nullptr;
}

// The only operation of this kind; with `peer`, only a migration from or to that node.
const Element* only_operation(const Cluster& cluster, std::string_view resource,
                              std::string_view task, std::string_view node, std::string_view peer,
                              int wanted_result = -1) {
  const Element* history = history_on(cluster, resource, node);
  if (history == nullptr) return nullptr;
  const std::string_view peer_name = task == "migrate_to" ? "migrate_target" : "migrate_source";
  const Element* found = nullptr;
  for (const Element& operation : history->children) {
    if (operation.name != "lrm_rsc_op" || operation.value("operation") != task) continue;
    if (!peer.empty() && operation.value(peer_name) != peer) continue;
    if (found != nullptr) return nullptr;
    found = &operation;
  }
  if (found == nullptr || wanted_result < 0) return found;
  const OperationRecord record = read_record(*found);
  return record.result == wanted_result && record.execution == Execution::done ? found : nullptr;
}

bool unknown_there(const Cluster& cluster, std::string_view resource, std::string_view node) {
  const Element* history = history_on(cluster, resource, node);
  return history == nullptr || history->child("lrm_rsc_op") == nullptr;
}

bool changed_after(const Cluster& cluster, std::string_view resource, std::string_view node,
                   const Element& operation, bool same_node) {
  const Element* history = history_on(cluster, resource, node);
  if (history == nullptr) return false;
  for (const Element& other : history->children) {
    if (other.name != "lrm_rsc_op" || &other == &operation) continue;
    const std::string_view task = other.value("operation");
    const bool changes =
        task == "start" || task == "stop" || task == "migrate_to" || task == "migrate_from";
    if (changes && compare_age(other, operation, same_node) > 0) return true;
  }
  return false;
}

bool found_stopped_after(const Cluster& cluster, std::string_view resource, std::string_view node,
                         const Element& operation, bool same_node) {
  const Element* monitor = only_operation(cluster, resource, "monitor", node, {}, ocf::not_running);
  return monitor != nullptr && compare_age(*monitor, operation, same_node) > 0;
}

bool newer_state(const Cluster& cluster, std::string_view resource, std::string_view node,
                 const Element* migrate_to, const Element* migrate_from) {
  const Element* operation = migrate_from != nullptr ? migrate_from : migrate_to;
  const std::string_view source = operation->value("migrate_source");
  const std::string_view target = operation->value("migrate_target");
  bool same_node = false;
  if (same(node, target)) {
    same_node = migrate_from != nullptr;
    if (!same_node) operation = migrate_to;
  } else if (same(node, source)) {
    same_node = migrate_to != nullptr;
    operation = same_node ? migrate_to : migrate_from;
  }
  return changed_after(cluster, resource, node, *operation, same_node) ||
         found_stopped_after(cluster, resource, node, *operation, same_node);
}

void give_up_migration(Resource& resource) {
  resource.failed = true;
  resource.needs_stop = true;
  resource.allow_migrate = false;
}

// The name under which the nodes record it: instances of anonymous clones share one.
std::string_view recorded_name(const Resource& resource) {
  return resource.history_name.empty() ? resource.id : resource.history_name;
}

}  // namespace

void read_migrate_to_success(HistoryState& state, const OperationRecord& record) {
  Cluster& cluster = state.cluster;
  Resource& resource = state.resource;
  const std::string_view name = recorded_name(resource);
  const std::string_view source = record.xml->value("migrate_source");
  const std::string_view target = record.xml->value("migrate_target");
  if (source.empty() || target.empty() || !same(source, state.node.name)) return;
  const bool source_changed = changed_after(cluster, name, source, *record.xml, true);
  const Element* arrival = only_operation(cluster, name, "migrate_from", target, source);
  if (source_changed && arrival != nullptr) return;
  const bool target_changed = newer_state(cluster, name, target, record.xml, arrival);
  if (source_changed && target_changed) return;
  resource.role = Role::started;
  Node* target_node = find_node(cluster, target);
  Node* source_node = find_node(cluster, source);
  const bool target_usable = !target_changed && target_node != nullptr && target_node->online;
  const OperationRecord arrived = arrival == nullptr ? OperationRecord{} : read_record(*arrival);
  if (arrival != nullptr && arrived.result == ocf::ok && arrived.execution == Execution::done) {
    // It runs on the target; here a stop is still due.
    resource.role = Role::stopped;
    resource.dangling_migrations.insert(resource.dangling_migrations.begin(), &state.node);
  } else if (arrival != nullptr && arrived.execution != Execution::pending) {
    if (target_usable) add_running(cluster, resource, *target_node, true);
    else give_up_migration(resource);
  } else if (target_usable) {
    add_running(cluster, resource, *target_node, false);
    if (source_node != nullptr && source_node->online) {
      resource.migration_target = target_node;
      resource.migration_source = source_node;
    }
  } else if (!source_changed) {
    give_up_migration(resource);
  }
}

void read_migrate_to_failure(HistoryState& state, const OperationRecord& record) {
  Cluster& cluster = state.cluster;
  Resource& resource = state.resource;
  const std::string_view name = recorded_name(resource);
  const std::string_view source = record.xml->value("migrate_source");
  const std::string_view target = record.xml->value("migrate_target");
  if (source.empty() || target.empty() || !same(source, state.node.name)) return;
  resource.role = Role::started;
  const Element* arrival = only_operation(cluster, name, "migrate_from", target, source, ocf::ok);
  if (!unknown_there(cluster, name, target) &&
      !newer_state(cluster, name, target, record.xml, arrival)) {
    Node* target_node = find_node(cluster, target);
    if (target_node != nullptr && target_node->online)
      add_running(cluster, resource, *target_node, false);
  } else if (!changed_after(cluster, name, source, *record.xml, true)) {
    resource.dangling_migrations.insert(resource.dangling_migrations.begin(), &state.node);
  }
}

void read_migrate_from_failure(HistoryState& state, const OperationRecord& record) {
  Cluster& cluster = state.cluster;
  Resource& resource = state.resource;
  const std::string_view name = recorded_name(resource);
  const std::string_view source = record.xml->value("migrate_source");
  const std::string_view target = record.xml->value("migrate_target");
  if (source.empty() || target.empty() || !same(target, state.node.name)) return;
  resource.role = Role::started;
  const Element* departure = only_operation(cluster, name, "migrate_to", source, target, ocf::ok);
  if (unknown_there(cluster, name, source) ||
      newer_state(cluster, name, source, departure, record.xml)) {
    return;
  }
  Node* source_node = find_node(cluster, source);
  if (source_node != nullptr && source_node->online)
    add_running(cluster, resource, *source_node, true);
}

}  // namespace ha::policy
