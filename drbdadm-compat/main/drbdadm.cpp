#include <string>
#include <vector>

#include "adm/drbdadm.hpp"

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  const replicator::adm::Console console;
  replicator::adm::LocalTools tools(console);
  return replicator::adm::run_drbdadm(arguments, tools, console);
}
