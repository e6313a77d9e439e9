#include "metatool/drbdmeta.hpp"

#include <string>
#include <vector>

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + (count > 0 ? 1 : 0), words + count);
  return replicator::metatool::run_drbdmeta(arguments, stdin, stdout, stderr);
}
