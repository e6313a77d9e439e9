// What boot scripts call: waiting for all peers with an operator who may end it, and becoming
// Primary.
#include <gtest/gtest.h>

#include "adm/wait_interactive.hpp"
#include "tests/support/recording_tools.hpp"

namespace replicator::test {
namespace {

using Lines = std::vector<std::string>;

constexpr const char* config_text = R"(
global { dialog-refresh 2; }
common { startup { become-primary-on alfa bravo; } }
resource r0 {
  startup { wfc-timeout 15; degr-wfc-timeout 60; }
  on alfa { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.1:7789; }
  on bravo { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.2:7789; }
}
resource r1 {
  startup { wfc-timeout 40; degr-wfc-timeout 30; become-primary-on bravo; }
  on alfa { device /dev/drbd1; disk /dev/vdc; meta-disk internal; address 10.77.0.1:7790; }
  on bravo { device /dev/drbd1; disk /dev/vdc; meta-disk internal; address 10.77.0.2:7790; }
}
)";
constexpr const char* wait_0 = "drbdsetup wait-connect 0 --wfc-timeout=15 --degr-wfc-timeout=60";
constexpr const char* wait_1 = "drbdsetup wait-connect 1 --wfc-timeout=40 --degr-wfc-timeout=30";

class Boot : public ::testing::Test {
 protected:
  Boot() { tools.memory.files["/etc/drbd.conf"] = config_text; }
  RecordingTools tools;
};

TEST_F(Boot, WithoutATerminalItWaitsInSilence) {
  tools.pauses_of_a_wait = 250;
  const AdmRun result = run_adm(tools, {"wait-con-int"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(tools.ran, (Lines{wait_0, wait_1}));
  EXPECT_EQ(tools.pauses, 250U);
  EXPECT_TRUE(tools.ended.empty());
}

TEST_F(Boot, AfterTenSecondsItAsksAndCounts) {
  tools.has_terminal = true;
  tools.pauses_of_a_wait = 121;
  const AdmRun result = run_adm(tools, {"wait-con-int"});
  EXPECT_TRUE(result.out.starts_with("..........\n\n****")) << result.out;
  EXPECT_NE(result.out.find("   reboot, the timeout is 30 seconds. [degr-wfc-timeout]\n"),
            std::string::npos);
  EXPECT_NE(result.out.find("   is 40 seconds. [wfc-timeout]\n"), std::string::npos);
  EXPECT_NE(result.out.find("(These values are for resource 'r1';"), std::string::npos);
  EXPECT_TRUE(
      result.out.ends_with("[ -- ]:\033[s\033[31G[  10]:\033[u\033[s\033[31G[  12]:\033[u\n"))
      << result.out;
}

TEST_F(Boot, TimeoutsOfTheCommandLineWin) {
  tools.has_terminal = true;
  tools.pauses_of_a_wait = 101;
  const AdmRun result = run_adm(tools, {"wait-con-int", "--wfc-timeout=7"});
  EXPECT_EQ(tools.ran, (Lines{std::string(wait_0) + " --wfc-timeout=7",
                              std::string(wait_1) + " --wfc-timeout=7"}));
  EXPECT_NE(result.out.find("   is 7 seconds. [wfc-timeout]\n"), std::string::npos) << result.out;
  EXPECT_EQ(run_adm(tools, {"--", "--frob=1", "wait-con-int"}).code, 1);
}

TEST_F(Boot, OnlyYesEndsIt) {
  tools.has_terminal = true;
  tools.pauses_of_a_wait = 100000;
  tools.typed[110] = "no";
  tools.typed[130] = "yes";
  EXPECT_EQ(run_adm(tools, {"wait-con-int"}).code, 0);
  EXPECT_EQ(tools.pauses, 130U);
  EXPECT_EQ(tools.ended, (std::vector<int>{1, 2}));
}

TEST_F(Boot, DryRunOnlyShowsTheWaits) {
  const AdmRun result = run_adm(tools, {"-d", "wait-con-int"});
  EXPECT_EQ(result.out, std::string(wait_0) + "\n" + wait_1 + "\n");
  EXPECT_TRUE(tools.ran.empty());
  EXPECT_EQ(tools.pauses, 0U);
}

TEST_F(Boot, TheNodesThatAreNamedBecomePrimary) {
  EXPECT_EQ(run_adm(tools, {"sh-b-pri", "all"}).code, 0);
  EXPECT_EQ(tools.ran, Lines{"drbdsetup primary 0"});
  tools.ran.clear();
  tools.memory.files["/etc/drbd.conf"] = R"(
resource r1 {
  net { allow-two-primaries; }
  startup { become-primary-on both; }
  on alfa { device /dev/drbd1; disk /dev/vdc; meta-disk internal; address 10.77.0.1:7790; }
  on bravo { device /dev/drbd1; disk /dev/vdc; meta-disk internal; address 10.77.0.2:7790; }
}
)";
  const AdmRun result = run_adm(tools, {"sh-b-pri", "r1"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(tools.ran, Lines{"drbdsetup primary 1"});
}

}  // namespace
}  // namespace replicator::test
