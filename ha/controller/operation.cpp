#include "ha/controller/operation.hpp"

#include <algorithm>
#include <utility>

#include "ha/controller/notify_lists.hpp"
#include "ha/policy/actions.hpp"
#include "ha/policy/operation_record.hpp"
#include "ha/policy/stages.hpp"

namespace ha::controller {
namespace {

using policy::Action;
using policy::Cluster;
using policy::Resource;

std::string number(std::int64_t value) { return std::to_string(value); }

std::int64_t number_of(const Element& xml, std::string_view name) {
  return policy::parse_number(xml.value(name)).value_or(0);
}

// Meta attributes are told with "_" for "-".
std::string meta_name(std::string_view name) {
  std::string word = "CRM_meta_" + std::string(name);
  std::replace(word.begin(), word.end(), '-', '_');
  return word;
}

std::string history_id(const Resource& resource) {
  if (resource.orphan && !resource.history_name.empty()) return resource.history_name;
  return std::string(resource.unique ? std::string_view(resource.id) : resource.configured_id());
}

void add_clone_meta(const Resource& clone, const Resource& instance, Attributes& parameters) {
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  parameters[meta_name("clone")] = number(std::max(0, instance.instance));
  parameters[meta_name("clone-max")] = number(clone.clone_max);
  parameters[meta_name("clone-node-max")] = number(clone.clone_node_max);
  parameters[meta_name("globally-unique")] = flag(clone.unique);
  parameters[meta_name("notify")] = flag(clone.notify);
  if (!clone.promotable) return;
  for (const std::string_view word : {"promoted-max", "master-max"})
    parameters[meta_name(word)] = number(clone.promoted_max);
  for (const std::string_view word : {"promoted-node-max", "master-node-max"})
    parameters[meta_name(word)] = number(clone.promoted_node_max);
}

// A member of a group that is an instance has the number of the group.
const Resource& numbered(const Resource& resource) {
  const Resource* up = &resource;
  while (up->instance < 0 && up->parent != nullptr && !up->parent->is_clone())
    up = up->parent;
  return *up;
}

void add_meta(const Cluster& cluster, const Action& action, const std::string& task,
              Operation& operation) {
  Attributes& parameters = operation.parameters;
  const Element* configured =
      policy::find_operation(*action.resource, action.key, /*with_disabled=*/true);
  if (configured != nullptr) {
    for (const auto& [name, value] : configured->attributes) {
      if (name != "id" && name != "name" && name != "interval" && name != "timeout")
        parameters[meta_name(name)] = value;
    }
    operation.start_delay =
        policy::parse_milliseconds(configured->value("start-delay")).value_or(0);
  }
  parameters[meta_name("name")] = task;
  parameters[meta_name("timeout")] = number(operation.timeout);
  if (action.interval > 0) parameters[meta_name("interval")] = number(action.interval);
  if (action.node != nullptr) {
    parameters[meta_name("on-node")] = action.node->name;
    parameters[meta_name("on-node-uuid")] = action.node->id;
  }
  const Resource* top = policy::top_of(action.resource);
  if (top->is_clone()) {
    add_clone_meta(*top, numbered(*action.resource), parameters);
    const bool told = policy::any_of(task, {"start", "stop", "promote", "demote", "notify"});
    if (top->notify && told) add_notify_lists(cluster, *top, parameters);
  }
  if (task == "notify") {
    parameters[meta_name("notify-type")] = action.notify_type;
    parameters[meta_name("notify-operation")] = action.notify_operation;
    parameters[meta_name("notify-key-type")] = action.notify_key_type;
    parameters[meta_name("notify-key-operation")] = action.notify_key_operation;
  }
}

}  // namespace

bool Outcome::good(int expected) const noexcept {
  return execution == policy::Execution::done && result == expected;
}

std::string Operation::key() const {
  const std::string& name = task == "cancel" ? canceled_task : task;
  if (name == "notify") {
    return policy::notify_key(resource, policy::lookup(parameters, "CRM_meta_notify_type"),
                              policy::lookup(parameters, "CRM_meta_notify_operation"));
  }
  return policy::operation_key(resource, name, interval);
}

Element to_xml(const Operation& operation) {
  Element xml{"rsc_op",
              {{"operation", operation.task},
               {"operation_key", operation.key()},
               {"canceled", operation.canceled_task},
               {"interval", number(operation.interval)},
               {"expected", number(operation.expected)},
               {"timeout", number(operation.timeout)},
               {"start-delay", number(operation.start_delay)},
               {"transition-key", operation.transition_key},
               {"op-digest", operation.digest},
               {"on_node", operation.node}},
              {},
              {}};
  xml.children.push_back({"primitive",
                          {{"id", operation.resource},
                           {"class", operation.standard},
                           {"provider", operation.provider},
                           {"type", operation.type}},
                          {},
                          {}});
  Element parameters{"attributes", {}, {}, {}};
  for (const auto& [name, value] : operation.parameters)
    parameters.children.push_back({"nvpair", {{"name", name}, {"value", value}}, {}, {}});
  xml.children.push_back(std::move(parameters));
  return xml;
}

std::optional<Operation> operation_of(const Element& xml) {
  const Element* primitive = xml.child("primitive");
  if (xml.name != "rsc_op" || primitive == nullptr || primitive->id().empty()) return std::nullopt;
  Operation operation;
  operation.resource = primitive->id();
  operation.standard = primitive->value("class");
  operation.provider = primitive->value("provider");
  operation.type = primitive->value("type");
  operation.task = xml.value("operation");
  operation.canceled_task = xml.value("canceled");
  operation.interval = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(number_of(xml, "interval"), 0, UINT32_MAX));
  operation.expected =
      static_cast<int>(std::clamp<std::int64_t>(number_of(xml, "expected"), 0, 255));
  operation.timeout = std::max<std::int64_t>(1, number_of(xml, "timeout"));
  operation.start_delay = std::max<std::int64_t>(0, number_of(xml, "start-delay"));
  operation.transition_key = xml.value("transition-key");
  operation.digest = xml.value("op-digest");
  operation.node = xml.value("on_node");
  if (operation.task.empty()) return std::nullopt;
  if (const Element* parameters = xml.child("attributes"); parameters != nullptr) {
    for (const Element& pair : parameters->children)
      operation.parameters[std::string(pair.value("name"))] = pair.value("value");
  }
  return operation;
}

Operation operation_for(Cluster& cluster, const Action& action, const std::string& transition_key) {
  Operation operation;
  Resource& resource = *action.resource;
  operation.resource = history_id(resource);
  operation.standard = resource.xml->value("class");
  operation.provider = resource.xml->value("provider");
  operation.type = resource.xml->value("type");
  operation.task = action.task;
  operation.canceled_task = action.canceled_task;
  operation.interval = action.interval;
  operation.expected = action.expected_result;
  operation.timeout = policy::parse_number(action.timeout).value_or(20'000);
  operation.transition_key = transition_key;
  if (action.node != nullptr) operation.node = action.node->name;
  if (policy::any_of(action.task, {"cancel", "delete", "lrm_delete", "clear_failcount"}))
    return operation;
  operation.parameters = policy::resource_parameters(cluster, resource, action.node);
  for (const auto& [name, value] : action.parameters)
    operation.parameters[name] = value;
  operation.digest =
      policy::operation_digest(cluster, resource, *action.node, action.task, action.interval);
  operation.parameters["crm_feature_set"] = feature_set;
  if (!action.migrate_target.empty()) {
    operation.parameters[meta_name("migrate-source")] = action.migrate_source;
    operation.parameters[meta_name("migrate-target")] = action.migrate_target;
  }
  add_meta(cluster, action, action.task, operation);
  return operation;
}

}  // namespace ha::controller
