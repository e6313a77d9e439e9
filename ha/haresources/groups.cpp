#include "ha/haresources/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ha::haresources {

using membership::Severity;
using replicator::Task;

const char* text(Action action) noexcept {
  switch (action) {
    case Action::start: return "start";
    case Action::stop: return "stop";
    case Action::status: return "status";
  }
  return "";
}

Groups::Groups(std::string own_node, std::vector<Group> groups, Agents& agents,
               replicator::io::Clock& clock, Log log)
    : own_node_(std::move(own_node)),
      groups_(std::move(groups)),
      agents_(agents),
      clock_(clock),
      log_(std::move(log)) {}

std::vector<const Group*> Groups::select(Holding which) const {
  std::vector<const Group*> selected;
  for (const Group& group : groups_) {
    const Holding side = group.node == own_node_ ? Holding::local : Holding::foreign;
    if ((which & side) != Holding::none) selected.push_back(&group);
  }
  return selected;
}

Task<bool> Groups::carry_out(Work work) {
  bool good = true;
  for (const Group* group : select(work.groups)) {
    bool done = false;
    if (work.kind == WorkKind::acquire) done = co_await acquire(*group);
    else done = co_await release(*group);
    good = good && done;
  }
  if (work.kind == WorkKind::acquire && work.reason == "mach_down") {
    log(Severity::info, "mach_down takeover complete.");
  } else if (work.kind == WorkKind::acquire && work.reason == "req_our_resources()") {
    log(Severity::info, "Local Resource acquisition completed.");
  } else if (work.reason == "standby") {
    log(Severity::info, fmt::format("{} HA resource {} completed (standby).", text(work.groups),
                                    work.kind == WorkKind::acquire ? "acquisition" : "release"));
  }
  co_return good;
}

Task<bool> Groups::acquire(const Group& group) {
  log(Severity::info, "Acquiring resource group: " + group.text());
  for (const Resource& resource : group.resources) {
    bool good = co_await running(resource);
    if (!good) good = co_await run(resource, Action::start);
    if (good) continue;
    log(Severity::error, "CRIT: Giving up resources due to failure of " + resource.word);
    // Its own failure is reported by what it logs; the group is not held either way.
    const bool stopped = co_await release(group);
    static_cast<void>(stopped);
    co_return false;
  }
  co_return true;
}

Task<bool> Groups::release(const Group& group) {
  log(Severity::info, "Releasing resource group: " + group.text());
  for (std::size_t left = group.resources.size(); left > 0; --left) {
    const Resource& resource = group.resources[left - 1];
    const bool stopped = co_await stop(resource);
    if (!stopped) co_return false;
  }
  co_return true;
}

Task<bool> Groups::stop(const Resource& resource) {
  for (int attempt = 0; attempt <= stop_retries; ++attempt) {
    if (attempt > 0) {
      replicator::io::Op second;
      clock_.sleep(second, Duration::seconds(1));
      co_await second;
      log(Severity::info, fmt::format("Retrying failed stop operation [{}]", resource.word));
    }
    const bool stopped = co_await run(resource, Action::stop);
    if (stopped) co_return true;
  }
  const bool still = co_await running(resource);
  if (still) {
    log(Severity::error, "CRIT: Resource STOP failure. Reboot required!");
    co_return false;
  }
  log(Severity::error,
      fmt::format("Resource script for {} probably not LSB-compliant.", resource.word));
  log(Severity::warning,
      fmt::format("it ({}) MUST succeed on a stop when already stopped", resource.word));
  log(Severity::warning, "Machine reboot narrowly avoided!");
  co_return true;
}

Task<bool> Groups::running(const Resource& resource) {
  const ActionResult result = co_await agents_.run(resource, Action::status);
  const bool runs = result.found && says_running(result.output);
  co_return runs;
}

Task<bool> Groups::run(const Resource& resource, Action action) {
  const ActionResult result = co_await agents_.run(resource, action);
  if (!result.found) {
    log(Severity::error, fmt::format("Cannot locate resource script {}", resource.script));
    co_return false;
  }
  if (result.exit_code != 0) {
    log(Severity::error, fmt::format("Return code {} from {}", result.exit_code, result.path));
  }
  co_return result.exit_code == 0;
}

Task<Holding> Groups::failed_of(Holding which) {
  Holding failed = Holding::none;
  for (const Group* group : select(which)) {
    for (const Resource& resource : group->resources) {
      const bool good = co_await running(resource);
      if (good) continue;
      log(Severity::error, fmt::format("Resource {} is not running", resource.word));
      failed = failed | (group->node == own_node_ ? Holding::local : Holding::foreign);
    }
  }
  co_return failed;
}

Task<bool> Groups::make_idle() {
  for (const Group& group : groups_) {
    bool active = false;
    for (const Resource& resource : group.resources) {
      const bool here = co_await running(resource);
      if (!here) continue;
      active = true;
      log(Severity::error,
          fmt::format("CRITICAL: Resource {} is active, and should not be!", resource.word));
      log(Severity::error, "CRITICAL: Non-idle resources can affect data integrity!");
    }
    if (!active) continue;
    const bool stopped = co_await release(group);
    if (!stopped) co_return false;
  }
  co_return true;
}

}  // namespace ha::haresources
