// pollux: the commands that have no DRBD name.
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "doctor/doctor_command.hpp"
#include "pollux/explain_command.hpp"
#include "pollux/stop_command.hpp"
#include "pollux/undo_commands.hpp"
#include "pollux/upgrade_command.hpp"
#include "pollux/verify_command.hpp"

int main(int count, char** words) {
  using namespace replicator;
  const std::vector<std::string> arguments(words + 1, words + count);
  const std::string verb = arguments.empty() ? "" : arguments[0];
  const std::span rest = std::span(arguments).subspan(arguments.empty() ? 0 : 1);
  if (verb == "undo") return pollux::run_undo(rest, stdout, stderr);
  const control::Client client;
  if (verb == "verify") return pollux::run_verify(rest, stdout, stderr, client);
  if (verb == "explain") return pollux::run_explain(rest, stdout, stderr, client);
  if (verb == "stop") return pollux::run_stop(rest, stdout, stderr, client);
  if (verb == "doctor") return doctor::run_doctor(rest, stdout, stderr, client);
  if (verb == "upgrade") return pollux::run_upgrade(rest, stdout, stderr, client);
  std::fputs(pollux::undo_usage, stderr);
  std::fputs(pollux::verify_usage, stderr);
  std::fputs(pollux::explain_usage, stderr);
  std::fputs(doctor::doctor_usage, stderr);
  std::fputs(pollux::upgrade_usage, stderr);
  std::fputs(pollux::stop_usage, stderr);
  return 2;
}
