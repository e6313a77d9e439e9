// How an operation is asked of its agent, and what the agent's answer means: pure functions, one
// for each class of agents.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ha/controller/operation.hpp"
#include "ha/executor/script.hpp"

namespace ha::executor {

using controller::Operation;
using controller::Outcome;

struct AgentFolders {
  // Each has PROVIDER/TYPE.
  std::vector<std::string> ocf{"/usr/lib/ocf/resource.d"};
  // Scripts of haresources.
  std::vector<std::string> heartbeat{"/etc/ha.d/resource.d"};
  std::vector<std::string> init{"/etc/init.d", "/etc/rc.d", "/etc/rc.d/init.d"};
  std::string path = "/usr/local/sbin:/usr/local/bin:/sbin:/usr/sbin:/bin:/usr/bin";
  std::string log_facility;
};

// Nothing: there is no such agent here. `exists` says whether a file can be executed.
[[nodiscard]] std::optional<ScriptCall> agent_call(const Operation& operation,
                                                   const AgentFolders& folders,
                                                   bool (*exists)(const std::string&));
[[nodiscard]] bool executable(const std::string& path);

[[nodiscard]] Outcome agent_outcome(const Operation& operation, const ScriptResult& result);
[[nodiscard]] Outcome no_agent(const Operation& operation);

}  // namespace ha::executor
