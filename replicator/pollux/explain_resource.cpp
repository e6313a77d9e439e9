#include "pollux/explain_resource.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "control/codes.hpp"
#include "control/explanation_json.hpp"
#include "control/status_json.hpp"
#include "pollux/diagnosis.hpp"
#include "pollux/explain_command.hpp"

namespace replicator::pollux {

namespace {

constexpr std::uint32_t deadline_ms = 30000;
constexpr int echo_patience_ms = 1000;
constexpr int not_well = 1;
constexpr int wrong_usage = 2;
constexpr int not_known = 3;

struct Call {
  std::string resource;
  bool json = false;
};

bool parse(std::span<const std::string> arguments, Call& call) {
  for (const std::string& word : arguments) {
    if (word == "--json") call.json = true;
    else if (!word.empty() && word[0] != '-' && call.resource.empty()) call.resource = word;
    else return false;
  }
  return !call.resource.empty();
}

// Data of a command about the resource, or the problem.
std::string ask(const control::Client& client, const char* command, const std::string& resource,
                std::string& data) {
  control::Request request;
  request.command = command;
  request.object = resource;
  Result<control::Reply> reply = client.call(request, deadline_ms);
  const std::string up = "; bring it up: drbdadm up " + resource;
  if (!reply && reply.error().fault() == Fault::not_found) return "no daemon is running here" + up;
  if (!reply && reply.error().fault() == Fault::not_permitted)
    return "only root may ask the daemon";
  if (!reply) return "the daemon does not answer";
  if (reply->code == control::err_resource_unknown)
    return resource + " is not configured here" + up;
  if (!control::is_success(reply->code)) {
    return reply->info.empty() ? std::string(control::code_text(reply->code)) : reply->info.front();
  }
  data = std::move(reply->data);
  return {};
}

std::string gather(const control::Client& client, const std::string& resource, Facts& facts) {
  std::string data;
  std::string problem = ask(client, "status", resource, data);
  if (!problem.empty()) return problem;
  Result<std::vector<ResourceStatus>> all = control::decode_status(data);
  if (!all || all->size() != 1) return "the daemon's status makes no sense";
  facts.status = std::move(all->front());
  problem = ask(client, "explain", resource, data);
  if (!problem.empty()) return problem;
  Result<ResourceExplanation> explanation = control::decode_explanation(data);
  if (!explanation) return "the daemon's explanation makes no sense";
  facts.explanation = std::move(*explanation);
  char name[256] = "";
  facts.node = gethostname(name, sizeof name - 1) == 0 ? name : "this node";
  if (echo_would_help(facts)) facts.echo = ask_for_echo(facts.status.peer.peer, echo_patience_ms);
  return {};
}

}  // namespace

int explain_resource(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                     const control::Client& client) {
  Call call;
  if (!parse(arguments, call)) {
    std::fputs(explain_usage, err);
    return wrong_usage;
  }
  Facts facts;
  const std::string problem = gather(client, call.resource, facts);
  if (!problem.empty()) {
    fmt::print(err, "pollux explain: {}: {}\n", call.resource, problem);
    return not_known;
  }
  const std::vector<Finding> findings = diagnose(facts);
  if (call.json) fmt::print(out, "{}\n", diagnosis_as_json(facts, findings));
  else fmt::print(out, "{}", diagnosis_in_words(facts, findings));
  const bool well =
      std::all_of(findings.begin(), findings.end(), [](const Finding& each) { return each.good; });
  return well ? 0 : not_well;
}

}  // namespace replicator::pollux
