#include "command/drbdsetup.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "command/generations_text.hpp"
#include "command/setup_call.hpp"
#include "command/show_text.hpp"
#include "command/status_text.hpp"
#include "control/codes.hpp"
#include "control/status_json.hpp"

namespace replicator::command {
namespace {

using control::Reply;
using control::Request;

constexpr int exit_timed_out = 5;
constexpr int exit_configuration = 10;
constexpr int exit_fatal = 20;
// A state change may wait for the peer as long as its timeouts are.
constexpr std::uint32_t query_deadline_ms = 10'000;
constexpr std::uint32_t change_deadline_ms = 600'000;

struct Session {
  const SetupCall& call;
  std::FILE* out;
  std::FILE* err;
  const control::Client& client;
};

void print_info(const Session& session, const Reply& reply) {
  if (reply.info.empty()) return;
  fmt::print(session.err, "additional info from kernel:\n");
  for (const std::string& line : reply.info)
    fmt::print(session.err, "{}\n", line);
}

// DRBD's line for a reply that is not a success, and its exit code.
int report(const Session& session, const Reply& reply) {
  const std::string_view text = control::code_text(reply.code);
  const std::string& object = session.call.shown;
  if (control::is_success(reply.code)) {
    for (const std::string& line : reply.info)
      fmt::print(session.err, "{}: {}\n", object, line);
    return 0;
  }
  if (text.empty()) {
    fmt::print(session.err, "{}: Error code {} unknown.\n", object, reply.code);
  } else if (reply.code < 0) {
    fmt::print(session.err, "{}: State change failed: ({}) {}\n", object, reply.code, text);
  } else {
    fmt::print(session.err, "{}: Failure: ({}) {}\n", object, reply.code, text);
  }
  print_info(session, reply);
  return control::exit_code(reply.code);
}

int no_daemon(const Session& session) {
  fmt::print(session.err,
             "{}: polluxd is not running (nobody listens on {}), so nothing is configured;\n"
             "\t'drbdadm up RESOURCE' starts it\n",
             session.call.shown.empty() ? "drbdsetup" : session.call.shown,
             session.client.socket_path());
  return exit_fatal;
}

int no_answer(const Session& session, const Status& failure) {
  const std::string& socket = session.client.socket_path();
  switch (failure.fault()) {
    case Fault::not_permitted:
      fmt::print(session.err, "drbdsetup: not allowed to use {}; only root may\n", socket);
      break;
    case Fault::timed_out:
      fmt::print(session.err, "drbdsetup: polluxd did not answer on {} in time\n", socket);
      break;
    default:
      fmt::print(session.err, "drbdsetup: no proper answer on {}: {} ({})\n", socket,
                 text(failure.fault()), failure.where());
      break;
  }
  return exit_fatal;
}

// The reply, or the exit code of a call that got none.
struct Answer {
  Reply reply;
  int failed = 0;
};

Answer ask(const Session& session, const Request& request, std::uint32_t deadline_ms) {
  Answer answer;
  Result<Reply> reply = session.client.call(request, deadline_ms);
  if (reply) {
    answer.reply = std::move(*reply);
    if (!control::is_success(answer.reply.code)) answer.failed = report(session, answer.reply);
  } else if (reply.error().fault() != Fault::not_found) {
    answer.failed = no_answer(session, reply.error());
  } else {
    answer.failed = no_daemon(session);
  }
  return answer;
}

bool daemon_runs(const Session& session) {
  Request ping;
  ping.command = "ping";
  const Result<Reply> reply = session.client.call(ping, query_deadline_ms);
  return reply.has_value() || reply.error().fault() != Fault::not_found;
}

int forward(const Session& session) {
  if (session.call.command->idle_without_daemon && !daemon_runs(session)) return 0;
  const Answer answer = ask(session, session.call.request, change_deadline_ms);
  return answer.failed != 0 ? answer.failed : report(session, answer.reply);
}

std::uint32_t timeout_of(const control::OptionMap& options, const char* name) {
  std::uint32_t seconds = 0;
  const auto found = options.find(name);
  if (found != options.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), seconds);
  }
  return seconds;
}

// The two shorter waits can not be longer than the general one.
void repair_order(const Session& session, control::OptionMap& options) {
  const std::uint32_t longest = timeout_of(options, "wfc-timeout");
  if (longest == 0) return;
  for (const char* name : {"degr-wfc-timeout", "outdated-wfc-timeout"}) {
    const std::uint32_t value = timeout_of(options, name);
    if (options.count(name) == 0 || (value != 0 && value <= longest)) continue;
    fmt::print(session.err,
               "{0} has to be shorter than wfc-timeout\n{0} implicitly set to wfc-timeout ({1}s)\n",
               name, longest);
    options[name] = std::to_string(longest);
  }
}

int wait(const Session& session) {
  Request request = session.call.request;
  for (const auto& [name, value] : request.options) {
    if (name == "wait-after-sb") continue;
    std::uint32_t seconds = 0;
    const char* end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, seconds);
    if (error == std::errc() && at == end && seconds <= 300000) continue;
    fmt::print(session.err, "{} => {} out of range [0..300000]\n", name, value);
    return exit_fatal;
  }
  repair_order(session, request.options);
  const Answer answer = ask(session, request, 0);
  if (answer.failed != 0) return answer.failed;
  return control::data_flag(answer.reply, "timeout") ? exit_timed_out : 0;
}

// Status of what the call names; empty when no daemon runs and everything was asked for.
struct StatusAnswer {
  std::vector<ResourceStatus> resources;
  int failed = 0;
};

StatusAnswer ask_status(const Session& session) {
  StatusAnswer result;
  Request request;
  request.command = "status";
  request.object = session.call.request.object;
  if (request.object == "all" && !daemon_runs(session)) return result;
  const Answer answer = ask(session, request, query_deadline_ms);
  result.failed = answer.failed;
  if (answer.failed != 0) return result;
  Result<std::vector<ResourceStatus>> decoded = control::decode_status(answer.reply.data);
  if (decoded) result.resources = std::move(*decoded);
  else result.failed = no_answer(session, decoded.error());
  return result;
}

bool flag(const Session& session, const char* name) {
  const auto found = session.call.request.options.find(name);
  return found != session.call.request.options.end() && found->second != "no";
}

// A resource that is not there has a message of its own in displays.
bool is_missing(const Session& session) {
  if (session.call.request.object == "all") return false;
  Request request;
  request.command = "status";
  request.object = session.call.request.object;
  const Result<Reply> reply = session.client.call(request, query_deadline_ms);
  if (reply) return reply->code == control::err_resource_unknown;
  return reply.error().fault() == Fault::not_found;
}

int status(const Session& session) {
  if (is_missing(session)) {
    fmt::print(session.err, "{}: No such resource\n", session.call.shown);
    return exit_configuration;
  }
  const StatusAnswer answer = ask_status(session);
  if (answer.failed != 0) return answer.failed;
  const StatusOptions options{flag(session, "verbose"), flag(session, "statistics")};
  if (answer.resources.empty()) fmt::print(session.out, "# No currently configured DRBD found.\n");
  for (const ResourceStatus& resource : answer.resources) {
    fmt::print(session.out, "{}", status_text(resource, options));
  }
  return 0;
}

const VolumeStatus* find_volume(const ResourceStatus& resource, const std::string& minor) {
  for (const VolumeStatus& volume : resource.volumes) {
    if (std::to_string(volume.minor) == minor) return &volume;
  }
  return nullptr;
}

int sh_status(const Session& session) {
  const StatusAnswer answer = ask_status(session);
  if (answer.failed != 0) return answer.failed;
  for (const ResourceStatus& resource : answer.resources) {
    const VolumeStatus* one = find_volume(resource, session.call.request.object);
    fmt::print(session.out, "{}",
               one != nullptr ? sh_status_text(resource, *one) : sh_status_text(resource));
  }
  return 0;
}

// role, cstate, dstate: one line about one minor.
template <class Text>
int one_line(const Session& session, Text text) {
  const StatusAnswer answer = ask_status(session);
  if (answer.failed != 0) return answer.failed;
  for (const ResourceStatus& resource : answer.resources) {
    const VolumeStatus* volume = find_volume(resource, session.call.request.object);
    if (volume == nullptr) continue;
    fmt::print(session.out, "{}\n",
               unconfigured(resource, *volume) ? std::string("Unconfigured") : text(volume->state));
  }
  return 0;
}

std::string pair(std::string_view own, std::string_view peer) {
  return std::string(own) + "/" + std::string(peer);
}

int show(const Session& session) {
  Request request = session.call.request;
  request.options.clear();
  if (request.object == "all" && !daemon_runs(session)) return 0;
  const Answer answer = ask(session, request, query_deadline_ms);
  if (answer.failed != 0) return answer.failed;
  const Result<std::vector<control::ResourceShow>> shown = control::decode_show(answer.reply.data);
  if (!shown) return no_answer(session, shown.error());
  for (const control::ResourceShow& resource : *shown) {
    fmt::print(session.out, "{}", show_text(resource, flag(session, "show-defaults")));
  }
  return 0;
}

int generations(const Session& session, std::string (*text)(const control::GenerationShow&)) {
  Request request = session.call.request;
  request.command = "get-gi";
  const Answer answer = ask(session, request, query_deadline_ms);
  if (answer.failed != 0) return answer.failed;
  const Result<control::GenerationShow> shown = control::decode_generations(answer.reply.data);
  if (!shown) return no_answer(session, shown.error());
  fmt::print(session.out, "{}", text(*shown));
  return 0;
}

// `down all` and `down RESOURCE`; nothing configured is nothing to do.
int down(const Session& session) {
  if (!daemon_runs(session)) return 0;
  if (session.call.request.object != "all") return forward(session);
  const StatusAnswer answer = ask_status(session);
  if (answer.failed != 0) return answer.failed;
  int highest = 0;
  for (const ResourceStatus& resource : answer.resources) {
    SetupCall one = session.call;
    one.request.object = resource.name;
    one.shown = resource.name;
    const Session each{one, session.out, session.err, session.client};
    highest = std::max(highest, forward(each));
  }
  return highest;
}

int run(const Session& session) {
  const auto role_line = [](const VolumeState& s) { return pair(name(s.role), name(s.peer_role)); };
  const auto cstate_line = [](const VolumeState& s) { return std::string(name(s.connection)); };
  const auto dstate_line = [](const VolumeState& s) {
    return pair(name(s.disk), name(s.peer_disk));
  };
  switch (session.call.command->action) {
    case SetupAction::forward: return forward(session);
    case SetupAction::down: return down(session);
    case SetupAction::wait: return wait(session);
    case SetupAction::role: return one_line(session, role_line);
    case SetupAction::cstate: return one_line(session, cstate_line);
    case SetupAction::dstate: return one_line(session, dstate_line);
    case SetupAction::status: return status(session);
    case SetupAction::sh_status: return sh_status(session);
    case SetupAction::show: return show(session);
    case SetupAction::get_gi: return generations(session, get_gi_text);
    case SetupAction::show_gi: return generations(session, show_gi_text);
  }
  return exit_fatal;
}

int help(std::FILE* out) {
  fmt::print(out,
             "USAGE: drbdsetup COMMAND OBJECT [ARGUMENT]... [--OPTION[=VALUE]]...\n\nCommands:\n");
  for (const SetupCommand& command : setup_commands())
    fmt::print(out, "  {}\n", command.name);
  return 0;
}

}  // namespace

int run_drbdsetup(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                  const control::Client& client) {
  if (!arguments.empty() && (arguments[0] == "help" || arguments[0] == "--help")) return help(out);
  const SetupCall call = parse_setup_call(arguments);
  if (!call.problem.empty()) {
    fmt::print(err, "{}\n", call.problem);
    return exit_fatal;
  }
  return run(Session{call, out, err, client});
}

int run_drbdsetup(std::span<const std::string> arguments, std::FILE* out, std::FILE* err) {
  return run_drbdsetup(arguments, out, err, control::Client());
}

}  // namespace replicator::command
