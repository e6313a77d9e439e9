#include "pollux/explain_command.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "control/codes.hpp"
#include "control/node_report_json.hpp"
#include "pollux/explain_resource.hpp"
#include "pollux/generation_journal_file.hpp"
#include "pollux/split_brain_text.hpp"

namespace replicator::pollux {

namespace {

constexpr std::uint32_t deadline_ms = 30000;
constexpr std::size_t ranges_shown = 20;
constexpr int found_split_brain = 1;
constexpr int wrong_usage = 2;
constexpr int not_known = 3;

struct Call {
  std::string resource;
  std::string peer_file;
  std::string directory = default_generations_directory;
  bool exports = false;
  bool json = false;
  bool all = false;
  std::FILE* out;
  std::FILE* err;
  const control::Client& client;
};

int complain(const Call& call, const std::string& line) {
  fmt::print(call.err, "pollux explain: {}\n", line);
  return not_known;
}

bool parse(std::span<const std::string> arguments, Call& call) {
  if (arguments.empty() || arguments[0] != "split-brain") return false;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    std::string* value = word == "--peer"        ? &call.peer_file
                         : word == "--directory" ? &call.directory
                                                 : nullptr;
    if (value != nullptr) {
      if (++i == arguments.size()) return false;
      *value = arguments[i];
    } else if (word == "--export") {
      call.exports = true;
    } else if (word == "--json") {
      call.json = true;
    } else if (word == "--all") {
      call.all = true;
    } else if (!word.empty() && word[0] != '-' && call.resource.empty()) {
      call.resource = word;
    } else {
      return false;
    }
  }
  const bool compares = call.json || call.all || !call.peer_file.empty();
  return !call.resource.empty() && !(call.exports && compares);
}

struct Answer {
  std::string data;
  std::string problem;  // empty: the data are good
  bool absent = false;  // no daemon, or not this resource
};

Answer ask(const Call& call, const char* command, std::string object,
           std::vector<std::string> arguments) {
  control::Request request;
  request.command = command;
  request.object = std::move(object);
  request.arguments = std::move(arguments);
  const Result<control::Reply> reply = call.client.call(request, deadline_ms);
  Answer answer;
  if (!reply) {
    answer.absent = reply.error().fault() == Fault::not_found;
    const bool forbidden = reply.error().fault() == Fault::not_permitted;
    answer.problem = answer.absent ? "no daemon is running"
                     : forbidden   ? "only root may ask the daemon"
                                   : "the daemon does not answer";
  } else if (!control::is_success(reply->code)) {
    answer.absent = reply->code == control::err_resource_unknown;
    answer.problem =
        reply->info.empty() ? std::string(control::code_text(reply->code)) : reply->info.front();
  } else {
    answer.data = reply->data;
  }
  return answer;
}

// Page by page; the marks of a volume that is written to meanwhile may be of different moments.
std::string read_ranges(const Call& call, VolumeReport& volume) {
  const std::uint64_t blocks = ceil_div(volume.size_kib * 1024, block_bytes);
  for (std::uint64_t from = 0; from < blocks;) {
    const Answer answer =
        ask(call, "marked-ranges", std::to_string(volume.minor), {std::to_string(from)});
    if (!answer.problem.empty()) return answer.problem;
    const Result<BitmapRuns> page = control::decode_runs(answer.data);
    if (!page || page->next <= from) return "the daemon's list of ranges makes no sense";
    for (const BlockRun& run : page->runs) {
      if (run.end() <= blocks) volume.marked.push_back(run);
    }
    from = page->next;
  }
  return {};
}

std::string host_name() {
  char name[256] = "";
  if (gethostname(name, sizeof name - 1) != 0) return "this node";
  return name;
}

// This node's own side, with what lies in files. The problem, or nothing.
std::string look(const Call& call, NodeReport& report) {
  const Answer answer = ask(call, "report", call.resource, {});
  if (answer.absent) {
    // Policies may name a victim as soon as the nodes meet.
    return fmt::format(
        "{0}: {1}; to look without connecting: drbdadm new-resource {0}; drbdadm new-minor {0}; "
        "drbdadm attach {0}",
        call.resource, answer.problem);
  }
  if (!answer.problem.empty()) return answer.problem;
  Result<NodeReport> decoded = control::decode_report(answer.data);
  if (!decoded) return fmt::format("the daemon's answer: {}", decoded.error().where());
  report = std::move(*decoded);
  report.node = host_name();
  for (VolumeReport& volume : report.volumes) {
    if (volume.has_meta_data) {
      std::string problem = read_ranges(call, volume);
      if (!problem.empty()) return problem;
    }
    volume.journal = read_journal(call.directory, call.resource, volume.volume);
  }
  return {};
}

std::string look_at_peer(const Call& call, const NodeReport& mine, NodeReport& theirs) {
  const char* const what = call.peer_file == "-" ? "standard input" : call.peer_file.c_str();
  std::string text;
  const int error = read_whole(call.peer_file, control::max_report_bytes, text);
  if (error != 0) return fmt::format("{}: {}", what, std::strerror(error));
  Result<NodeReport> decoded = control::decode_report(text);
  if (!decoded) return fmt::format("{}: {}", what, decoded.error().where());
  theirs = std::move(*decoded);
  if (theirs.resource != mine.resource) {
    return fmt::format("{}: a report about {}, not about {}", what, theirs.resource, mine.resource);
  }
  if (theirs.node == mine.node) {
    return fmt::format("{}: the report of this node, not of the other one", what);
  }
  return {};
}

int exit_code(const NodeComparison& comparison) {
  const Verdict verdict = overall(comparison);
  if (is_split_brain(verdict)) return found_split_brain;
  const bool unknown = verdict == Verdict::not_met || verdict == Verdict::no_meta_data;
  return unknown ? not_known : 0;
}

}  // namespace

int run_explain(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                const control::Client& client) {
  const bool split_brain = !arguments.empty() && arguments[0] == "split-brain";
  if (!split_brain) return explain_resource(arguments, out, err, client);
  Call call{.resource = {}, .peer_file = {}, .out = out, .err = err, .client = client};
  if (!parse(arguments, call)) {
    std::fputs(explain_usage, err);
    return wrong_usage;
  }
  NodeReport mine;
  std::string problem = look(call, mine);
  if (!problem.empty()) return complain(call, problem);
  if (call.exports) {
    fmt::print(call.out, "{}\n", control::encode_report(mine));
    return 0;
  }
  NodeReport theirs;
  if (!call.peer_file.empty()) problem = look_at_peer(call, mine, theirs);
  if (!problem.empty()) return complain(call, problem);
  const NodeComparison comparison = compare_nodes(mine, call.peer_file.empty() ? nullptr : &theirs);
  const std::size_t most = call.all ? std::numeric_limits<std::size_t>::max() : ranges_shown;
  if (call.json) fmt::print(call.out, "{}\n", as_json(comparison));
  else fmt::print(call.out, "{}", in_words(comparison, most));
  return exit_code(comparison);
}

}  // namespace replicator::pollux
