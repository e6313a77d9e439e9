#include "ha/daemon/attendance.hpp"

#include "ha/membership/quorum.hpp"

namespace ha::daemon {

using membership::NodeStatus;

bool Attendance::withhold(const std::string& node) {
  if (guard_.may_take_over(node)) return false;
  withheld_.insert(node);
  return true;
}

std::vector<Attendance::Settled> Attendance::settle() {
  std::vector<Settled> settled;
  for (const std::string& node : withheld_) {
    const Result<NodeStatus> status = membership_.status(node);
    const bool dead = status && *status == NodeStatus::dead;
    if (!dead || guard_.may_take_over(node)) settled.push_back({node, dead});
  }
  for (const Settled& each : settled)
    withheld_.erase(each.node);
  return settled;
}

bool Attendance::quorum() const {
  if (guard_.leased() && !membership_.config().voter) return !guard_.cut_off();
  return membership::has_quorum(membership_.config().nodes.size(), membership_.present().size());
}

controller::View Attendance::view() const {
  controller::View view;
  view.communication_up = membership_.communication_up();
  view.quorum = quorum();
  view.cut_off = guard_.cut_off();
  if (view.cut_off) return view;
  for (const std::string& node : withheld_)
    view.others[node] = {true, false};
  for (const std::string& node : membership_.present()) {
    if (node == membership_.config().own_name) continue;
    const Result<NodeStatus> status = membership_.status(node);
    // One that was just heard again may be doing anything; one that has just begun says so.
    view.others[node] = {status && *status != NodeStatus::up, membership_.is_voter(node)};
  }
  return view;
}

}  // namespace ha::daemon
