// What every verb gets to work with.
#pragma once

#include "adm/adm_call.hpp"
#include "adm/step_runner.hpp"
#include "adm/steps.hpp"
#include "adm/targets.hpp"
#include "adm/tools.hpp"

namespace replicator::adm {

struct Context {
  const AdmCall& call;
  Tools& tools;
  StepRunner& runner;
  const config::Config& config;
  const Locals& locals;
  const config::HostFacts& host;
  Console console;
  const std::string& config_path;
};

// Exit codes of drbdadm itself.
inline constexpr int exit_usage = 1;
inline constexpr int exit_config = 10;
inline constexpr int exit_fatal = 20;  // from here on the remaining targets are not processed

}  // namespace replicator::adm
