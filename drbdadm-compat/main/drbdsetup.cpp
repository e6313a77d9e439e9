#include <cstdio>
#include <string>
#include <vector>

#include "command/drbdsetup.hpp"

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  return replicator::command::run_drbdsetup(arguments, stdout, stderr);
}
