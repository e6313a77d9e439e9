// Runs steps the way drbdadm does: echoes them with -v, only shows them with -d, and says which one
// failed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "adm/step.hpp"
#include "adm/tools.hpp"

namespace replicator::adm {

class StepRunner {
 public:
  // `variable`: what -n names, or empty.
  StepRunner(Tools& tools, Console console, bool dry_run, bool verbose, std::string variable = {})
      : tools_(tools),
        console_(console),
        dry_run_(dry_run),
        verbose_(verbose),
        variable_(std::move(variable)) {}

  // Exit code of the step. From 10 on, the line "Command '…' terminated with exit code N" is
  // printed.
  int run(const Step& step);
  // The line that is shown with -d and -v, alone.
  void show(const Step& step);
  // Stops at the first that fails, and gives its code.
  int run(const std::vector<Step>& steps);
  // From now on `NAME=resource` in front of what is echoed (-n NAME).
  void announce(const std::string& resource);

  [[nodiscard]] bool dry_run() const noexcept { return dry_run_; }
  [[nodiscard]] Console console() const noexcept { return console_; }

 private:
  [[nodiscard]] bool needs_daemon(const Step& step) const;

  Tools& tools_;
  Console console_;
  bool dry_run_;
  bool verbose_;
  std::string variable_;
  std::string announced_;
};

}  // namespace replicator::adm
