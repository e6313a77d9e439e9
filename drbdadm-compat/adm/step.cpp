#include "adm/step.hpp"

#include <string_view>

namespace replicator::adm {

// With backslashes, as the original prints it; a line's end needs quotes.
std::string shell_word(const std::string& word) {
  constexpr std::string_view special = " \t\"'\\$`(){}[]<>|&;*?~#!^,";
  if (word.empty()) return "''";
  std::string escaped;
  for (const char c : word) {
    if (c == '\n') {
      escaped += "'\n'";
      continue;
    }
    if (special.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string text(const Step& step) {
  std::string line = step.tool == Tool::drbdsetup ? "drbdsetup" : "drbdmeta";
  for (const std::string& word : step.arguments)
    line += " " + shell_word(word);
  return line;
}

}  // namespace replicator::adm
