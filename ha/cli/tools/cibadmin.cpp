// cibadmin: the configuration as XML, read and changed.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <utility>

#include "ha/cli/tools/ask.hpp"
#include "ha/cli/tools/tools.hpp"
#include "ha/cli/tools/words.hpp"
#include "ha/config/edit.hpp"
#include "ha/config/xml.hpp"

namespace ha::cli {

namespace {

const std::vector<Flag> flags = {
    {'Q', "query", false},     {'R', "replace", false},  {'C', "create", false},
    {'U', "update", false},    {'M', "modify", false},   {'D', "delete", false},
    {'E', "erase", false},     {'o', "scope", true},     {'x', "xml-file", true},
    {'X', "xml-text", true},   {'p', "xml-pipe", false}, {'c', "allow-create", false},
    {'l', "local", false},     {'f', "force", false},    {'V', "verbose", false},
    {'s', "sync-call", false}, {'a', "empty", false},    {'?', "help", false},
    {'$', "version", false},
};

constexpr const char* usage =
    "usage: cibadmin -Q [-o SECTION]\n"
    "       cibadmin -R|-C|-M|-U|-D [-o SECTION] -x FILE|-X XML|-p [--allow-create]\n"
    "       cibadmin -E --force | --empty\n";

// The XML that was given, in one of three ways.
bool given_text(const Words& words, std::string& text) {
  if (words.has('X')) {
    text = words.value('X');
    return true;
  }
  std::ostringstream whole;
  if (words.has('p')) {
    whole << std::cin.rdbuf();
  } else {
    std::ifstream file(words.value('x'));
    if (!file) return false;
    whole << file.rdbuf();
  }
  text = whole.str();
  return true;
}

int errno_of(int code) {
  switch (code) {
    case 105: return 6;
    case 108: return 76;
    case 103: return 205;
    case 65: return 22;
    case 107: return 107;
    default: return 5;
  }
}

int complain(const char* call, const Said& said) {
  if (said.code == not_connected) {
    std::fprintf(stderr, "cibadmin: Could not connect to the CIB API: %s\n", said.error.c_str());
  } else {
    std::fprintf(stderr, "Call cib_%s failed (-%d): %s\n", call, errno_of(said.code),
                 said.error.c_str());
  }
  return said.code;
}

int query(const Words& words) {
  replicator::control::Request request;
  request.command = "cib-query";
  request.options["scope"] = words.value('o');
  const Said said = ask(request);
  if (said.code != 0) return complain("query", said);
  std::fputs(said.text.c_str(), stdout);
  return 0;
}

int change(const Words& words, const char* kind, const char* call, const std::string& text) {
  replicator::control::Request request;
  request.command = "cib-edit";
  request.options["kind"] = kind;
  request.options["scope"] = words.value('o');
  if (words.has('c')) request.options["allow-create"] = "1";
  const Said said = ask_with_text(request, text);
  return said.code == 0 ? 0 : complain(call, said);
}

}  // namespace

int cibadmin(const Arguments& arguments) {
  const Words words = read_words(arguments, flags);
  if (!words.wrong.empty() || words.has('?') || arguments.empty()) {
    std::fputs(usage, words.has('?') ? stdout : stderr);
    return words.has('?') ? 0 : usage_error;
  }
  if (words.has('a')) {
    std::fputs(config::format_xml(config::empty_cib()).c_str(), stdout);
    return 0;
  }
  if (words.has('Q')) return query(words);
  if (words.has('E')) {
    if (!words.has('f')) {
      std::fputs(
          "The supplied command is considered dangerous.  To prevent accidental destruction "
          "of the cluster, the --force flag is required in order to proceed.\n",
          stderr);
      return usage_error;
    }
    config::Element empty = config::empty_cib();
    return change(words, "replace", "erase", config::format_xml(*empty.child("configuration")));
  }
  std::string text;
  if (!given_text(words, text)) {
    std::fprintf(stderr, "cibadmin: Couldn't parse input file: %s\n", words.value('x').c_str());
    return 65;
  }
  if (words.has('R')) return change(words, "replace", "replace", text);
  if (words.has('C')) return change(words, "create", "create", text);
  if (words.has('D')) return change(words, "remove", "delete", text);
  if (words.has('M') || words.has('U')) return change(words, "modify", "modify", text);
  std::fputs(usage, stderr);
  return usage_error;
}

}  // namespace ha::cli
