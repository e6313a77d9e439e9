#include <cstdio>
#include <string>
#include <vector>

#include "monitor/drbdmon.hpp"

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  return replicator::monitor::run_drbdmon(arguments, stdout, stderr);
}
