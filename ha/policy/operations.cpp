// What is configured for an operation: its entry, its timeout, what it needs, and what follows if
// it fails.
#include "ha/policy/actions.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

bool enabled(const Element& operation) {
  return parse_bool(operation.value("enabled", "true")).value_or(true);
}

const Element* find_entry(const Resource& resource, std::string_view key, bool with_disabled) {
  if (resource.operations == nullptr) return nullptr;
  for (const Element& operation : resource.operations->children) {
    if (operation.name != "op" || (!with_disabled && !enabled(operation))) continue;
    const std::string_view task = operation.value("name");
    const std::uint32_t interval = interval_milliseconds(operation.value("interval", "0"));
    if (same(key, operation_key(resource.id, task, interval))) return &operation;
    if (!resource.history_name.empty() &&
        same(key, operation_key(resource.history_name, task, interval))) {
      return &operation;
    }
  }
  return nullptr;
}

const Element* most_frequent_monitor(const Resource& resource) {
  const Element* best = nullptr;
  std::uint32_t shortest = UINT32_MAX;
  if (resource.operations == nullptr) return nullptr;
  for (const Element& operation : resource.operations->children) {
    if (operation.name != "op" || !enabled(operation) || !same(operation.value("name"), "monitor"))
      continue;
    const std::uint32_t interval = interval_milliseconds(operation.value("interval", "0"));
    if (interval == 0 || interval >= shortest) continue;
    shortest = interval;
    best = &operation;
  }
  return best;
}

bool of_promoted_role(const Element& operation) {
  return parse_role(operation.value("role")) == Role::promoted;
}

// A failed demotion is treated like a failure of the promoted role's monitor.
std::string_view on_fail_of_promoted_monitor(const Resource& resource) {
  if (resource.operations == nullptr) return {};
  for (const Element& operation : resource.operations->children) {
    const std::string* on_fail = operation.get("on-fail");
    if (operation.name != "op" || on_fail == nullptr || !enabled(operation)) continue;
    if (!same(operation.value("name"), "monitor") || !of_promoted_role(operation)) continue;
    if (interval_milliseconds(operation.value("interval", "0")) == 0 || same(*on_fail, "demote"))
      continue;
    return *on_fail;
  }
  return {};
}

bool may_demote(const Element* operation) {
  if (operation == nullptr) return false;
  if (same(operation->value("name"), "promote")) return true;
  return same(operation->value("name"), "monitor") && of_promoted_role(*operation) &&
         interval_milliseconds(operation->value("interval", "0")) != 0;
}

std::string_view allowed_on_fail(const Resource& resource, std::string_view task,
                                 const Element* operation, std::string_view configured) {
  if (same(task, "stop") && any_of(configured, {"standby", "demote", "stop"})) return {};
  if (same(task, "demote") && configured.empty()) return on_fail_of_promoted_monitor(resource);
  if (same(task, "lrm_delete")) return "ignore";
  if (same(configured, "demote") && !may_demote(operation)) return {};
  return configured;
}

void set_on_fail(const Cluster& cluster, std::string_view word, std::string_view task,
                 OperationPolicy& policy) {
  policy.fail_role = Role::unknown;
  if (same(word, "block")) policy.on_fail = OnFail::block;
  else if (same(word, "fence"))
    policy.on_fail = cluster.options.fencing ? OnFail::fence : OnFail::stop;
  else if (same(word, "standby")) policy.on_fail = OnFail::standby;
  else if (any_of(word, {"ignore", "nothing"})) policy.on_fail = OnFail::ignore;
  else if (same(word, "migrate")) policy.on_fail = OnFail::migrate;
  else if (same(word, "stop")) policy.on_fail = OnFail::stop;
  else if (same(word, "demote")) policy.on_fail = OnFail::demote;
  else if (same(task, "stop") && !same(word, "restart")) {
    policy.on_fail = cluster.options.fencing ? OnFail::fence : OnFail::block;
  } else {
    policy.on_fail = OnFail::recover;
  }
  if (policy.on_fail == OnFail::stop) policy.fail_role = Role::stopped;
}

Needs needs_of(const Resource& resource, std::string_view task) {
  if (!any_of(task, {"start", "promote"})) return Needs::nothing;
  if (resource.needs_fencing) return Needs::fencing;
  return resource.needs_quorum ? Needs::quorum : Needs::nothing;
}

}  // namespace

const Element* find_operation(const Resource& resource, std::string_view key, bool with_disabled) {
  if (const Element* found = find_entry(resource, key, with_disabled); found != nullptr)
    return found;
  if (key.find("migrate_to") != key.npos || key.find("migrate_from") != key.npos) {
    return find_entry(resource, operation_key(resource.id, "migrate"), with_disabled);
  }
  if (key.find("_notify_") != key.npos) {
    return find_entry(resource, operation_key(resource.id, "notify"), with_disabled);
  }
  return nullptr;
}

OperationPolicy operation_policy(const Cluster& cluster, const Resource& resource,
                                 std::string_view key, std::string_view task,
                                 std::uint32_t interval) {
  const Element& root = cluster.cib->root();
  RuleContext context{.now = cluster.now};
  context.agent = resource.xml->value("type");
  if (const std::string* standard = resource.xml->get("class")) context.standard = *standard;
  if (const std::string* provider = resource.xml->get("provider")) context.provider = *provider;
  context.operation = task;
  context.interval = interval;
  OperationPolicy policy;
  policy.xml = find_operation(resource, key, true);
  Attributes meta;
  add_pairs(cluster.cib->section("op_defaults"), "meta_attributes", root, context, meta);
  if (interval == 0 && task == "monitor") {
    const Element* monitor = most_frequent_monitor(resource);
    if (monitor != nullptr && monitor->get("timeout") != nullptr)
      meta["timeout"] = monitor->value("timeout");
  }
  if (policy.xml != nullptr) {
    add_pairs(*policy.xml, "meta_attributes", root, context, meta, true);
    for (const auto& [name, value] : policy.xml->attributes)
      meta[name] = value;
  }
  const std::int64_t timeout = parse_milliseconds(lookup(meta, "timeout")).value_or(-1);
  policy.timeout = std::to_string(timeout < 0 ? 20'000 : timeout);
  policy.needs = needs_of(resource, task);
  set_on_fail(cluster, allowed_on_fail(resource, task, policy.xml, lookup(meta, "on-fail")), task,
              policy);
  if (policy.fail_role == Role::unknown && has(meta, "role_after_failure")) {
    policy.fail_role = parse_role(lookup(meta, "role_after_failure"));
  }
  if (policy.fail_role == Role::unknown) {
    policy.fail_role = same(task, "promote") ? Role::unpromoted : Role::started;
  }
  return policy;
}

}  // namespace ha::policy
