#include "adm/step.hpp"

#include <string_view>

namespace replicator::adm {
std::string shell_word(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%[]";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') quoted += "'\\''";
    else quoted += c;
  }
  return quoted + "'";
}

std::string text(const Step& step) {
  std::string line = step.tool == Tool::drbdsetup ? "drbdsetup" : "drbdmeta";
  for (const std::string& word : step.arguments)
    line += " " + shell_word(word);
  return line;
}

}  // namespace replicator::adm
