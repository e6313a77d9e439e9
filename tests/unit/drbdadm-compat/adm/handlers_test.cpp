// `drbdadm HANDLER OBJECT`: which command is run, and what it is told.
#include <gtest/gtest.h>

#include "adm/drbdadm.hpp"
#include "tests/support/recording_tools.hpp"

namespace replicator::test {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

constexpr const char* config = R"(
resource r0 {
  handlers { split-brain "notify sb; exit 0"; outdate-peer "fence me"; }
  volume 0 { device minor 10; disk /dev/vg/a; meta-disk internal; }
  volume 1 { device minor 11; disk none; }
  on alfa { address 10.77.0.1:7790; }
  on bravo { address 10.77.0.2:7790; }
}
)";

class AdmHandlers : public ::testing::Test {
 protected:
  AdmHandlers() { tools.memory.files["/etc/drbd.conf"] = config; }
  AdmRun run(const std::vector<std::string>& words) { return run_adm(tools, words); }
  RecordingTools tools;
};

TEST_F(AdmHandlers, OfAVolumeIsToldOfTheVolume) {
  tools.handler_code = 6;
  EXPECT_EQ(run({"split-brain", "minor-10"}).code, 6);
  EXPECT_EQ(tools.handlers, std::vector<std::string>{"notify sb; exit 0"});
  const Environment told{{"DRBD_CONF", "/etc/drbd.conf"},
                         {"DRBD_RESOURCE", "r0"},
                         {"DRBD_VOLUME", "0"},
                         {"DRBD_MINOR", "10"},
                         {"DRBD_LL_DISK", "/dev/vg/a"},
                         {"DRBD_PEER", "bravo"},
                         {"DRBD_PEERS", "bravo"},
                         {"DRBD_PEER_AF", "ipv4"},
                         {"DRBD_PEER_ADDRESS", "10.77.0.2"},
                         {"DRBD_DONT_WARN_ON_VERSION_MISMATCH", "1"}};
  EXPECT_EQ(tools.environment, told);
}

TEST_F(AdmHandlers, OfAConnectionIsToldOfAllMinors) {
  EXPECT_EQ(run({"fence-peer", "r0"}).code, 0);
  EXPECT_EQ(tools.handlers, std::vector<std::string>{"fence me"});  // 8.3's name of it
  ASSERT_GT(tools.environment.size(), 2U);
  EXPECT_EQ(tools.environment[2], (std::pair<std::string, std::string>("DRBD_MINOR", "10 11")));
}

TEST_F(AdmHandlers, WithoutOneThereIsNothingToDo) {
  const AdmRun result = run({"pri-lost", "minor-10"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out + result.err, "");
  EXPECT_TRUE(tools.handlers.empty());
}

TEST_F(AdmHandlers, WhatNobodyWroteDownHasNone) {
  EXPECT_EQ(run({"before-resync-target", "minor-77"}).code, 0);
  tools.memory.files.clear();
  EXPECT_EQ(run({"before-resync-target", "minor-77"}).code, 0);
}

TEST_F(AdmHandlers, ABrokenConfigurationIsNoConsent) {
  tools.memory.files["/etc/drbd.conf"] = "resource r0 { frob; }";
  EXPECT_EQ(run({"before-resync-target", "minor-10"}).code, 10);
}

TEST_F(AdmHandlers, DryRunShowsTheCommand) {
  const AdmRun result = run({"-d", "split-brain", "minor-10"});
  EXPECT_EQ(result.out, "/bin/sh -c notify\\ sb\\;\\ exit\\ 0\n");
  EXPECT_TRUE(tools.handlers.empty());
}

TEST_F(AdmHandlers, TheFileThatBroughtItUpIsTheOneThatIsRead) {
  tools.memory.files["/srv/other.conf"] = config;
  tools.memory.files.erase("/etc/drbd.conf");
  EXPECT_EQ(run({"-c", "/srv/other.conf", "up", "r0"}).code, 0);
  EXPECT_EQ(run({"split-brain", "minor-10"}).code, 0);
  EXPECT_EQ(tools.handlers.size(), 1U);
  EXPECT_EQ(run({"fence-peer", "r0"}).code, 0);
  EXPECT_EQ(tools.handlers.size(), 2U);
}

}  // namespace
}  // namespace replicator::test
