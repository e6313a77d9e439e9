#include "ha/controller/transition.hpp"

#include <algorithm>
#include <utility>

#include "ha/policy/actions.hpp"

namespace ha::controller {
namespace {

using policy::Action;

StepKind kind_of(const Action& action) {
  if (action.is(policy::act::pseudo)) return StepKind::mark;
  if (action.task == "stonith") return StepKind::fence;
  if (action.task == "do_shutdown") return StepKind::shut_down;
  return action.resource != nullptr && action.node != nullptr ? StepKind::operate : StepKind::mark;
}

}  // namespace

Transition::Transition(policy::Cluster& cluster, int number, std::string uuid)
    : number_(number), uuid_(std::move(uuid)) {
  for (const Action* action : cluster.plan)
    add(cluster, *action);
  for (const auto& [id, step] : steps_)
    waiting_.insert(id);
  leave_after_probes();
}

// What was forgotten about a node may run there: it does not leave before that is known (H10).
void Transition::leave_after_probes() {
  for (auto& [id, leaving] : steps_) {
    if (leaving.kind != StepKind::shut_down) continue;
    for (const auto& [other, step] : steps_) {
      const bool probe = step.kind == StepKind::operate && step.operation.task == "monitor" &&
                         step.operation.interval == 0;
      if (probe && step.node == leaving.node) leaving.after.push_back(other);
    }
  }
}

void Transition::add(policy::Cluster& cluster, const Action& action) {
  Step step;
  step.id = action.id;
  step.kind = kind_of(action);
  step.name = action.key;
  step.urgent = action.is(policy::act::pseudo) || action.priority >= policy::infinity;
  if (action.node != nullptr) step.node = action.node->name;
  for (const policy::Link& link : action.before) {
    // What is not part of the plan, as it can't be done, is never done: neither is this step (H5).
    if (link.used) step.after.push_back(link.action->id);
  }
  if (step.kind == StepKind::operate) {
    const std::string key = std::to_string(action.id) + ":" + std::to_string(number_) + ":" +
                            std::to_string(action.expected_result) + ":" + uuid_;
    step.operation = operation_for(cluster, action, key);
    step.name = step.operation.key();
  }
  if (step.kind == StepKind::fence) {
    step.fence_action = action.fence_action;
    step.fence_delay =
        policy::parse_number(policy::lookup(action.parameters, "priority-fencing-delay"))
            .value_or(0);
  }
  steps_.emplace(step.id, std::move(step));
}

bool Transition::ready(const Step& step) const {
  if (given_up_ && !step.urgent) return false;
  return std::all_of(step.after.begin(), step.after.end(),
                     [&](int other) { return done_.contains(other); });
}

std::vector<const Step*> Transition::begin_ready() {
  std::vector<const Step*> begun;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      const Step& step = steps_.at(*at);
      if (!ready(step)) {
        ++at;
        continue;
      }
      progress = true;
      at = waiting_.erase(at);
      if (step.kind == StepKind::mark) {
        done_.insert(step.id);
      } else {
        running_.insert(step.id);
        begun.push_back(&step);
      }
    }
  }
  return begun;
}

const Step* Transition::in_progress(int id) const {
  return running_.contains(id) ? &steps_.at(id) : nullptr;
}

const Step* Transition::find(std::string_view transition_key) const {
  for (const int id : running_) {
    const Step& step = steps_.at(id);
    if (step.kind == StepKind::operate && step.operation.transition_key == transition_key)
      return &step;
  }
  return nullptr;
}

void Transition::finish(int id, bool good) {
  if (running_.erase(id) == 0) return;
  if (good) done_.insert(id);
  else given_up_ = true;
}

bool Transition::over() const {
  if (!running_.empty()) return false;
  return std::none_of(waiting_.begin(), waiting_.end(),
                      [&](int id) { return ready(steps_.at(id)); });
}

std::vector<const Step*> Transition::in_progress() const {
  std::vector<const Step*> steps;
  for (const int id : running_)
    steps.push_back(&steps_.at(id));
  return steps;
}

}  // namespace ha::controller
