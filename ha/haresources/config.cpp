#include "ha/haresources/config.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ha::haresources {

namespace {

using membership::ConfigLine;
using membership::Diagnostic;
using membership::Severity;

// As the original judges it: four parts between dots, each beginning with a digit.
bool looks_like_address(std::string_view word) {
  std::size_t parts = 0;
  bool at_begin = true;
  for (const char c : word) {
    const bool digit = c >= '0' && c <= '9';
    if (at_begin && digit) ++parts;
    if (parts < 4 && !digit && c != '.') return false;
    at_begin = c == '.';
  }
  return parts == 4;
}

Resource parse_resource(const std::string& as_written) {
  Resource resource;
  resource.word = looks_like_address(as_written) ? "IPaddr::" + as_written : as_written;
  std::string_view rest = resource.word;
  static constexpr std::string_view separator = "::";
  for (bool first = true;; first = false) {
    const std::size_t end = rest.find(separator);
    const std::string part(rest.substr(0, end));
    if (first) resource.script = part;
    else resource.arguments.push_back(part);
    if (end == std::string_view::npos) return resource;
    rest.remove_prefix(end + separator.size());
  }
}

}  // namespace

std::string Group::text() const {
  std::string all = node;
  for (const Resource& resource : resources)
    all += " " + resource.word;
  return all;
}

ResourcesFile parse_haresources(std::string_view file, std::string_view path,
                                const std::vector<std::string>& nodes) {
  ResourcesFile result;
  const auto complain = [&](std::uint32_t line, std::string text) {
    result.diagnostics.push_back(
        Diagnostic{Severity::error, std::string(path), line, std::move(text)});
  };
  for (const ConfigLine& line : membership::config_lines(file, true)) {
    const std::vector<std::string> words = membership::split_words(line.text, false);
    Group group;
    group.line = line.number;
    group.node = membership::lower_case(words[0]);
    if (std::find(nodes.begin(), nodes.end(), group.node) == nodes.end()) {
      complain(line.number, fmt::format("Bad nodename in {} [{}]", path, words[0]));
      continue;
    }
    for (std::size_t i = 1; i < words.size(); ++i) {
      group.resources.push_back(parse_resource(words[i]));
      const std::string& script = group.resources.back().script;
      // The name becomes part of a path.
      if (script.empty() || script.find('/') != std::string::npos) {
        complain(line.number, fmt::format("[{}] does not name a resource script", words[i]));
      }
    }
    if (group.resources.empty()) {
      complain(line.number, fmt::format("no resources for node [{}]", words[0]));
      continue;
    }
    const auto same = std::find_if(result.groups.begin(), result.groups.end(),
                                   [&](const Group& g) { return g.name() == group.name(); });
    if (same != result.groups.end()) {
      complain(line.number,
               fmt::format("[{}] names the group of line {} already", group.name(), same->line));
      continue;
    }
    result.groups.push_back(std::move(group));
  }
  return result;
}

bool says_running(std::string_view output) {
  const std::string lower = membership::lower_case(output);
  const std::size_t no = lower.find("not ");
  std::size_t last = std::string_view::npos;
  for (const std::string_view word : {"running", "Running"}) {
    const std::size_t at = output.rfind(word);
    if (at != std::string_view::npos && (last == std::string_view::npos || at > last)) last = at;
  }
  if (last == std::string_view::npos) return output.find("OK") != std::string_view::npos;
  return no == std::string::npos || last < no;
}

}  // namespace ha::haresources
