#include "doctor/doctor_command.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include "doctor/gather.hpp"
#include "doctor/judge.hpp"
#include "doctor/report.hpp"

namespace replicator::doctor {

namespace {

constexpr int has_to_be_repaired = 1;
constexpr int wrong_usage = 2;
constexpr int not_known = 3;

struct Call {
  Question question;
  bool json = false;
};

bool parse(std::span<const std::string> arguments, Call& call) {
  constexpr std::string_view long_file = "--config-file=";
  constexpr std::string_view long_resource = "--resource=";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const bool more = i + 1 < arguments.size();
    if (word == "--json") call.json = true;
    else if ((word == "-c" || word == "--config-file") && more)
      call.question.config_file = arguments[++i];
    else if (word.starts_with(long_file)) call.question.config_file = word.substr(long_file.size());
    else if ((word == "-r" || word == "--resource") && more)
      call.question.resources.push_back(arguments[++i]);
    else if (word.starts_with(long_resource))
      call.question.resources.push_back(word.substr(long_resource.size()));
    else if (!word.empty() && word[0] != '-') {
      if (word != "all") call.question.resources.push_back(word);
    } else return false;
  }
  return true;
}

}  // namespace

int run_doctor(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
               const control::Client& client) {
  Call call;
  if (!parse(arguments, call)) {
    std::fputs(doctor_usage, err);
    return wrong_usage;
  }
  // Disks, devices and other processes' sockets are root's: anybody else would be told nonsense.
  if (geteuid() != 0) {
    fmt::print(err, "pollux doctor: only root can look at devices: sudo pollux doctor\n");
    return not_known;
  }
  const Facts facts = gather(call.question, client);
  const Findings findings = judge(facts);
  if (call.json) fmt::print(out, "{}\n", as_json(facts.system.node, findings));
  else fmt::print(out, "{}", in_words(findings));
  return any_fail(findings) ? has_to_be_repaired : 0;
}

}  // namespace replicator::doctor
