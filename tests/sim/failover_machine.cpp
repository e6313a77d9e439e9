#include "tests/sim/failover_machine.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace replicator::sim {

using ha::controller::Operation;
using ha::controller::Outcome;
using ha::policy::Execution;

bool FailoverMachine::active(const std::string& service) const {
  const auto found = services_.find(service);
  return found != services_.end() && found->second.active;
}

bool FailoverMachine::promoted(const std::string& service) const {
  const auto found = services_.find(service);
  return found != services_.end() && found->second.promoted;
}

// The first of the chain counts when it is promoted.
bool FailoverMachine::said(const std::string& service) const {
  const auto found = services_.find(service);
  if (found == services_.end()) return false;
  return service == chain[0] ? found->second.said_promoted : found->second.said_active;
}

void FailoverMachine::check_order(const Operation& operation) {
  const auto at = std::find(chain.begin(), chain.end(), operation.resource);
  if (at == chain.end()) return;
  const bool first = at == chain.begin();
  const bool begins = operation.task == (first ? "promote" : "start");
  const bool ends = operation.task == (first ? "demote" : "stop");
  if (!begins && !ends) return;
  for (auto other = chain.begin(); other != chain.end(); ++other) {
    if (other == at) continue;
    const auto about = services_.find(*other);
    if (about != services_.end() && about->second.unknown) continue;
    const bool earlier = other < at;
    if (begins && earlier && !said(*other)) {
      world_.fail(FailureKind::safety, "H5",
                  fmt::format("{} of {} on {} while {} is not there", operation.task,
                              operation.resource, name_, *other));
    }
    if (ends && !earlier && said(*other)) {
      world_.fail(FailureKind::safety, "H5",
                  fmt::format("{} of {} on {} while {} is active", operation.task,
                              operation.resource, name_, *other));
    }
  }
}

FailoverMachine::Plan FailoverMachine::begin(const Operation& operation) {
  Plan plan;
  plan.takes = Duration::milliseconds(
      5 + static_cast<std::int64_t>(prng_.below(operation.task == "monitor" ? 30 : 300)));
  if (operation.standard == "stonith") return plan;
  check_order(operation);
  const auto trouble = troubles_.find(operation.task);
  if (trouble != troubles_.end() && prng_.chance(60)) {
    plan.fails = trouble->second == Trouble::fails;
    plan.hangs = trouble->second == Trouble::hangs;
    plan.lies = trouble->second == Trouble::lies && operation.task == "start";
    if (plan.hangs) plan.takes = Duration::milliseconds(operation.timeout);
  }
  // What begins to start is active from now on, even if it comes to nothing.
  Service& service = services_[operation.resource];
  const bool works = !plan.lies && (!plan.fails || prng_.chance(50));
  if (operation.task == "start" && works) service.active = true;
  if (operation.task == "promote" && works) service.active = service.promoted = true;
  world_.note(static_cast<std::uint64_t>(plan.takes.nanoseconds()));
  if (changed) changed();
  return plan;
}

Outcome FailoverMachine::finish(const Operation& operation, const Plan& plan) {
  Outcome outcome;
  outcome.execution = Execution::done;
  if (operation.standard == "stonith") {
    const bool probe = operation.task == "monitor" && operation.interval == 0;
    outcome.result = probe ? 7 : 0;
    return outcome;
  }
  Service& service = services_[operation.resource];
  const std::string& task = operation.task;
  if (plan.hangs || plan.fails) {
    outcome.result = 1;
    if (plan.hangs) outcome.execution = Execution::timed_out;
    if (task != "monitor") service.unknown = true;
    return outcome;
  }
  if (task == "monitor") {
    outcome.result = service.promoted ? 8 : (service.active ? 0 : 7);
    service.said_active = service.active;
    service.said_promoted = service.promoted;
    service.unknown = false;
    return outcome;
  }
  if (task == "stop") service = Service();
  if (task == "demote") service.promoted = service.said_promoted = false;
  if (task == "start") service.said_active = true;
  if (task == "promote") service.said_active = service.said_promoted = true;
  if (task == "start" || task == "promote") service.unknown = false;
  if (changed) changed();
  return outcome;
}

void FailoverMachine::die(const std::string& service) {
  const auto found = services_.find(service);
  if (found == services_.end()) return;
  found->second.active = found->second.promoted = false;
}

}  // namespace replicator::sim
