// A plan while it is carried out: which step may begin, what is in progress, what is left. A pure
// state machine; it decides nothing that the plan does not say.
//   H5   a step begins when all that it waits for has succeeded
//   H9   it belongs to one planner: results of other plans are told apart by their key
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "ha/controller/operation.hpp"

namespace ha::controller {

enum class StepKind : std::uint8_t { mark, operate, fence, shut_down };

struct Step {
  int id = 0;
  StepKind kind = StepKind::mark;
  std::string name;  // for the log: web_start_0
  std::string node;
  Operation operation;
  std::string fence_action;
  std::int64_t fence_delay = 0;  // seconds
  bool urgent = false;           // goes on when the rest of the plan was given up
  std::vector<int> after;
};

class Transition {
 public:
  // `cluster` holds the plan; it is read now and not needed later.
  Transition(policy::Cluster& cluster, int number, std::string uuid);

  [[nodiscard]] int number() const noexcept { return number_; }
  [[nodiscard]] bool empty() const noexcept { return steps_.empty(); }
  // Steps that may begin; they are in progress from now on. Marks are done by this.
  [[nodiscard]] std::vector<const Step*> begin_ready();
  // Null when no step of this plan with that number is in progress.
  [[nodiscard]] const Step* in_progress(int id) const;
  // The step that belongs to that key of a result, if it is in progress.
  [[nodiscard]] const Step* find(std::string_view transition_key) const;
  // A step that failed keeps what waits for it from beginning, and the rest is given up.
  void finish(int id, bool good);
  void give_up() noexcept { given_up_ = true; }
  [[nodiscard]] bool given_up() const noexcept { return given_up_; }
  // Nothing is in progress, and nothing will begin any more.
  [[nodiscard]] bool over() const;
  [[nodiscard]] std::vector<const Step*> in_progress() const;
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  [[nodiscard]] bool ready(const Step& step) const;
  void add(policy::Cluster& cluster, const policy::Action& action);
  void leave_after_probes();

  int number_;
  std::string uuid_;
  std::map<int, Step> steps_;
  std::set<int> waiting_;
  std::set<int> running_;
  std::set<int> done_;
  bool given_up_ = false;
};

}  // namespace ha::controller
