#include "tests/sim/helper.hpp"

#include <algorithm>
#include <cerrno>

namespace replicator::sim {

std::size_t SimHelper::called(const std::string& handler) const {
  return static_cast<std::size_t>(std::count_if(
      calls_.begin(), calls_.end(),
      [&](const std::string& call) { return call.substr(0, call.find(' ')) == handler; }));
}

std::size_t SimHelper::running() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(runs_.begin(), runs_.end(), [](const Run& run) { return run.op != nullptr; }));
}

void SimHelper::run(io::Op& op, const io::HelperCall& call) {
  begin(op);
  calls_.push_back(call.handler + " " + call.object);
  const HelperAnswer answer = script_ ? script_(call) : HelperAnswer();
  op.backend_data = runs_.size();
  runs_.push_back(Run{&op, answer.exit_code << 8, answer.at_end});
  world_.note(static_cast<std::uint64_t>(answer.exit_code));
  world_.after(answer.takes, node_, *this, op.backend_data);
}

void SimHelper::cancel(io::Op& op) noexcept {
  if (!op.in_flight()) return;
  Run& run = runs_[op.backend_data];
  run.result = -ECANCELED;
  world_.at(world_.now(), node_, *this, op.backend_data);
}

void SimHelper::fire(std::uint64_t tag) {
  Run& run = runs_[tag];
  if (run.op == nullptr) return;
  io::Op& op = *run.op;
  run.op = nullptr;
  if (run.at_end && run.result >= 0) run.result = run.at_end() << 8;
  finish(op, run.result);
}

void SimHelper::forget(io::Op& op) noexcept { runs_[op.backend_data].op = nullptr; }

}  // namespace replicator::sim
