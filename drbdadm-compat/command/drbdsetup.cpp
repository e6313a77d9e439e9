#include "command/drbdsetup.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "command/event_stream.hpp"
#include "command/generations_text.hpp"
#include "command/setup_call.hpp"
#include "command/show_text.hpp"
#include "command/status_json_text.hpp"
#include "command/status_text.hpp"
#include "command/xml_help.hpp"
#include "control/codes.hpp"
#include "control/status_json.hpp"
#include "metatool/drbdmeta.hpp"

namespace replicator::command {
namespace {

using control::Reply;
using control::Request;

constexpr int exit_nothing_there = 1;
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
  const std::string& object = session.call.shown;
  if (control::is_success(reply.code)) {
    for (const std::string& line : reply.info)
      fmt::print(session.err, "{}: {}\n", object, line);
    return 0;
  }
  const std::string_view text = control::code_text(reply.code);
  if (reply.code < 0) {
    fmt::print(session.err, "{}: State change failed: ({}) {}\n", object, reply.code,
               text.empty() ? "unknown error." : text);
  } else if (text.empty()) {
    fmt::print(session.err,
               "{}: Error code {} unknown.\nYou should update the drbd userland tools.\n", object,
               reply.code);
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

int no_reply(const Session& session, const Status& failure) {
  return failure.fault() == Fault::not_found ? no_daemon(session) : no_answer(session, failure);
}

// A successful reply, or the exit code of a call that got none.
struct Answer {
  Reply reply;
  int failed = 0;
};

Answer ask(const Session& session, const Request& request, std::uint32_t deadline_ms) {
  Answer answer;
  Result<Reply> reply = session.client.call(request, deadline_ms);
  if (!reply) answer.failed = no_reply(session, reply.error());
  else if (!control::is_success(reply->code)) answer.failed = report(session, *reply);
  else answer.reply = std::move(*reply);
  return answer;
}

int forward(const Session& session) {
  const Result<Reply> reply = session.client.call(session.call.request, change_deadline_ms);
  if (reply) return report(session, *reply);
  const bool idle = session.call.command->idle_without_daemon;
  if (idle && reply.error().fault() == Fault::not_found) return 0;
  return no_reply(session, reply.error());
}

constexpr std::array<std::string_view, 3> timeout_names{"wfc-timeout", "degr-wfc-timeout",
                                                        "outdated-wfc-timeout"};
constexpr std::uint32_t longest_timeout = 300'000;

using Timeouts = std::array<std::uint32_t, timeout_names.size()>;

// Seconds, 0 for ever; false when one is not within its range.
bool read_timeouts(const Session& session, const control::OptionMap& options, Timeouts& timeouts) {
  for (std::size_t i = 0; i < timeout_names.size(); ++i) {
    const auto found = options.find(timeout_names[i]);
    if (found == options.end()) continue;
    const std::string& text = found->second;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, timeouts[i]);
    if (error == std::errc() && at == end && timeouts[i] <= longest_timeout) continue;
    std::string name(timeout_names[i]);
    std::replace(name.begin(), name.end(), '-', '_');
    fmt::print(session.err, "{} => {} out of range [0..{}]\n", name, text, longest_timeout);
    return false;
  }
  return true;
}

// Each special case may only wait shorter than the one before. What was not given is repaired
// without a word.
void repair_order(const Session& session, const control::OptionMap& options, Timeouts& timeouts) {
  for (std::size_t i = 1; i < timeouts.size(); ++i) {
    const std::uint32_t longest = timeouts[i - 1];
    if (longest == 0 || (timeouts[i] != 0 && timeouts[i] <= longest)) continue;
    timeouts[i] = longest;
    if (options.find(timeout_names[i]) == options.end()) continue;
    fmt::print(session.err, "{0} has to be shorter than {1}\n{0} implicitly set to {1} ({2}s)\n",
               timeout_names[i], timeout_names[i - 1], longest);
  }
}

int wait(const Session& session) {
  Request request = session.call.request;
  Timeouts timeouts{};
  if (!read_timeouts(session, request.options, timeouts)) return exit_fatal;
  repair_order(session, session.call.request.options, timeouts);
  for (std::size_t i = 0; i < timeouts.size(); ++i)
    request.options[std::string(timeout_names[i])] = std::to_string(timeouts[i]);
  const Answer answer = ask(session, request, 0);
  if (answer.failed != 0) return answer.failed;
  return control::data_flag(answer.reply, "timeout") ? exit_timed_out : 0;
}

bool names_all(const Session& session) { return session.call.request.object == "all"; }

bool flag(const Session& session, const char* name) {
  const auto found = session.call.request.options.find(name);
  return found != session.call.request.options.end() && found->second != "no";
}

struct StatusAnswer {
  std::vector<ResourceStatus> resources;
  bool missing = false;  // what the call names is not there; nothing was said about it
  int failed = 0;
};

// Where no daemon runs there is nothing: that is an answer, too.
StatusAnswer ask_status(const Session& session) {
  StatusAnswer answer;
  Request request;
  request.command = "status";
  request.object = session.call.request.object;
  const Result<Reply> reply = session.client.call(request, query_deadline_ms);
  if (!reply) {
    answer.missing = reply.error().fault() == Fault::not_found;
    if (!answer.missing) answer.failed = no_answer(session, reply.error());
    else if (names_all(session)) answer.missing = false;
    return answer;
  }
  answer.missing =
      reply->code == control::err_resource_unknown || reply->code == control::err_minor_invalid;
  if (answer.missing) return answer;
  if (!control::is_success(reply->code)) {
    answer.failed = report(session, *reply);
    return answer;
  }
  Result<std::vector<ResourceStatus>> decoded = control::decode_status(reply->data);
  if (decoded) answer.resources = std::move(*decoded);
  else answer.failed = no_answer(session, decoded.error());
  return answer;
}

int status(const Session& session) {
  const StatusAnswer answer = ask_status(session);
  if (answer.failed != 0) return answer.failed;
  if (answer.missing) {
    fmt::print(session.err, "{}: No such resource\n", session.call.shown);
    return exit_configuration;
  }
  if (flag(session, "json")) {
    fmt::print(session.out, "{}", status_json_text(answer.resources));
    return 0;
  }
  const StatusOptions options{flag(session, "verbose"), flag(session, "statistics"),
                              isatty(fileno(session.out)) == 1};
  if (answer.resources.empty()) fmt::print(session.out, "# No currently configured DRBD found.\n");
  for (const ResourceStatus& resource : answer.resources) {
    fmt::print(session.out, "{}", status_text(resource, options));
  }
  return 0;
}

int events2(const Session& session) {
  Request request = session.call.request;
  EventStream stream(session.out, flag(session, "timestamps"), flag(session, "now"));
  for (const char* own : {"timestamps", "poll"})
    request.options.erase(own);
  Reply reply;
  const int poll_descriptor = flag(session, "poll") ? fileno(stdin) : -1;
  const Status followed = session.client.follow(
      request, reply, [&](std::string_view line) { return stream.take(line); }, poll_descriptor);
  if (followed.fault() == Fault::not_found && flag(session, "now")) {
    return stream.take("exists -") ? exit_fatal : 0;
  }
  if (!control::is_success(reply.code)) return report(session, reply);
  if (stream.done()) return 0;
  if (!stream.problem().empty()) {
    fmt::print(session.err, "drbdsetup: {}\n", stream.problem());
    return exit_fatal;
  }
  if (followed.fault() == Fault::closed && stream.begun()) {
    fmt::print(session.err, "drbdsetup: polluxd has gone\n");
    return exit_fatal;
  }
  return followed.ok() ? exit_fatal : no_reply(session, followed);
}

const VolumeStatus* find_volume(const ResourceStatus& resource, const std::string& minor) {
  for (const VolumeStatus& volume : resource.volumes) {
    if (std::to_string(volume.minor) == minor) return &volume;
  }
  return nullptr;
}

// Scripts evaluate this, therefore a minor has a block even when it is not there.
int sh_status(const Session& session) {
  const StatusAnswer answer = ask_status(session);
  if (answer.failed != 0) return answer.failed;
  const std::string& object = session.call.request.object;
  if (answer.missing && session.call.minor) {
    fmt::print(session.out, "{}", sh_status_of_missing(*session.call.minor));
    return 0;
  }
  if (answer.missing) {
    fmt::print(session.err, "{}: No such resource\n", session.call.shown);
    return exit_configuration;
  }
  for (const ResourceStatus& resource : answer.resources) {
    const VolumeStatus* one = resource.name == object ? nullptr : find_volume(resource, object);
    fmt::print(session.out, "{}",
               one != nullptr ? sh_status_text(resource, *one) : sh_status_text(resource));
  }
  return 0;
}

// role, cstate, dstate: one line about one minor.
template <class Text>
int one_line(const Session& session, Text text) {
  const std::string& minor = session.call.request.object;
  Request request;
  request.command = "status";
  request.object = minor;
  const Answer answer = ask(session, request, query_deadline_ms);
  if (answer.failed != 0) return answer.failed;
  const Result<std::vector<ResourceStatus>> decoded = control::decode_status(answer.reply.data);
  if (!decoded) return no_answer(session, decoded.error());
  for (const ResourceStatus& resource : *decoded) {
    const VolumeStatus* volume = find_volume(resource, minor);
    if (volume == nullptr) continue;
    fmt::print(session.out, "{}\n",
               unconfigured(volume->state) ? std::string("Unconfigured") : text(volume->state));
    return 0;
  }
  return no_answer(session, Status(Fault::malformed, "status without the minor"));
}

std::string pair(std::string_view own, std::string_view peer) {
  return std::string(own) + "/" + std::string(peer);
}

int show(const Session& session) {
  Request request = session.call.request;
  request.options.clear();
  const Result<Reply> reply = session.client.call(request, query_deadline_ms);
  if (!reply && reply.error().fault() == Fault::not_found && names_all(session)) return 0;
  if (!reply) return no_reply(session, reply.error());
  if (!control::is_success(reply->code)) return report(session, *reply);
  const Result<std::vector<control::ResourceShow>> shown = control::decode_show(reply->data);
  if (!shown) return no_answer(session, shown.error());
  for (const control::ResourceShow& resource : *shown) {
    fmt::print(session.out, "{}", show_text(resource, flag(session, "show-defaults")));
  }
  return 0;
}

// Notes how large the disk is now, so that internal meta data are found when it has grown.
int check_resize(const Session& session) {
  Request request = session.call.request;
  request.command = "show";
  const Answer answer = ask(session, request, query_deadline_ms);
  if (answer.failed != 0) return answer.failed;
  const Result<std::vector<control::ResourceShow>> shown = control::decode_show(answer.reply.data);
  if (!shown) return no_answer(session, shown.error());
  for (const control::ResourceShow& resource : *shown) {
    for (const control::VolumeShow& volume : resource.volumes) {
      const bool internal =
          volume.backing && volume.backing->meta_index.kind == MetaDiskIndex::Kind::internal;
      if (!internal || std::to_string(volume.minor) != request.object) continue;
      const std::vector<std::string> words{request.object, "v08", volume.backing->disk_path,
                                           "internal", "check-resize"};
      return metatool::run_drbdmeta(words, stdin, session.out, session.err);
    }
  }
  return 0;
}

int generations(const Session& session, std::string (*text)(const control::GenerationShow&)) {
  Request request = session.call.request;
  request.command = "get-gi";
  const Result<Reply> reply = session.client.call(request, query_deadline_ms);
  if (!reply) return no_reply(session, reply.error());
  if (reply->code == control::err_no_disk) {
    fmt::print(session.err, "Device has no disk\n");
    return exit_nothing_there;
  }
  if (!control::is_success(reply->code)) return report(session, *reply);
  const Result<control::GenerationShow> shown = control::decode_generations(reply->data);
  if (!shown) return no_answer(session, shown.error());
  fmt::print(session.out, "{}", text(*shown));
  return 0;
}

// `down all` and `down RESOURCE`; nothing configured is nothing to do.
int down(const Session& session) {
  if (!names_all(session)) return forward(session);
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
    case SetupAction::state:
      fmt::print(session.err,
                 "'drbdsetup ... state' is deprecated, use 'drbdsetup ... role' instead.\n");
      return one_line(session, role_line);
    case SetupAction::role: return one_line(session, role_line);
    case SetupAction::cstate: return one_line(session, cstate_line);
    case SetupAction::dstate: return one_line(session, dstate_line);
    case SetupAction::status: return status(session);
    case SetupAction::events2: return events2(session);
    case SetupAction::sh_status: return sh_status(session);
    case SetupAction::show: return show(session);
    case SetupAction::check_resize: return check_resize(session);
    case SetupAction::get_gi: return generations(session, get_gi_text);
    case SetupAction::show_gi: return generations(session, show_gi_text);
  }
  return exit_fatal;
}

int help(std::span<const std::string> topics, std::FILE* out, std::FILE* err) {
  if (topics.empty()) {
    fmt::print(out, "{}\n\nCommands:\n", general_usage);
    for (const SetupCommand& command : setup_commands())
      fmt::print(out, "  {}\n", command.name);
    fmt::print(out, "\n'drbdsetup help COMMAND' tells more.\n");
    return 0;
  }
  const SetupCommand* command = find_setup_command(topics.front());
  if (command == nullptr) {
    fmt::print(err, "{}\n", unknown_command(topics.front()));
    return exit_fatal;
  }
  fmt::print(out, "{}\n", usage_of(*command));
  return 0;
}

}  // namespace

int run_drbdsetup(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                  const control::Client& client) {
  if (!arguments.empty() && (arguments[0] == "help" || arguments[0] == "--help")) {
    return help(arguments.subspan(1), out, err);
  }
  if (arguments.size() == 2 && arguments[0] == "xml-help") {
    const SetupCommand* command = find_setup_command(arguments[1]);
    if (command != nullptr) fmt::print(out, "{}", xml_help(*command));
    else fmt::print(err, "{}\n", unknown_command(arguments[1]));
    return command != nullptr ? 0 : exit_fatal;
  }
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
