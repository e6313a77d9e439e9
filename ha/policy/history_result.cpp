// What one recorded result says about the resource: role, failure, and what has to follow.
#include <algorithm>

#include "ha/policy/history.hpp"

namespace ha::policy {
namespace {

int severity(OnFail on_fail) noexcept {
  constexpr OnFail ascending[] = {OnFail::ignore, OnFail::demote, OnFail::recover, OnFail::migrate,
                                  OnFail::block,  OnFail::stop,   OnFail::standby, OnFail::fence};
  return static_cast<int>(std::find(std::begin(ascending), std::end(ascending), on_fail) -
                          std::begin(ascending));
}

// A result after the corrections that experience with agents asks for.
struct Judged {
  int result = 0;
  Execution execution = Execution::unknown;
};

void remember_failure(HistoryState& state, const OperationRecord& record) {
  if (!state.node.online) return;
  const std::string key(record.xml->value("operation_key"));
  for (const FailedOperation& known : state.cluster.failed_operations) {
    if (known.key == key && known.on == &state.node) return;
  }
  state.cluster.failed_operations.push_back({key.empty() ? std::string(record.xml->id()) : key,
                                             std::string(record.xml->value("on_node")), &state.node,
                                             record.result, record.is_masked_probe()});
}

void set_active(Resource& resource) {
  resource.role = top_of(&resource)->promotable ? Role::unpromoted : Role::started;
}

// A stop that cannot succeed leaves nothing to do, unless the node can be fenced.
void block_if_stop(HistoryState& state, const OperationRecord& record) {
  if (record.task != "stop" || can_fence(state.cluster, &state.node)) return;
  state.resource.managed = false;
  state.resource.blocked = true;
}

void judge_result(HistoryState& state, const OperationRecord& record, Judged& judged) {
  Resource& resource = state.resource;
  switch (judged.result) {
    case ocf::ok:
      if (record.is_probe() && record.expected == ocf::not_running)
        judged.execution = Execution::done;
      break;
    case ocf::not_running:
      if (record.is_probe() || record.expected == judged.result || !resource.managed) {
        judged.execution = Execution::done;
        resource.role = Role::stopped;
        state.on_fail = OnFail::ignore;
        resource.next_role = Role::unknown;
      }
      break;
    case ocf::promoted:
      if (record.is_probe() && judged.result != record.expected) judged.execution = Execution::done;
      resource.role = Role::promoted;
      break;
    case ocf::degraded_promoted:
    case ocf::failed_promoted:
      resource.role = Role::promoted;
      judged.execution = Execution::error;
      break;
    case ocf::not_configured: judged.execution = Execution::fatal_error; break;
    case ocf::not_implemented:
      if (record.interval != 0) {
        judged.execution = Execution::not_supported;
        break;
      }
      [[fallthrough]];
    case ocf::not_installed:
    case ocf::invalid_parameter:
    case ocf::insufficient_privileges:
      block_if_stop(state, record);
      judged.execution = Execution::hard_error;
      break;
    default:
      if (judged.execution == Execution::done) judged.execution = Execution::error;
      break;
  }
}

Judged judge(HistoryState& state, const OperationRecord& record) {
  Judged judged{record.result, record.execution};
  const bool degraded = judged.result == ocf::degraded || judged.result == ocf::degraded_promoted;
  if (record.task == "monitor" && degraded) {
    if (!state.node.shutting_down || state.node.online) remember_failure(state, record);
    judged.result = judged.result == ocf::degraded ? ocf::ok : ocf::promoted;
  }
  if (record.is_masked_probe()) judged = {ocf::not_running, Execution::done};
  if (judged.execution != Execution::done && judged.execution != Execution::error) return judged;
  judged.execution =
      record.expected >= 0 && record.expected == judged.result ? Execution::done : Execution::error;
  judge_result(state, record, judged);
  return judged;
}

void forget_failures(HistoryState& state) {
  switch (state.on_fail) {
    case OnFail::stop:
    case OnFail::fence:
    case OnFail::migrate:
    case OnFail::standby: break;
    default:
      state.on_fail = OnFail::ignore;
      state.resource.next_role = Role::unknown;
      break;
  }
}

void take_success(HistoryState& state, const OperationRecord& record, int result) {
  Resource& resource = state.resource;
  bool cures = false;
  if (result == ocf::not_installed || record.is_masked_probe()) {
    resource.role = Role::stopped;
  } else if (result == ocf::not_running) {
    cures = true;
  } else if (same(record.task, "monitor")) {
    cures = state.last_failure != nullptr && same(record.key, state.last_failure->key);
    if (resource.role < Role::started) set_active(resource);
  } else if (any_of(record.task, {"start", "migrate_from"})) {
    resource.role = Role::started;
    cures = true;
  } else if (same(record.task, "stop")) {
    resource.role = Role::stopped;
    cures = true;
  } else if (same(record.task, "promote")) {
    resource.role = Role::promoted;
    cures = true;
  } else if (same(record.task, "demote")) {
    cures = state.on_fail == OnFail::demote;
    resource.role = Role::unpromoted;
  } else if (same(record.task, "migrate_to")) {
    read_migrate_to_success(state, record);
  } else if (resource.role < Role::started) {
    set_active(resource);
  }
  if (cures) forget_failures(state);
}

void set_role_after_failed_demotion(Resource& resource, OnFail on_fail, int result) {
  if (on_fail == OnFail::block) {
    resource.role = Role::promoted;
    resource.next_role = Role::stopped;
  } else {
    resource.role = result == ocf::not_running ? Role::stopped : Role::unpromoted;
  }
}

void take_failure(HistoryState& state, const OperationRecord& record, int result) {
  Resource& resource = state.resource;
  state.last_failure = &record;
  if (state.cluster.options.symmetric || result != ocf::not_installed)
    remember_failure(state, record);
  const OperationPolicy policy =
      operation_policy(state.cluster, resource, record.key, record.task, record.interval);
  if (severity(state.on_fail) < severity(policy.on_fail)) state.on_fail = policy.on_fail;
  if (record.task == "stop") {
    add_location_score(state.cluster, resource, &state.node, -infinity);
  } else if (record.task == "migrate_to") {
    read_migrate_to_failure(state, record);
  } else if (record.task == "migrate_from") {
    read_migrate_from_failure(state, record);
  } else if (record.task == "promote") {
    resource.role = Role::promoted;
  } else if (record.task == "demote") {
    set_role_after_failed_demotion(resource, policy.on_fail, result);
  }
  if (record.is_probe() && result == ocf::not_installed) resource.role = Role::stopped;
  else if (resource.role < Role::started) set_active(resource);
  if (policy.fail_role != Role::started && resource.next_role < policy.fail_role) {
    resource.next_role = policy.fail_role;
  }
  if (policy.fail_role == Role::stopped) {
    Resource* top = top_of(&resource);
    forbid_everywhere(state.cluster, is_anonymous_clone(top) ? *top : resource);
  }
}

// Whether the failure is old enough to be forgotten; a fail count that has expired is to be erased.
bool expires(HistoryState& state, const OperationRecord& record) {
  Cluster& cluster = state.cluster;
  Resource& resource = state.resource;
  const bool last_failure = record.xml->id().ends_with("_last_failure_0");
  bool expired = false;
  bool clear = false;
  if (resource.failure_timeout > 0 && record.last_change) {
    expired = cluster.now >= *record.last_change + resource.failure_timeout;
    const Score unexpired = failures_of(cluster, state.node, resource, true, record.xml).count;
    if (expired && failures_of(cluster, state.node, resource, false, record.xml).count > 0) {
      clear = unexpired == 0;
      expired = clear;
    }
  }
  if (!expired && last_failure && (record.task == "start" || record.task == "monitor")) {
    const Digest digest = compare_digest(cluster, resource, state.node, *record.xml);
    clear = clear || (digest != Digest::match && digest != Digest::unknown);
  }
  if (clear) clear_failures(cluster, resource, state.node);
  if (!expired || !record.is_probe()) return expired;
  const int result = record.result;
  return result != ocf::ok && result != ocf::not_running && result != ocf::promoted &&
         result != ocf::degraded && result != ocf::degraded_promoted;
}

void take_pending(HistoryState& state, const OperationRecord& record) {
  Resource& resource = state.resource;
  if (record.task == "start") {
    resource.start_pending = true;
    set_active(resource);
  } else if (record.task == "promote") {
    resource.role = Role::promoted;
  } else if (record.task == "migrate_to" && state.node.unclean) {
    // The target may have received it already.
    Node* target = find_node(state.cluster, record.xml->value("migrate_target"));
    if (target != nullptr) get_action(state.cluster, resource, "stop", target, false);
  }
  if (resource.pending_task.empty() && !record.is_probe()) {
    resource.pending_task = record.task;
    resource.pending_node = &state.node;
  }
}

void take_bad_result(HistoryState& state, const OperationRecord& record, const Judged& judged,
                     Resource& banned) {
  const OperationPolicy policy =
      operation_policy(state.cluster, state.resource, record.key, record.task, record.interval);
  if (policy.on_fail == OnFail::ignore) {
    take_success(state, record, record.expected);
    state.resource.failure_ignored = true;
    remember_failure(state, record);
    return;
  }
  take_failure(state, record, judged.result);
  if (judged.execution == Execution::hard_error || judged.execution == Execution::no_fence_device ||
      judged.execution == Execution::no_secrets) {
    add_location_score(state.cluster, banned, &state.node, -infinity);
  } else if (judged.execution == Execution::fatal_error) {
    add_location_score(state.cluster, banned, nullptr, -infinity);
  }
}

}  // namespace

void read_operation(HistoryState& state, const OperationRecord& record) {
  if (record.task == "notify" || record.task == "meta-data") return;
  Resource& resource = state.resource;
  Resource& banned = resource.unique ? resource : *top_of(&resource);
  const bool expired = record.execution != Execution::not_installed && expires(state, record);
  const Judged judged = judge(state, record);
  const bool masked = record.is_masked_probe();
  if (expired && masked && record.result != record.expected) {
    if (resource.role <= Role::stopped) resource.role = Role::unknown;
    return;
  }
  if (expired && judged.result != record.expected &&
      (record.interval == 0 || (state.node.online && !state.node.unclean))) {
    if (record.interval != 0) state.cluster.expired_monitors.insert(record.xml);
    return;
  }
  if (masked) {
    take_success(state, record, record.expected);
    remember_failure(state, record);
    add_location_score(state.cluster, banned, &state.node, -infinity);
    return;
  }
  switch (judged.execution) {
    case Execution::canceled: return;
    case Execution::pending: take_pending(state, record); return;
    case Execution::done: take_success(state, record, judged.result); return;
    case Execution::not_installed: {
      const OperationPolicy policy =
          operation_policy(state.cluster, resource, record.key, record.task, record.interval);
      if (policy.on_fail == OnFail::ignore) state.on_fail = OnFail::migrate;
      add_location_score(state.cluster, banned, &state.node, -infinity);
      take_failure(state, record, judged.result);
      return;
    }
    default: take_bad_result(state, record, judged, banned); return;
  }
}

}  // namespace ha::policy
