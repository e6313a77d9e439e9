#include "adm/step_runner.hpp"

#include <fmt/core.h>

namespace replicator::adm {

namespace {
constexpr int first_failure = 10;  // below are answers, such as 5 for a wait that ran out
constexpr int could_not_run = 20;
constexpr int metadata_unusable = 1;
}  // namespace

void StepRunner::announce(const std::string& resource) {
  if (!variable_.empty()) announced_ = variable_ + "=" + resource;
}

// Every other command finds nothing configured when no daemon runs, which is the truth; but a
// device that one which died has left behind goes with `down`.
bool StepRunner::needs_daemon(const Step& step) const {
  if (step.tool != Tool::drbdsetup || step.arguments.empty()) return false;
  const std::string& command = step.arguments.front();
  return command == "new-resource" || (command == "down" && tools_.devices_wait());
}

void StepRunner::show(const Step& step) {
  if (!dry_run_ && !verbose_) return;
  if (!announced_.empty()) fmt::print(console_.out, "{}\n", announced_);
  fmt::print(console_.out, "{}\n", text(step));
  std::fflush(console_.out);
}

int StepRunner::run(const Step& step) {
  show(step);
  if (dry_run_) return 0;
  if (needs_daemon(step)) {
    const std::string problem = tools_.start_daemon();
    if (!problem.empty()) {
      fmt::print(console_.err, "drbdadm: {}\n", problem);
      return could_not_run;
    }
  }
  const int code = step.tool == Tool::drbdsetup ? tools_.drbdsetup(step.arguments)
                                                : tools_.drbdmeta(step.arguments);
  const bool without_metadata = code == metadata_unusable && step.tool == Tool::drbdmeta &&
                                step.arguments.back() == "apply-al";
  if (without_metadata) {
    fmt::print(
        console_.err,
        "{}: not attached; if it is the right disk and never had meta data, 'drbdadm create-md' "
        "writes it\n",
        step.arguments[2]);
  }
  if (code >= first_failure) {
    fmt::print(console_.err, "Command '{}' terminated with exit code {}\n", text(step), code);
  }
  return code;
}

int StepRunner::run(const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    const int code = run(step);
    if (code != 0) return code;
  }
  return 0;
}

}  // namespace replicator::adm
