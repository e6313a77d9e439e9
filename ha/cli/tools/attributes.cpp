// crm_attribute, crm_master and attrd_updater: attributes of nodes and of the cluster.
#include <cstdio>
#include <cstdlib>

#include "ha/cli/tools/ask.hpp"
#include "ha/cli/tools/tools.hpp"
#include "ha/cli/tools/words.hpp"

namespace ha::cli {

namespace {

const std::vector<Flag> flags = {
    {'n', "name", true},       {'v', "update", true},   {'G', "query", false},
    {'D', "delete", false},    {'N', "node", true},     {'U', "uname", true},
    {'l', "lifetime", true},   {'t', "type", true},     {'q', "quiet", false},
    {'Q', "Quiet", false},     {'d', "default", true},  {'r', "resource", true},
    {'i', "id", true},         {'s', "set-name", true}, {'V', "verbose", false},
    {'p', "promotion", false}, {'!', "inhibit", false}, {'?', "help", false},
};

struct Attribute {
  std::string name;
  std::string node;
  std::string scope;  // crm_config, nodes, status
};

replicator::control::Request request_for(const char* command, const Attribute& attribute) {
  replicator::control::Request request;
  request.command = command;
  request.arguments.push_back(attribute.name);
  request.options["node"] = attribute.node;
  if (attribute.scope == "crm_config") request.options["section"] = "crm_config";
  request.options["lifetime"] = attribute.scope == "status" ? "reboot" : "forever";
  return request;
}

int complain(const char* program, const Said& said) {
  std::fprintf(stderr, "%s: Error performing operation: %s\n", program, said.error.c_str());
  return said.code;
}

int query(const char* program, const Words& words, const Attribute& attribute) {
  Said said = ask(request_for("attribute-get", attribute));
  if (said.code == 105 && words.has('d')) said = {0, words.value('d'), {}};
  if (said.code != 0) return complain(program, said);
  if (words.has('q') || words.has('Q')) std::printf("%s\n", said.text.c_str());
  else
    std::printf("scope=%s  name=%s value=%s\n", attribute.scope.c_str(), attribute.name.c_str(),
                said.text.c_str());
  return 0;
}

int carry_out(const char* program, const Words& words, const Attribute& attribute) {
  if (words.has('v')) {
    auto request = request_for("attribute-set", attribute);
    request.arguments.push_back(words.value('v'));
    const Said said = ask(request);
    return said.code == 0 ? 0 : complain(program, said);
  }
  if (!words.has('D')) return query(program, words, attribute);
  const Said said = ask(request_for("attribute-set", attribute));
  if (said.code != 0) return complain(program, said);
  if (!words.has('q') && !words.has('Q') && std::string(program) == "crm_attribute") {
    std::printf("Deleted %s attribute: name=%s\n", attribute.scope.c_str(), attribute.name.c_str());
  }
  return 0;
}

std::string wanted_node(const Words& words) {
  std::string node = words.has('N') ? words.value('N') : words.value('U');
  if (node.empty() || node == "localhost") node = own_node();
  return node;
}

// The attribute that has the promotion score of the resource whose agent asks.
std::string promotion_name(const Words& words) {
  std::string resource = words.value('r');
  if (resource.empty()) {
    const char* instance = std::getenv("OCF_RESOURCE_INSTANCE");
    resource = instance == nullptr ? "" : instance;
  }
  const std::size_t colon = resource.rfind(':');
  if (colon != std::string::npos &&
      resource.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
    resource.resize(colon);
  }
  return resource.empty() ? std::string() : "master-" + resource;
}

}  // namespace

int crm_attribute(const Arguments& arguments) {
  // The resource may follow -p, or not.
  Arguments expanded;
  for (const std::string& word : arguments) {
    const bool named = word.starts_with("--promotion=");
    expanded.push_back(named ? "--promotion" : word);
    if (named) expanded.push_back("--resource=" + word.substr(word.find('=') + 1));
  }
  Words words = read_words(expanded, flags);
  if (!words.rest.empty() && words.has('p')) words.options['r'] = words.rest.front();
  Attribute attribute;
  attribute.name = words.has('p') ? promotion_name(words) : words.value('n');
  const std::string type = words.value('t');
  const bool node = words.has('N') || words.has('U') || words.has('p') || type == "nodes" ||
                    type == "status" || words.has('l');
  if (type == "crm_config" || (!node && type.empty())) {
    attribute.scope = "crm_config";
  } else {
    attribute.node = wanted_node(words);
    const bool brief = words.value('l') == "reboot" || type == "status" ||
                       (words.has('p') && words.value('l') != "forever");
    attribute.scope = brief ? "status" : "nodes";
  }
  if (!words.wrong.empty() || attribute.name.empty() || words.has('?')) {
    std::fputs(
        "usage: crm_attribute -n NAME [-N NODE] [-l reboot|forever] [-t crm_config|nodes|"
        "status]\n                     -v VALUE | -G [-q] [-d DEFAULT] | -D\n"
        "       crm_attribute -p [RESOURCE] …\n",
        stderr);
    return usage_error;
  }
  return carry_out("crm_attribute", words, attribute);
}

int crm_master(const Arguments& arguments) {
  const Words words = read_words(arguments, flags);
  Attribute attribute;
  attribute.name = promotion_name(words);
  attribute.node = wanted_node(words);
  attribute.scope = words.value('l') == "forever" ? "nodes" : "status";
  if (!words.wrong.empty() || attribute.name.empty()) {
    std::fputs("usage: crm_master [-r RESOURCE] [-l reboot|forever] -v VALUE | -G [-q] | -D\n",
               stderr);
    return usage_error;
  }
  return carry_out("crm_master", words, attribute);
}

int attrd_updater(const Arguments& arguments) {
  static const std::vector<Flag> own = {
      {'n', "name", true},   {'U', "update", true},      {'v', "value", true},
      {'Q', "query", false}, {'D', "delete", false},     {'d', "delay", true},
      {'N', "node", true},   {'A', "all", false},        {'p', "private", false},
      {'S', "set", true},    {'B', "update-both", true}, {'R', "refresh", false},
      {'q', "quiet", false}, {'V', "verbose", false},
  };
  Words words = read_words(arguments, own);
  if (words.has('R')) return 0;
  for (const char letter : {'U', 'B'}) {
    if (words.has(letter)) words.options['v'] = words.value(letter);
  }
  Attribute attribute{words.value('n'), words.value('N'), "status"};
  if (attribute.node.empty()) attribute.node = own_node();
  if (!words.wrong.empty() || attribute.name.empty()) {
    std::fputs("usage: attrd_updater -n NAME -U VALUE | -Q | -D [-N NODE]\n", stderr);
    return usage_error;
  }
  if (words.has('v') || words.has('D')) {
    words.options['q'] = "";
    return carry_out("attrd_updater", words, attribute);
  }
  const Said said = ask(request_for("attribute-get", attribute));
  if (said.code != 0) return complain("attrd_updater", said);
  std::printf("name=\"%s\" host=\"%s\" value=\"%s\"\n", attribute.name.c_str(),
              attribute.node.c_str(), said.text.c_str());
  return 0;
}

}  // namespace ha::cli
