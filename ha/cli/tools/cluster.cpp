// crm_node, crm_resource and crmadmin: who is there, who coordinates, and clean-up.
#include <cstdio>
#include <sstream>

#include "ha/cli/tools/ask.hpp"
#include "ha/cli/tools/tools.hpp"
#include "ha/cli/tools/words.hpp"

namespace ha::cli {

namespace {

// Coordinator, state, quorum.
struct ClusterState {
  int code = 0;
  std::string coordinator;
  std::string state;
  std::string quorum;
};

ClusterState state_of_cluster() {
  replicator::control::Request request;
  request.command = "crm-status";
  const Said said = ask(request);
  ClusterState state;
  state.code = said.code;
  std::istringstream words(said.text);
  words >> state.coordinator >> state.state >> state.quorum;
  return state;
}

int not_there(const char* program) {
  std::fprintf(stderr,
               "%s: could not connect to the cluster: Transport endpoint is not connected\n",
               program);
  return not_connected;
}

Said confirm(const std::string& node) {
  replicator::control::Request request;
  request.command = "confirm";
  request.arguments.push_back(node);
  return ask(request);
}

}  // namespace

// In heartbeat's words; asks back, as a wrong answer costs the data.
int meatclient(const Arguments& arguments) {
  static const std::vector<Flag> flags = {{'c', "", true}, {'y', "yes", false}};
  const Words words = read_words(arguments, flags);
  const std::string node = words.value('c');
  if (!words.wrong.empty() || node.empty()) {
    std::fputs("usage: meatclient [-y] -c NODE\n", stderr);
    return 1;
  }
  if (!words.has('y')) {
    std::printf(
        "\nWARNING!\n\nIf node \"%s\" has not been manually power-cycled or disconnected "
        "from all shared resources and networks, data on shared disks may become "
        "corrupted and migrated services might not work as expected.\nPlease verify that "
        "the name or address above corresponds to the node you just rebooted.\n\n"
        "PROCEED? [yN] ",
        node.c_str());
    std::fflush(stdout);
    const int word = std::getchar();
    if (word != 'y' && word != 'Y') {
      std::printf("Meatware_client: operation canceled.\n");
      return 255;
    }
  }
  const Said said = confirm(node);
  if (said.code != 0) {
    std::fprintf(stderr, "Meatware_IPC failed: %s: %s\n", node.c_str(), said.error.c_str());
    return 1;
  }
  std::printf("Meatware_client: reset confirmed.\n");
  return 0;
}

int stonith_admin(const Arguments& arguments) {
  static const std::vector<Flag> flags = {{'C', "confirm", true}, {'V', "verbose", false}};
  const Words words = read_words(arguments, flags);
  if (!words.wrong.empty() || !words.has('C')) {
    std::fputs("usage: stonith_admin -C NODE\n", stderr);
    return usage_error;
  }
  const Said said = confirm(words.value('C'));
  if (said.code == not_connected) return not_there("stonith_admin");
  if (said.code != 0) std::fprintf(stderr, "stonith_admin: %s\n", said.error.c_str());
  return said.code;
}

int crm_node(const Arguments& arguments) {
  static const std::vector<Flag> flags = {
      {'n', "name", false}, {'q', "quorum", false}, {'Q', "quiet", false}, {'V', "verbose", false}};
  const Words words = read_words(arguments, flags);
  if (words.has('n')) {
    std::printf("%s\n", own_node().c_str());
    return 0;
  }
  if (!words.wrong.empty() || !words.has('q')) {
    std::fputs("usage: crm_node -n | -q\n", stderr);
    return usage_error;
  }
  const ClusterState state = state_of_cluster();
  if (state.code != 0) return not_there("crm_node");
  std::printf("%s\n", state.quorum.c_str());
  return 0;
}

int crm_resource(const Arguments& arguments) {
  static const std::vector<Flag> flags = {{'C', "cleanup", false}, {'P', "reprobe", false},
                                          {'R', "refresh", false}, {'r', "resource", true},
                                          {'N', "node", true},     {'H', "host-uname", true},
                                          {'Q', "quiet", false},   {'V', "verbose", false}};
  const Words words = read_words(arguments, flags);
  if (!words.wrong.empty() || !(words.has('C') || words.has('P') || words.has('R'))) {
    std::fputs("usage: crm_resource -C [-r RESOURCE] [-N NODE]\n", stderr);
    return usage_error;
  }
  replicator::control::Request request;
  request.command = "cleanup";
  request.arguments.push_back(words.value('r'));
  request.options["node"] = words.has('N') ? words.value('N') : words.value('H');
  const Said said = ask(request);
  if (said.code == not_connected) return not_there("crm_resource");
  if (said.code != 0) {
    std::fprintf(stderr, "Resource '%s' not found\nError performing operation: %s\n",
                 words.value('r').c_str(), said.error.c_str());
    return said.code;
  }
  const std::string what = words.value('r').empty() ? "all resources" : words.value('r');
  const std::string where = request.options["node"];
  std::printf("Cleaned up %s on %s\n", what.c_str(), where.empty() ? "all nodes" : where.c_str());
  return 0;
}

int crmadmin(const Arguments& arguments) {
  static const std::vector<Flag> flags = {{'D', "dc_lookup", false},
                                          {'S', "status", true},
                                          {'q', "quiet", false},
                                          {'V', "verbose", false}};
  const Words words = read_words(arguments, flags);
  if (!words.wrong.empty() || !(words.has('D') || words.has('S'))) {
    std::fputs("usage: crmadmin -D | -S NODE\n", stderr);
    return usage_error;
  }
  const ClusterState state = state_of_cluster();
  if (state.code != 0) return not_there("crmadmin");
  if (words.has('S')) {
    std::printf("Controller on %s in state %s: ok\n", own_node().c_str(), state.state.c_str());
    return 0;
  }
  if (state.coordinator == "NONE") {
    std::fputs("crmadmin: No DC has been elected\n", stderr);
    return 113;
  }
  std::printf(words.has('q') ? "%s\n" : "Designated Controller is: %s\n",
              state.coordinator.c_str());
  return 0;
}

}  // namespace ha::cli
