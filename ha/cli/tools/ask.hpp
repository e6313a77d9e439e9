// Questions to pollux-had.
#pragma once

#include <string>

#include "control/messages.hpp"

namespace ha::cli {

inline constexpr int not_connected = 102;
inline constexpr int usage_error = 64;

struct Said {
  int code = 0;
  std::string text;   // the answer
  std::string error;  // or why there is none
};

[[nodiscard]] Said ask(replicator::control::Request request);
// The same with a long text, which goes by way of a file that only root can read.
[[nodiscard]] Said ask_with_text(replicator::control::Request request, const std::string& text);
[[nodiscard]] std::string own_node();

}  // namespace ha::cli
