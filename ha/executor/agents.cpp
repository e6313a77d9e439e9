#include "ha/executor/agents.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

namespace ha::executor {

using policy::Execution;
namespace ocf = policy::ocf;

namespace {

constexpr std::string_view reason_prefix = "ocf-exit-reason:";

void add_common(const AgentFolders& folders, ScriptCall& call) {
  call.environment.push_back("PATH=" + folders.path);
  call.environment.emplace_back("HA_cluster_type=heartbeat");
  call.environment.emplace_back("HA_debug=0");
  call.environment.push_back("HA_LOGFACILITY=" +
                             (folders.log_facility.empty() ? "daemon" : folders.log_facility));
  call.environment.emplace_back("PCMK_service=pacemaker-execd");
}

std::optional<ScriptCall> ocf_call(const Operation& operation, const AgentFolders& folders,
                                   bool (*exists)(const std::string&)) {
  ScriptCall call;
  for (const std::string& folder : folders.ocf) {
    const std::string path = folder + "/" + operation.provider + "/" + operation.type;
    if (!exists(path)) continue;
    call.path = path;
    break;
  }
  if (call.path.empty()) return std::nullopt;
  call.arguments.push_back(operation.task);
  add_common(folders, call);
  call.environment.emplace_back("OCF_ROOT=/usr/lib/ocf");
  call.environment.emplace_back("OCF_RA_VERSION_MAJOR=1");
  call.environment.emplace_back("OCF_RA_VERSION_MINOR=1");
  call.environment.push_back("OCF_EXIT_REASON_PREFIX=" + std::string(reason_prefix));
  call.environment.push_back("OCF_RESOURCE_INSTANCE=" + operation.resource);
  call.environment.push_back("OCF_RESOURCE_TYPE=" + operation.type);
  call.environment.push_back("OCF_RESOURCE_PROVIDER=" + operation.provider);
  for (const auto& [name, value] : operation.parameters) {
    if (name == "OCF_CHECK_LEVEL") call.environment.push_back("OCF_CHECK_LEVEL=" + value);
    call.environment.push_back("OCF_RESKEY_" + name + "=" + value);
  }
  return call;
}

std::optional<ScriptCall> init_call(const Operation& operation, const AgentFolders& folders,
                                    bool (*exists)(const std::string&)) {
  for (const std::string& folder : folders.init) {
    const std::string path = folder + "/" + operation.type;
    if (!exists(path)) continue;
    ScriptCall call;
    call.path = path;
    call.arguments.emplace_back(operation.task == "monitor" ? "status" : operation.task);
    add_common(folders, call);
    return call;
  }
  return std::nullopt;
}

std::optional<ScriptCall> systemd_call(const Operation& operation, const AgentFolders& folders,
                                       bool (*exists)(const std::string&)) {
  ScriptCall call;
  call.path = "/usr/bin/systemctl";
  if (!exists(call.path)) return std::nullopt;
  call.arguments = {operation.task == "monitor" ? "is-active" : operation.task, operation.type};
  add_common(folders, call);
  return call;
}

// Its parameters are numbers: the words between the script's name and the action.
std::optional<ScriptCall> heartbeat_call(const Operation& operation, const AgentFolders& folders,
                                         bool (*exists)(const std::string&)) {
  for (const std::string& folder : folders.heartbeat) {
    const std::string path = folder + "/" + operation.type;
    if (!exists(path)) continue;
    ScriptCall call;
    call.path = path;
    for (int number = 1;; ++number) {
      const auto found = operation.parameters.find(std::to_string(number));
      if (found == operation.parameters.end()) break;
      call.arguments.push_back(found->second);
    }
    call.arguments.emplace_back(operation.task == "monitor" ? "status" : operation.task);
    add_common(folders, call);
    return call;
  }
  return std::nullopt;
}

std::string last_reason(std::string_view output) {
  const std::size_t at = output.rfind(reason_prefix);
  if (at == output.npos) return {};
  std::string_view rest = output.substr(at + reason_prefix.size());
  return std::string(rest.substr(0, rest.find('\n')));
}

// What the older classes say in other ways.
int translated(const Operation& operation, const ScriptResult& result) {
  const bool asks = operation.task == "monitor";
  if (operation.standard == "heartbeat" && asks) {
    const bool runs = result.output.find("running") != std::string::npos ||
                      result.output.find("OK") != std::string::npos;
    return runs ? ocf::ok : ocf::not_running;
  }
  if (operation.standard == "ocf") return result.exit_code;
  if (!asks) return result.exit_code == 0 ? ocf::ok : 1;
  if (result.exit_code >= 1 && result.exit_code <= 3) return ocf::not_running;
  return result.exit_code == 0 ? ocf::ok : 1;
}

}  // namespace

bool executable(const std::string& path) {
  struct stat about{};
  return stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

std::optional<ScriptCall> agent_call(const Operation& operation, const AgentFolders& folders,
                                     bool (*exists)(const std::string&)) {
  // A name is a name, not a way to somewhere else.
  if (operation.type.find('/') != std::string::npos ||
      operation.provider.find('/') != std::string::npos) {
    return std::nullopt;
  }
  std::optional<ScriptCall> call;
  if (operation.standard == "ocf") call = ocf_call(operation, folders, exists);
  if (operation.standard == "heartbeat") call = heartbeat_call(operation, folders, exists);
  const bool either = operation.standard == "service";
  if (operation.standard == "lsb" || either) call = init_call(operation, folders, exists);
  if (operation.standard == "systemd" || (either && !call))
    call = systemd_call(operation, folders, exists);
  if (call) call->deadline = Duration::milliseconds(operation.timeout);
  return call;
}

Outcome agent_outcome(const Operation& operation, const ScriptResult& result) {
  if (result.exit_code == -1) return no_agent(operation);
  Outcome outcome;
  outcome.execution = Execution::done;
  outcome.reason = last_reason(result.output);
  if (result.timed_out) {
    outcome.execution = Execution::timed_out;
    outcome.result = 1;
    outcome.reason = operation.task + " did not end in time";
  } else if (result.exit_code >= 128 && result.exit_code != ocf::degraded &&
             result.exit_code != ocf::degraded_promoted) {
    outcome.execution = Execution::error;
    outcome.result = 1;
    outcome.reason = "ended by a signal";
  } else {
    outcome.result = translated(operation, result);
  }
  return outcome;
}

Outcome no_agent(const Operation& operation) {
  Outcome outcome;
  outcome.execution = Execution::not_installed;
  outcome.result = ocf::not_installed;
  outcome.reason = "there is no agent " + operation.standard + ":" +
                   (operation.provider.empty() ? "" : operation.provider + ":") + operation.type;
  return outcome;
}

}  // namespace ha::executor
