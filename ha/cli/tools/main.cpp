// The commands of a cluster with a CIB: one program, told by its name.
#include <cstdio>
#include <cstring>
#include <string>

#include "ha/cli/tools/tools.hpp"

int main(int count, char** words) {
  using namespace ha::cli;
  const std::string program = count > 0 ? words[0] : "";
  const std::string name = program.substr(program.rfind('/') + 1);
  const Arguments arguments(words + (count > 0 ? 1 : 0), words + count);
  for (const std::string& word : arguments) {
    if (word == "--version" || word == "-$") {
      std::printf("Pacemaker 2.1.5 (Pollux)\n");
      return 0;
    }
  }
  static constexpr struct {
    const char* name;
    int (*run)(const Arguments&);
  } commands[] = {{"cibadmin", cibadmin},          {"crm_attribute", crm_attribute},
                  {"crm_master", crm_master},      {"attrd_updater", attrd_updater},
                  {"crm_node", crm_node},          {"crm_resource", crm_resource},
                  {"crmadmin", crmadmin},          {"meatclient", meatclient},
                  {"stonith_admin", stonith_admin}};
  for (const auto& command : commands) {
    if (name == command.name) return command.run(arguments);
  }
  std::fprintf(stderr, "%s: not one of the commands\n", name.c_str());
  return 64;
}
