// The words of a command line in the way of getopt_long: short options together or with their value
// attached, long ones with "=" or a blank.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace ha::cli {

struct Flag {
  char letter;
  const char* name;
  bool value;
};

struct Words {
  std::map<char, std::string> options;  // a bare flag has an empty value
  std::vector<std::string> rest;
  std::string wrong;  // what is not known, or lacks its value

  [[nodiscard]] bool has(char letter) const { return options.contains(letter); }
  [[nodiscard]] std::string value(char letter) const {
    const auto found = options.find(letter);
    return found == options.end() ? std::string() : found->second;
  }
};

[[nodiscard]] Words read_words(const std::vector<std::string>& arguments,
                               const std::vector<Flag>& flags);

}  // namespace ha::cli
