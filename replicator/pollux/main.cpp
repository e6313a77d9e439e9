// pollux: the commands that have no DRBD name.
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "pollux/undo_commands.hpp"

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (!arguments.empty() && arguments[0] == "undo") {
    return replicator::pollux::run_undo(std::span(arguments).subspan(1), stdout, stderr);
  }
  std::fputs(replicator::pollux::undo_usage, stderr);
  return 2;
}
