// `drbdadm wait-con-int`: what a boot script runs to wait for the peers of all resources, with the
// time limits of their `startup` sections and an operator who may say "yes" to end it. Without a
// terminal it waits in silence.
#pragma once

#include "adm/context.hpp"

namespace replicator::adm {

// The time limits in force for the resource that waits longest; 0: for ever.
struct LongestWait {
  std::string resource;
  unsigned usual_seconds = 0;
  unsigned degraded_seconds = 0;
};
// `passed` are options of the command line, which win over the file.
LongestWait longest_wait(const Locals& locals, const std::vector<std::string>& passed);

int verb_wait_con_int(const Context& context, const std::vector<Target>& targets);

}  // namespace replicator::adm
