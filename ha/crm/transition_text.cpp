// The summary of a plan: one line for each resource that changes.
#include <algorithm>

#include "ha/crm/status_text.hpp"
#include "ha/policy/actions.hpp"

namespace ha::crm {
namespace {

using policy::Action;
using policy::Cluster;
using policy::Node;
using policy::Resource;
using policy::Role;
namespace act = policy::act;

std::string details_of(const Resource& resource, const Node* origin, const Node* destination) {
  const bool named_role = resource.role > Role::started || resource.next_role > Role::unpromoted;
  const bool same_host = origin != nullptr && origin == destination;
  const bool same_role = resource.role == resource.next_role;
  const std::string role(policy::role_text(resource.role));
  const std::string next(policy::role_text(resource.next_role));
  if (origin == nullptr) {
    const std::string to = destination == nullptr ? "" : destination->name;
    return named_role ? role + " -> " + next + " " + to : to;
  }
  if (destination == nullptr || (same_role && same_host))
    return (named_role ? role + " " : "") + origin->name;
  if (same_role) return origin->name + " -> " + destination->name + (named_role ? " " + role : "");
  if (same_host) return role + " -> " + next + " " + origin->name;
  return role + " " + origin->name + " -> " + next + " " + destination->name;
}

std::string reason_of(const Action& action, const Action& source) {
  const bool possible = action.is(act::runnable);
  if (!source.reason.empty()) return "  due to " + source.reason + (possible ? "" : " (blocked)");
  return possible ? "" : "  blocked";
}

// One of the actions that a resource has for this task, seen from a node.
const Action* one_action(const Resource& resource, Node* node, std::string_view task) {
  const std::vector<Action*> found = policy::resource_actions(resource, node, task);
  return found.empty() ? nullptr : found.front();
}

class Summary {
 public:
  explicit Summary(Outline& out) : out_(out) {}
  Summary(Outline& out, const Summary& widths)
      : out_(out), name_width_(widths.name_width_), detail_width_(widths.detail_width_) {}

  void print(Resource& resource) {
    for (Resource* child : resource.children)
      print(*child);
    if (!resource.children.empty() || resource.collective()) return;
    Node* next = resource.assigned;
    Node* current = nullptr;
    if (!resource.running_on.empty()) {
      current = policy::current_node(resource);
      if (resource.role == Role::stopped) resource.role = Role::started;
    }
    if ((current == nullptr && resource.orphan) || !resource.managed) return;
    if (current != nullptr || next != nullptr) print_change(resource, current, next);
  }

 private:
  struct Actions {
    const Action* start = nullptr;
    const Action* stop = nullptr;
    const Action* promote = nullptr;
    const Action* demote = nullptr;
  };

  static Actions actions_of(const Resource& resource, Node* current, Node* next) {
    Actions actions;
    actions.start = one_action(resource, next, "start");
    const bool starts = actions.start != nullptr && actions.start->is(act::runnable);
    actions.stop = one_action(resource, starts ? current : nullptr, "stop");
    if (actions.stop == nullptr && resource.stop_unexpected)
      actions.stop = one_action(resource, nullptr, "stop");
    actions.promote = one_action(resource, next, "promote");
    actions.demote = one_action(resource, next, "demote");
    return actions;
  }

  void print_change(const Resource& resource, Node* current, Node* next) {
    const Actions actions = actions_of(resource, current, next);
    const bool moving = current != nullptr && next != nullptr && current != next;
    if (resource.role == resource.next_role)
      print_same_role(resource, actions, current, next, moving);
    else print_other_role(resource, actions, current, next, moving);
  }

  void print_same_role(const Resource& resource, const Actions& actions, Node* current, Node* next,
                       bool moving) {
    const Action* migration = one_action(resource, next, "migrate_from");
    const Action* start = actions.start;
    if (migration != nullptr && current != nullptr && migration->is(act::runnable)) {
      line("Migrate", resource, current, next, start, nullptr);
    } else if (resource.reload) {
      line("Reload", resource, current, next, start, nullptr);
    } else if (start == nullptr || start->is(act::optional)) {
      if (actions.demote != nullptr && actions.promote != nullptr &&
          !actions.demote->is(act::optional) && !actions.promote->is(act::optional)) {
        line("Re-promote", resource, current, next, actions.promote, actions.demote);
      }
    } else if (!start->is(act::runnable)) {
      const bool explained = actions.stop != nullptr && !actions.stop->reason.empty();
      line("Stop", resource, current, nullptr, actions.stop, explained ? actions.stop : start);
    } else if (moving) {
      line(resource.failed ? "Recover" : "Move", resource, current, next, actions.stop, nullptr);
    } else if (resource.failed) {
      line("Recover", resource, current, nullptr, actions.stop, nullptr);
    } else {
      line("Restart", resource, current, next, start, nullptr);
    }
  }

  void print_other_role(const Resource& resource, const Actions& actions, Node* current, Node* next,
                        bool moving) {
    const Action* start = actions.start;
    const Action* stop = actions.stop;
    if (stop != nullptr &&
        (resource.next_role == Role::stopped || (start != nullptr && !start->is(act::runnable)))) {
      for (Node* node : resource.running_on) {
        const Action* there = one_action(resource, node, "stop");
        const bool explained = there != nullptr && !there->reason.empty();
        line("Stop", resource, node, nullptr, there, explained ? there : start);
      }
    } else if (stop != nullptr && resource.failed && resource.needs_stop) {
      line("Recover", resource, current, next, stop, start);
    } else if (moving) {
      line("Move", resource, current, next, stop, nullptr);
    } else if (resource.reload) {
      line("Reload", resource, current, next, start, nullptr);
    } else if (stop != nullptr && !stop->is(act::optional)) {
      line("Restart", resource, current, next, start, nullptr);
    } else if (resource.role == Role::promoted) {
      line("Demote", resource, current, next, actions.demote, nullptr);
    } else if (resource.next_role == Role::promoted) {
      line("Promote", resource, current, next, actions.promote, nullptr);
    } else if (resource.role == Role::stopped && resource.next_role > Role::stopped) {
      line("Start", resource, current, next, start, nullptr);
    }
  }

  void line(std::string change, const Resource& resource, const Node* origin,
            const Node* destination, const Action* action, const Action* source) {
    if (action == nullptr) action = source;
    if (action == nullptr) return;
    if (source == nullptr) source = action;
    if (resource.id.size() > name_width_) name_width_ = resource.id.size() + 2;
    std::string details = details_of(resource, origin, destination);
    detail_width_ = std::max(detail_width_, details.size());
    change.resize(std::max<std::size_t>(8, change.size()), ' ');
    std::string name = resource.id;
    name.resize(std::max(name_width_, name.size()), ' ');
    details.insert(0, detail_width_ - details.size(), ' ');
    out_.item(change + "   " + name + "   ( " + details + " )" + reason_of(*action, *source));
  }

  Outline& out_;
  std::size_t name_width_ = 5;
  std::size_t detail_width_ = 5;
};

void print_node_actions(Outline& out, const Cluster& cluster) {
  for (auto at = cluster.actions.rbegin(); at != cluster.actions.rend(); ++at) {
    const Action& action = **at;
    if (action.resource != nullptr || action.is(act::optional) || action.node == nullptr) continue;
    // What needs no explanation is not mentioned.
    if (action.reason.empty()) continue;
    std::string line;
    if (action.task == "do_shutdown") line = "Shutdown " + action.node->name;
    else if (action.task == "stonith")
      line = "Fence (" + action.fence_action + ") " + action.node->name;
    else continue;
    line += " '" + action.reason + "'";
    out.item(line);
  }
}

}  // namespace

void print_transition(Outline& out, Cluster& cluster) {
  out.title("Transition Summary");
  print_node_actions(out, cluster);
  Outline measured;
  Summary widths(measured);
  for (Resource* resource : cluster.resources)
    widths.print(*resource);
  Summary summary(out, widths);
  for (Resource* resource : cluster.resources)
    summary.print(*resource);
  out.end();
}

}  // namespace ha::crm
