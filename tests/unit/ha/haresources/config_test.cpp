#include "ha/haresources/config.hpp"

#include <gtest/gtest.h>

namespace ha::haresources {
namespace {

ResourcesFile parse(std::string_view file) {
  return parse_haresources(file, "/etc/ha.d/haresources", {"node1", "node2"});
}

TEST(Haresources, GroupsOverContinuedLines) {
  const ResourcesFile file = parse(
      "# services\n"
      "Node1 10.77.1.190/24 drbddisk::r0 \\\n"
      "  Filesystem::/dev/drbd0::/srv/data::ext4::defaults httpd  # the web\n"
      "\n"
      "node2 192.168.10.191\n");
  EXPECT_TRUE(file.diagnostics.empty());
  ASSERT_EQ(file.groups.size(), 2U);
  const Group& first = file.groups[0];
  EXPECT_EQ(first.node, "node1");
  EXPECT_EQ(first.line, 2U);
  EXPECT_EQ(first.name(), "IPaddr::10.77.1.190/24");
  ASSERT_EQ(first.resources.size(), 4U);
  EXPECT_EQ(first.resources[2].script, "Filesystem");
  EXPECT_EQ(first.resources[2].arguments,
            (std::vector<std::string>{"/dev/drbd0", "/srv/data", "ext4", "defaults"}));
  EXPECT_EQ(first.resources[3], (Resource{"httpd", "httpd", {}}));
  EXPECT_EQ(file.groups[1].text(), "node2 IPaddr::192.168.10.191");
}

TEST(Haresources, WhatIsWrongHasItsPlace) {
  const struct {
    const char* file;
    const char* problem;
  } cases[] = {
      {"node7 httpd\n", "/etc/ha.d/haresources:1: Bad nodename in /etc/ha.d/haresources [node7]"},
      {"node1\n", "/etc/ha.d/haresources:1: no resources for node [node1]"},
      {"node1 a\nnode2 a\n", "/etc/ha.d/haresources:2: [a] names the group of line 1 already"},
      {"node1 ../sh::-c\n", "/etc/ha.d/haresources:1: [../sh::-c] does not name a resource script"},
      {"node1 ::x\n", "/etc/ha.d/haresources:1: [::x] does not name a resource script"},
  };
  for (const auto& one : cases) {
    const ResourcesFile parsed = parse(one.file);
    ASSERT_FALSE(parsed.diagnostics.empty()) << one.file;
    EXPECT_EQ(text(parsed.diagnostics.front()), one.problem);
  }
}

TEST(Haresources, StatusIsWhatIsPrinted) {
  const struct {
    const char* output;
    bool running;
  } cases[] = {{"running", true},
               {"is running...\n", true},
               {"INFO:  Running OK\n", true},
               {"OK", true},
               {"running (Primary)", true},
               {"not running", false},
               {"httpd is NOT running", false},
               {"Not really Running", false},
               {"stopped", false},
               {"stopped (Secondary)", false},
               {"ok", false},
               {"", false}};
  for (const auto& one : cases)
    EXPECT_EQ(says_running(one.output), one.running) << one.output;
}

}  // namespace
}  // namespace ha::haresources
