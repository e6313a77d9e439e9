// cl_status, hb_standby and hb_takeover: one program, told by its name.
#include <cstdio>
#include <string>
#include <vector>

#include "control/client.hpp"
#include "control/messages.hpp"
#include "ha/daemon/paths.hpp"

namespace {

namespace control = replicator::control;
using Words = std::vector<std::string>;

constexpr std::uint32_t patience_ms = 5000;

constexpr const char* status_usage =
    "usage: cl_status hbstatus | listnodes [-n|-p] | nodestatus NODE | nodetype NODE |\n"
    "                 listhblinks NODE | hblinkstatus NODE LINK | rscstatus | hbparameter -p NAME\n"
    "       -m: for people\n";

std::string socket_path() { return std::string(ha::daemon::default_run_folder) + "/control.sock"; }

replicator::Result<control::Reply> ask(const std::string& command, Words arguments) {
  control::Request request;
  request.command = command;
  request.arguments = std::move(arguments);
  return control::Client(socket_path()).call(request, patience_ms);
}

int print(const control::Reply& reply) {
  for (const std::string& line : reply.info)
    std::printf("%s\n", line.c_str());
  return reply.code;
}

bool not_running(const replicator::Status& why) {
  return why.fault() == replicator::Fault::not_found;
}

int status_of_daemon() {
  const auto reply = ask("hbstatus", {});
  if (reply) return print(*reply);
  std::puts(not_running(reply.error())
                ? "Heartbeat is stopped on this machine."
                : "Heartbeat is apparently running on this machine, but refuses my connection");
  return 1;
}

// What -m makes of an answer.
std::string for_people(const std::string& command, const Words& arguments,
                       const std::string& line) {
  if (command == "nodestatus") return "The cluster node " + arguments[0] + " is " + line;
  if (command == "rscstatus") return "This node is holding " + line + " resources.";
  if (command == "hbparameter") {
    return "Heartbeat parameter " + arguments[0] + "'s value: " + line;
  }
  return line;
}

std::size_t arguments_wanted(const std::string& command) {
  if (command == "hblinkstatus") return 2;
  for (const char* one : {"nodestatus", "nodetype", "listhblinks", "hbparameter"}) {
    if (command == one) return 1;
  }
  return 0;
}

int cl_status(const Words& words) {
  bool people = false;
  Words arguments;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "-m") people = true;
    else if (words[i] == "-n") arguments.emplace_back("normal");
    else if (words[i] == "-p" && words[0] == "listnodes") arguments.emplace_back("ping");
    else if (words[i] != "-p") arguments.push_back(words[i]);
  }
  const std::string& command = words[0];
  if (command == "hbstatus") return status_of_daemon();
  if (arguments.size() < arguments_wanted(command)) {
    std::fputs("Not enough parameters.\n", stderr);
    return 1;
  }
  auto reply = ask(command, arguments);
  if (!reply) {
    std::fprintf(stderr, "Cannot signon with heartbeat: %s\n",
                 replicator::text(reply.error().fault()));
    return 1;
  }
  if (people && reply->info.size() == 1) {
    reply->info[0] = for_people(command, arguments, reply->info[0]);
  }
  return print(*reply);
}

// "standby" or "takeover".
int move(const std::string& program, const std::string& command, const Words& words) {
  const std::string which = words.empty() ? "all" : words[0];
  bool known = false;
  for (const char* word : {"all", "foreign", "local", "failback"})
    known |= which == word;
  if (words.size() > 1) std::printf("%s: too many arguments\n", program.c_str());
  else if (!known && which != "--help")
    std::printf("%s: wrong resources(%s).\n", program.c_str(), which.c_str());
  if (words.size() > 1 || !known) {
    std::printf("usage:\n");
    std::fprintf(stderr, "%s [all|foreign|local|failback]\n", program.c_str());
    return 1;
  }
  const auto reply = ask(command, {which});
  if (reply) return print(*reply);
  std::fprintf(stderr, "%s: heartbeat does not answer: %s\n", program.c_str(),
               replicator::text(reply.error().fault()));
  return 1;
}

}  // namespace

int main(int count, char** words) {
  const std::string program = count > 0 ? words[0] : "cl_status";
  const std::string name = program.substr(program.rfind('/') + 1);
  const Words arguments(words + (count > 0 ? 1 : 0), words + count);
  if (name == "hb_standby") return move(program, "standby", arguments);
  if (name == "hb_takeover") return move(program, "takeover", arguments);
  if (arguments.empty()) {
    std::fputs(status_usage, stderr);
    return 1;
  }
  return cl_status(arguments);
}
