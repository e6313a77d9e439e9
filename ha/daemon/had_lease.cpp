// pollux-had with a lease: what its end, and that of another node's, lead to.
//   H2   the death of a node is no news before its lease has ended
//   H7   without a lease there is no quorum, whatever is heard
#include <fmt/format.h>

#include <unistd.h>

#include "ha/daemon/had.hpp"
#include "ha/executor/script.hpp"

namespace ha::daemon {

using haresources::Holding;
using replicator::Task;

namespace {

constexpr Duration freeze_deadline = Duration::seconds(2);

}  // namespace

Guard::Hooks Had::guard_hooks() {
  Guard::Hooks hooks;
  hooks.holds = [this] { return holds(); };
  hooks.looked = [this] { after_look(); };
  hooks.overdue = [this] { end_overdue(); };
  hooks.flush = [this] { flow_.flush(); };
  hooks.log = [this](Severity severity, const std::string& text) { log_.write(severity, text); };
  return hooks;
}

bool Had::holds() const {
  if (cluster_) return cluster_->holds();
  return managing_ && (takeover_.held() != Holding::none || takeover_.working());
}

bool Had::withhold(const std::string& node) {
  return !is_ping_node(node) && attendance_.withhold(node);
}

void Had::after_look() {
  if (stopping_) return;
  check_quorum();
  for (const Attendance::Settled& settled : attendance_.settle()) {
    if (!settled.dead) {
      if (std::exchange(start_withheld_, false)) takeover_.communication_up(false, now());
      continue;
    }
    log_.write(Severity::info, fmt::format("The lease of {} has ended", settled.node));
    const membership::Event died{membership::EventKind::node_died, settled.node, "",
                                 membership::NodeStatus::dead};
    if (cluster_) {
      cluster_->on_event(died);
    } else if (std::exchange(start_withheld_, false)) {
      waits_at_start_ = resetter_.configured();
      if (waits_at_start_) lost(settled.node);
      else takeover_.communication_up(true, now());
    } else if (managing_ && membership_.no_partner()) {
      lost(settled.node);
    }
  }
  if (cluster_) cluster_->see(attendance_.view());
  else carry_orders();
}

// Frozen devices can't be unmounted: they are frozen only when stopping came to nothing.
void Had::end_overdue() {
  if (options_.reboot) return end_at_once();
  tasks_.start(freeze_and_end());
}

Task<void> Had::freeze_and_end() {
  executor::ScriptCall call;
  for (const char* folder : {"", "/usr/local/sbin/", "/usr/sbin/", "/sbin/"}) {
    const std::string path = *folder == '\0'
                                 ? options_.path.substr(0, options_.path.find(':')) + "/drbdadm"
                                 : std::string(folder) + "drbdadm";
    if (access(path.c_str(), X_OK) != 0) continue;
    call.path = path;
    break;
  }
  if (!call.path.empty()) {
    log_.write(Severity::error, "CRIT: the mirrored disks are frozen");
    call.arguments = {"suspend-io", "all"};
    call.environment.push_back("PATH=" + options_.path);
    call.deadline = freeze_deadline;
    const executor::ScriptResult ended = co_await executor::run_script(reactor_, std::move(call));
    if (!ended.good()) log_.write(Severity::error, "CRIT: freezing failed");
  }
  end_at_once();
}

}  // namespace ha::daemon
