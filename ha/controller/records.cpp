#include "ha/controller/records.hpp"

#include <algorithm>

#include "ha/config/edit.hpp"
#include "ha/policy/score.hpp"

namespace ha::controller {
namespace {

using policy::Execution;

bool failed(const Operation& operation, const Outcome& outcome) {
  if (outcome.execution == Execution::pending || outcome.execution == Execution::canceled)
    return false;
  if (outcome.execution != Execution::done) return true;
  const bool degraded = (outcome.result == 190 && operation.expected == 0) ||
                        (outcome.result == 191 && operation.expected == 8);
  return outcome.result != operation.expected && !degraded;
}

std::string record_id(const Operation& operation, const Outcome& outcome) {
  if (policy::any_of(operation.task, {"migrate_to", "migrate_from"}))
    return policy::operation_key(operation.resource, operation.task, operation.interval);
  if (failed(operation, outcome)) return policy::operation_key(operation.resource, "last_failure");
  return operation.interval > 0
             ? policy::operation_key(operation.resource, operation.task, operation.interval)
             : policy::operation_key(operation.resource, "last");
}

Element* find_history(Element& resources, std::string_view resource) {
  for (Element& history : resources.children) {
    if (history.name == "lrm_resource" && history.id() == resource) return &history;
  }
  return nullptr;
}

Element& history_of(Element& resources, const Operation& operation) {
  Element* found = find_history(resources, operation.resource);
  if (found == nullptr) {
    resources.children.push_back({"lrm_resource", {{"id", operation.resource}}, {}, {}});
    found = &resources.children.back();
  }
  found->set("type", operation.type);
  found->set("class", operation.standard);
  if (!operation.provider.empty()) found->set("provider", operation.provider);
  else found->unset("provider");
  return *found;
}

void put(Element& history, const Element& record) {
  for (Element& existing : history.children) {
    if (existing.id() != record.id()) continue;
    existing = record;
    return;
  }
  history.children.push_back(record);
}

std::string failure_name(std::string_view what, const Operation& operation) {
  return std::string(what) + "-" + operation.resource + "#" +
         (operation.task == "cancel" ? operation.canceled_task : operation.task) + "_" +
         std::to_string(operation.interval);
}

}  // namespace

// A fence device runs nowhere, and what is asked and not there is not there.
bool any_active(const Element& resources) {
  return std::any_of(resources.children.begin(), resources.children.end(), [](const Element& each) {
    if (each.children.empty() || each.value("class") == "stonith") return false;
    const std::string last = policy::operation_key(std::string(each.id()), "last");
    return std::none_of(each.children.begin(), each.children.end(), [&](const Element& record) {
      if (record.id() != last) return false;
      const std::string_view result = record.value("rc-code");
      if (record.value("operation") == "stop") return result == "0";
      return record.value("operation") == "monitor" && (result == "7" || result == "5");
    });
  });
}

Element record_of(const Operation& operation, const Outcome& outcome, int call) {
  const std::string result = std::to_string(outcome.result);
  const std::string execution = std::to_string(static_cast<int>(outcome.execution));
  const std::string task = operation.task == "reload-agent" ? "start" : operation.task;
  return {"lrm_rsc_op",
          {{"id", record_id(operation, outcome)},
           {"operation_key", policy::operation_key(operation.resource, task, operation.interval)},
           {"operation", task},
           {"crm-debug-origin", "pollux-had"},
           {"crm_feature_set", feature_set},
           {"transition-key", operation.transition_key},
           {"transition-magic", execution + ":" + result + ";" + operation.transition_key},
           {"exit-reason", outcome.reason},
           {"on_node", operation.node},
           {"call-id", std::to_string(call)},
           {"rc-code", result},
           {"op-status", execution},
           {"interval", std::to_string(operation.interval)},
           {"last-rc-change", std::to_string(outcome.when)},
           {"exec-time", std::to_string(outcome.ran)},
           {"queue-time", std::to_string(outcome.queued)},
           {"op-digest", operation.digest}},
          {},
          {}};
}

Element pending_record(const Operation& operation, Seconds now) {
  Outcome pending;
  pending.execution = Execution::pending;
  pending.result = 193;
  pending.when = now;
  return record_of(operation, pending, -1);
}

bool changes_role(const std::string& task) {
  return policy::any_of(task, {"start", "stop", "promote", "demote", "migrate_to", "migrate_from"});
}

void put_record(Element& resources, const Operation& operation, const Element& record) {
  Element& history = history_of(resources, operation);
  put(history, record);
  if (operation.interval != 0 ||
      record.id() != policy::operation_key(operation.resource, "last_failure")) {
    return;
  }
  Element last = record;
  last.set("id", policy::operation_key(operation.resource, "last"));
  put(history, last);
}

void drop_record(Element& resources, const Operation& canceled) {
  Element* history = find_history(resources, canceled.resource);
  if (history == nullptr) return;
  const std::string id =
      policy::operation_key(canceled.resource, canceled.canceled_task, canceled.interval);
  std::erase_if(history->children, [&](const Element& record) { return record.id() == id; });
}

void drop_monitors(Element& resources, const std::string& resource) {
  Element* history = find_history(resources, resource);
  if (history == nullptr) return;
  std::erase_if(history->children, [&](const Element& record) {
    return record.value("operation") == "monitor" && record.value("interval") != "0" &&
           record.id() != policy::operation_key(resource, "last_failure");
  });
}

void drop_resource(Element& resources, std::string_view resource) {
  std::erase_if(resources.children,
                [&](const Element& history) { return history.id() == resource; });
}

void drop_failures(Element& resources, std::string_view resource) {
  Element* history = find_history(resources, resource);
  if (history == nullptr) return;
  const std::string id = policy::operation_key(resource, "last_failure");
  std::erase_if(history->children, [&](const Element& record) { return record.id() == id; });
}

Operation operation_of_record(const Element& resource, const Element& record) {
  const policy::OperationRecord read = policy::read_record(record);
  Operation operation;
  operation.resource = resource.id();
  operation.standard = resource.value("class");
  operation.provider = resource.value("provider");
  operation.type = resource.value("type");
  operation.task = read.task;
  operation.interval = read.interval;
  operation.expected = std::max(0, read.expected);
  operation.transition_key = record.value("transition-key");
  operation.node = record.value("on_node");
  return operation;
}

std::string node_id(const Element& root, std::string_view node) {
  const Element* configuration = root.child("configuration");
  const Element* nodes = configuration == nullptr ? nullptr : configuration->child("nodes");
  if (nodes != nullptr) {
    for (const Element& entry : nodes->children) {
      if (policy::same(entry.value("uname"), node)) return std::string(entry.id());
    }
  }
  return std::string(node);
}

const Element* find_node_state(const Element& root, std::string_view node) noexcept {
  const Element* status = root.child("status");
  if (status == nullptr) return nullptr;
  for (const Element& state : status->children) {
    if (state.name == "node_state" && policy::same(state.value("uname"), node)) return &state;
  }
  return nullptr;
}

Element& node_state(Element& root, const std::string& node) {
  Element& status = root.child_or_new("status");
  for (Element& state : status.children) {
    if (state.name == "node_state" && policy::same(state.value("uname"), node)) return state;
  }
  status.children.push_back({"node_state", {{"id", node_id(root, node)}, {"uname", node}}, {}, {}});
  return status.children.back();
}

void set_standing(Element& state, const NodeStanding& standing) {
  state.set("in_ccm", standing.member ? "true" : "false");
  state.set("crmd", standing.process ? "online" : "offline");
  state.set("join", standing.join);
  state.set("expected", standing.expected);
  state.set("crm-debug-origin", "pollux-had");
}

Element& histories_of(Element& state) {
  const std::string id(state.id());
  Element& lrm = state.child_or_new("lrm");
  lrm.set("id", id);
  return lrm.child_or_new("lrm_resources");
}

void set_transient(Element& state, std::string_view name, const std::string* value) {
  const std::string id(state.id());
  Element& attributes = state.child_or_new("transient_attributes");
  attributes.set("id", id);
  config::set_pair(config::pairs_of(attributes, "instance_attributes", "status-" + id), name,
                   value);
}

const std::string* find_transient(const Element& root, std::string_view node,
                                  std::string_view name) noexcept {
  const Element* state = find_node_state(root, node);
  const Element* attributes = state == nullptr ? nullptr : state->child("transient_attributes");
  return attributes == nullptr ? nullptr
                               : config::find_pair(*attributes, "instance_attributes", name);
}

void wipe_transient(Element& state) {
  std::erase_if(state.children,
                [](const Element& child) { return child.name == "transient_attributes"; });
}

void wipe_histories(Element& state) {
  std::erase_if(state.children, [](const Element& child) { return child.name == "lrm"; });
}

bool count_failure(Element& state, const Operation& operation, const Outcome& outcome,
                   bool start_failure_is_fatal, Seconds now) {
  const bool fatal =
      operation.task == "stop" || (operation.task == "start" && start_failure_is_fatal);
  const bool counted = fatal || operation.interval > 0 ||
                       policy::any_of(operation.task, {"start", "promote", "demote"});
  if (!counted || !failed(operation, outcome)) return false;
  const std::string name = failure_name("fail-count", operation);
  const Element* attributes = state.child("transient_attributes");
  const std::string* before =
      attributes == nullptr ? nullptr : config::find_pair(*attributes, "instance_attributes", name);
  const policy::Score count = before == nullptr ? 0 : policy::parse_score(*before);
  const std::string value = policy::score_text(fatal ? policy::infinity : policy::add(count, 1));
  set_transient(state, name, &value);
  const std::string when = std::to_string(now);
  set_transient(state, failure_name("last-failure", operation), &when);
  return true;
}

void clear_failure_counts(Element& state, std::string_view resource) {
  Element* attributes = state.child("transient_attributes");
  Element* set = attributes == nullptr ? nullptr : attributes->child("instance_attributes");
  if (set == nullptr) return;
  const auto fits = [&](const Element& pair) {
    const std::string_view name = pair.value("name");
    for (const std::string_view prefix : {"fail-count-", "last-failure-"}) {
      if (!name.starts_with(prefix)) continue;
      const std::string_view rest = name.substr(prefix.size());
      if (rest.starts_with(resource) &&
          (rest.size() == resource.size() || rest[resource.size()] == '#')) {
        return true;
      }
    }
    return false;
  };
  std::erase_if(set->children, fits);
}

}  // namespace ha::controller
