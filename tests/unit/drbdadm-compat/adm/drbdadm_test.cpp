// Every verb as the steps it consists of; refusals with drbdadm's texts and exit codes.
#include "adm/drbdadm.hpp"
#include "adm/help.hpp"

#include <gtest/gtest.h>

#include "tests/support/recording_tools.hpp"

namespace replicator::test {
namespace {

using Lines = std::vector<std::string>;

constexpr const char* two_resources = R"(
common { net { protocol C; } }
resource r0 {
  disk { resync-rate 10M; }
  on alfa { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.1:7789; }
  on bravo { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.2:7789; }
}
resource web {
  volume 0 { device minor 10; disk /dev/vg/a; meta-disk internal; }
  volume 1 { device minor 11; disk /dev/vg/b; meta-disk /dev/vg/meta [1]; }
  on alfa { address 10.77.0.1:7790; }
  on bravo { address 10.77.0.2:7790; }
}
)";

class Drbdadm : public ::testing::Test {
 protected:
  Drbdadm() { tools.memory.files["/etc/drbd.conf"] = two_resources; }
  AdmRun run(const Lines& words) { return run_adm(tools, words); }
  RecordingTools tools;
};

const Lines up_r0 = {
    "drbdsetup new-resource r0", "drbdsetup new-minor r0 0 0",
    "drbdmeta 0 v08 /dev/vdb internal apply-al",
    "drbdsetup attach 0 /dev/vdb /dev/vdb internal --resync-rate=10M",
    "drbdsetup connect r0 ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789 --_name=bravo --protocol=C"};

std::string lines(const Lines& all) {
  std::string text;
  for (const std::string& line : all)
    text += line + "\n";
  return text;
}

TEST_F(Drbdadm, UpRunsTheStepsOfTheOriginal) {
  const AdmRun result = run({"up", "r0"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(tools.ran, up_r0);
  EXPECT_EQ(tools.starts, 1U);
}

TEST_F(Drbdadm, DryRunShowsTheSameAndRunsNothing) {
  const AdmRun result = run({"-d", "up", "r0"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, lines(up_r0));
  EXPECT_TRUE(tools.ran.empty());
  EXPECT_EQ(tools.starts, 0U);
}

TEST_F(Drbdadm, DownNeedsADaemonOnlyForDevicesThatOneHasLeftBehind) {
  run({"down", "r0"});
  EXPECT_EQ(tools.starts, 0U);
  tools.devices_left = true;
  run({"down", "r0"});
  EXPECT_EQ(tools.starts, 1U);
  run({"disconnect", "r0"});
  EXPECT_EQ(tools.starts, 1U);
}

TEST_F(Drbdadm, UpAllBuildsStageByStage) {
  run({"up", "all"});
  const Lines expected = {
      "drbdsetup new-resource r0",
      "drbdsetup new-minor r0 0 0",
      "drbdsetup new-resource web",
      "drbdsetup new-minor web 10 0",
      "drbdsetup new-minor web 11 1",
      "drbdmeta 0 v08 /dev/vdb internal apply-al",
      "drbdsetup attach 0 /dev/vdb /dev/vdb internal --resync-rate=10M",
      "drbdmeta 10 v08 /dev/vg/a internal apply-al",
      "drbdsetup attach 10 /dev/vg/a /dev/vg/a internal",
      "drbdmeta 11 v08 /dev/vg/meta 1 apply-al",
      "drbdsetup attach 11 /dev/vg/b /dev/vg/meta 1",
      "drbdsetup connect r0 ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789 --_name=bravo --protocol=C",
      "drbdsetup connect web ipv4:10.77.0.1:7790 ipv4:10.77.0.2:7790 --_name=bravo --protocol=C"};
  EXPECT_EQ(tools.ran, expected);
}

TEST_F(Drbdadm, UpWithoutMetaDataTriesNoAttach) {
  tools.codes["drbdmeta 0 v08 /dev/vdb internal apply-al"] = 20;
  const AdmRun result = run({"up", "r0"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(tools.ran.size(), 3U);
  EXPECT_EQ(result.err,
            "Command 'drbdmeta 0 v08 /dev/vdb internal apply-al' terminated with exit code 20\n");
}

TEST_F(Drbdadm, UpOfOneThatIsUpSaysWhatToUseInstead) {
  control::ResourceShow running;
  running.name = "r0";
  running.volumes.resize(1);
  running.volumes[0].backing.emplace();
  tools.shown.push_back(running);
  tools.codes["drbdmeta 0 v08 /dev/vdb internal apply-al"] = 20;
  const AdmRun result = run({"up", "r0"});
  EXPECT_EQ(result.code, 10);
  EXPECT_NE(result.err.find("r0: already up; use 'drbdadm adjust r0'\n"), std::string::npos);
}

TEST_F(Drbdadm, ADaemonThatDoesNotStartEndsIt) {
  tools.start_problem = "polluxd did not start";
  const AdmRun result = run({"up", "all"});
  EXPECT_EQ(result.code, 20);
  EXPECT_EQ(result.err, "drbdadm: polluxd did not start\n");
  EXPECT_TRUE(tools.ran.empty());
}

struct VerbRow {
  Lines words;
  Lines steps;
};

TEST_F(Drbdadm, VerbsAreSteps) {
  const VerbRow rows[] = {
      {{"down", "r0"}, {"drbdsetup down r0"}},
      {{"primary", "r0"}, {"drbdsetup primary 0"}},
      {{"primary", "--force", "r0"}, {"drbdsetup primary 0 --force"}},
      {{"--", "--overwrite-data-of-peer", "primary", "r0"},
       {"drbdsetup primary 0 --overwrite-data-of-peer"}},
      {{"--", "-o", "primary", "r0"}, {"drbdsetup primary 0 -o"}},
      {{"primary", "web"}, {"drbdsetup primary 10", "drbdsetup primary 11"}},
      {{"secondary", "web/1"}, {"drbdsetup secondary 11"}},
      {{"secondary", "minor-10"}, {"drbdsetup secondary 10"}},
      {{"attach", "r0"},
       {"drbdmeta 0 v08 /dev/vdb internal apply-al",
        "drbdsetup attach 0 /dev/vdb /dev/vdb internal --resync-rate=10M"}},
      {{"detach", "--force", "r0"}, {"drbdsetup detach 0 --force"}},
      {{"--", "--discard-my-data", "connect", "r0"},
       {"drbdsetup connect r0 ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789 --_name=bravo --protocol=C "
        "--discard-my-data"}},
      {{"disconnect", "r0"}, {"drbdsetup disconnect ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789"}},
      {{"create-md", "r0"},
       {"drbdmeta 0 v08 /dev/vdb internal create-md",
        "drbdmeta 0 v08 /dev/vdb internal write-dev-uuid 0123456789ABCDEF"}},
      {{"--", "--force", "create-md", "r0"},
       {"drbdmeta 0 v08 /dev/vdb internal create-md --force",
        "drbdmeta 0 v08 /dev/vdb internal write-dev-uuid 0123456789ABCDEF"}},
      {{"role", "r0"}, {"drbdsetup role 0"}},
      {{"cstate", "web"}, {"drbdsetup cstate 10", "drbdsetup cstate 11"}},
      {{"dstate", "r0"}, {"drbdmeta 0 v08 /dev/vdb internal dstate"}},
      {{"invalidate", "r0"}, {"drbdmeta 0 v08 /dev/vdb internal invalidate"}},
      {{"status"}, {"drbdsetup status all"}},
      {{"status", "r0"}, {"drbdsetup status r0"}},
      {{"status", "--verbose", "--statistics"}, {"drbdsetup status all --verbose --statistics"}},
      {{"disk-options", "r0"}, {"drbdsetup disk-options 0 --set-defaults --resync-rate=10M"}},
      {{"disk-options", "--al-extents=257", "r0"}, {"drbdsetup disk-options 0 --al-extents=257"}},
      {{"peer-device-options", "--c-max-rate=1M", "r0"},
       {"drbdsetup disk-options 0 --c-max-rate=1M"}},
      {{"net-options", "--ping-int=3", "r0"},
       {"drbdsetup net-options ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789 --ping-int=3"}},
      {{"resource-options", "web"}, {"drbdsetup resource-options web --set-defaults"}},
      {{"-W", "--frob=1", "secondary", "r0"}, {"drbdsetup secondary 0 --frob=1"}},
      {{"resize", "--size=1G", "--assume-clean", "r0"},
       {"drbdsetup resize 0 --size=1G --assume-clean",
        "drbdmeta 0 v08 /dev/vdb internal check-resize"}},
      {{"new-current-uuid", "--clear-bitmap", "web/1"},
       {"drbdsetup new-current-uuid 11 --clear-bitmap"}},
      {{"sh-new-minor", "web/1"}, {"drbdsetup new-minor web 11 1"}},
      {{"del-minor", "web/1"}, {"drbdsetup del-minor 11"}},
      {{"sh-status"},
       {"drbdsetup sh-status 0", "drbdsetup sh-status 10", "drbdsetup sh-status 11"}},
      {{"wait-connect", "--wfc-timeout=3", "r0"}, {"drbdsetup wait-connect 0 --wfc-timeout=3"}},
      {{"wait-sync", "r0"}, {"drbdsetup wait-sync 0"}},
  };
  for (const VerbRow& row : rows) {
    tools.ran.clear();
    const AdmRun result = run(row.words);
    EXPECT_EQ(result.code, 0) << row.words.front() << result.err;
    EXPECT_EQ(tools.ran, row.steps);
  }
}

TEST_F(Drbdadm, ARunningDeviceIsAskedInsteadOfItsMetaData) {
  control::ResourceShow running;
  running.name = "r0";
  running.volumes.resize(1);
  running.volumes[0].backing.emplace();
  tools.shown.push_back(running);
  run({"dstate", "r0"});
  run({"invalidate", "r0"});
  const Lines expected = {"drbdsetup dstate 0", "drbdsetup invalidate 0"};
  EXPECT_EQ(tools.ran, expected);
}

struct RefusalRow {
  Lines words;
  int code;
  const char* text;
};

TEST_F(Drbdadm, Refusals) {
  const RefusalRow rows[] = {
      {{"frob", "r0"}, 1, "drbdadm: Unknown command 'frob'\n"},
      {{"primary", "--frob=A", "r0"},
       1,
       "drbdadm: unrecognized option '--frob=A'\ntry 'drbdadm help'\n"},
      {{"up"}, 1, "No resource names specified\n"},
      {{"up", "nosuch"}, 1, "'nosuch' not defined in your config (for this host).\n"},
      {{"down", "web/1"},
       1,
       "down operates on whole resources, but you specified a specific volume!"},
      {{"new-current-uuid", "web"}, 1, "new-current-uuid requires a specific volume id"},
      {{"new-peer", "r0"}, 1, "a resource has one peer"},
      {{"proxy-up", "r0"}, 1, "DRBD Proxy is not supported"},
      {{"-S", "up", "r0"}, 1, "stacked resources are not supported"},
      {{"-c", "/nowhere.conf", "up", "r0"}, 20, "/nowhere.conf"},
  };
  for (const RefusalRow& row : rows) {
    const AdmRun result = run(row.words);
    EXPECT_EQ(result.code, row.code) << result.err;
    EXPECT_NE(result.err.find(row.text), std::string::npos) << result.err;
    EXPECT_TRUE(tools.ran.empty());
  }
}

TEST_F(Drbdadm, AFailureDoesNotStopTheOtherResources) {
  tools.codes["drbdsetup primary 0"] = 17;
  tools.codes["drbdsetup primary 10"] = 11;
  const AdmRun result = run({"primary", "all"});
  EXPECT_EQ(result.code, 17);
  const Lines expected = {"drbdsetup primary 0", "drbdsetup primary 10"};
  EXPECT_EQ(tools.ran, expected);
  EXPECT_NE(result.err.find("Command 'drbdsetup primary 0' terminated with exit code 17\n"),
            std::string::npos);
}

TEST_F(Drbdadm, AConfigurationErrorNamesFileAndLine) {
  tools.memory.files["/etc/drbd.conf"] = "resource r0 {\n  frob;\n}\n";
  const AdmRun result = run({"up", "r0"});
  EXPECT_EQ(result.code, 10);
  EXPECT_NE(result.err.find("/etc/drbd.conf:2"), std::string::npos) << result.err;
  EXPECT_TRUE(tools.ran.empty());
}

TEST_F(Drbdadm, AllOfNothingIsAMistake) {
  tools.facts.node_name = "zulu";
  const AdmRun elsewhere = run({"up", "all"});
  EXPECT_EQ(elsewhere.code, 1);
  EXPECT_NE(elsewhere.err.find("WARN: no normal resources defined for this host (zulu)!?\n"),
            std::string::npos);
  tools.memory.files["/etc/drbd.conf"] = "global { usage-count no; }";
  const AdmRun empty = run({"up", "all"});
  EXPECT_EQ(empty.code, 1);
  EXPECT_EQ(empty.err, "no resources defined!\n");
  EXPECT_EQ(run({"sh-resources"}).out, "");
}

TEST_F(Drbdadm, ConnectsOnlyFromAnAddressThatIsHere) {
  tools.facts.addresses = {"127.0.0.1"};
  for (const Lines& words : {Lines{"up", "r0"}, Lines{"adjust", "r0"}, Lines{"connect", "r0"}}) {
    const AdmRun result = run(words);
    EXPECT_EQ(result.code, 10) << words.front();
    EXPECT_EQ(
        result.err,
        "/etc/drbd.conf:5: in resource r0, on alfa:\n\tIP 10.77.0.1 not found on this host.\n");
    EXPECT_TRUE(tools.ran.empty());
  }
  EXPECT_EQ(run({"-d", "up", "r0"}).code, 0);
  EXPECT_EQ(run({"adjust", "--skip-net", "r0"}).code, 0);
  EXPECT_EQ(run({"attach", "r0"}).code, 0);
  tools.memory.files["/etc/drbd.conf"] =
      std::string("global { disable-ip-verification; }") + two_resources;
  EXPECT_EQ(run({"connect", "r0"}).code, 0);
}

TEST_F(Drbdadm, WhatIsNotHereIsNotWaitedFor) {
  std::string text = two_resources;
  text.replace(text.find("resync-rate 10M;"), 16, "resync-rate 10M; resync-after web/7;");
  tools.memory.files["/etc/drbd.conf"] = text;
  const AdmRun result = run({"attach", "r0"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(tools.ran.back(), "drbdsetup attach 0 /dev/vdb /dev/vdb internal --resync-rate=10M");
  EXPECT_EQ(result.err,
            "/etc/drbd.conf:4: in resource r0:\n\tresource 'web/7' mentioned in 'resync-after' "
            "option is not known on this host.\n");
}

TEST_F(Drbdadm, AStackedResourceIsLeftAlone) {
  tools.memory.files["/etc/drbd.conf"] = std::string(two_resources) + R"(
resource far {
  stacked-on-top-of r0 { device /dev/drbd20; address 10.9.0.1:7800; }
  on charlie { device /dev/drbd20; disk /dev/x; meta-disk internal; address 10.9.0.3:7800; }
}
)";
  EXPECT_EQ(run({"sh-resources"}).out, "r0 web\n");
  const AdmRun refused = run({"up", "far"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err, "'far' is a stacked resource, and not available in normal mode.\n");
  // For the third node it is a resource like others.
  tools.facts = {"charlie", {"10.9.0.3"}};
  EXPECT_EQ(run({"connect", "far"}).code, 0);
  EXPECT_EQ(tools.ran.back(),
            "drbdsetup connect far ipv4:10.9.0.3:7800 ipv4:10.9.0.1:7800 --_name=alfa "
            "--protocol=C");
}

TEST_F(Drbdadm, EachStepIsAnnouncedWithItsResource) {
  const AdmRun result = run({"-d", "-n", "X", "primary", "web"});
  EXPECT_EQ(result.out, "X=web\ndrbdsetup primary 10\nX=web\ndrbdsetup primary 11\n");
}

TEST_F(Drbdadm, DumpShowsWhatIsInheritedOnRequest) {
  EXPECT_EQ(run({"dump", "web"}).out.find("protocol"), std::string::npos);
  EXPECT_NE(run({"-d", "dump", "web"}).out.find("        protocol           C;\n"),
            std::string::npos);
  EXPECT_NE(run({"-d", "dump-xml", "web"}).out.find("<option name=\"protocol\" value=\"C\"/>"),
            std::string::npos);
}

TEST_F(Drbdadm, LinesForScripts) {
  EXPECT_EQ(run({"sh-resources"}).out, "r0 web\n");
  EXPECT_EQ(run({"sh-dev", "web"}).out, "/dev/drbd10\n/dev/drbd11\n");
  EXPECT_EQ(run({"sh-ll-dev", "web"}).out, "/dev/vg/a\n/dev/vg/b\n");
  EXPECT_EQ(run({"sh-md-dev", "web/1"}).out, "/dev/vg/meta\n");
  EXPECT_EQ(run({"sh-md-idx", "web"}).out, "internal\n1\n");
  EXPECT_EQ(run({"sh-resource", "minor-11"}).out, "web\n");
  EXPECT_EQ(run({"sh-ip", "r0"}).out, "10.77.0.1\n");
  EXPECT_EQ(run({"sh-mod-parms"}).out, "minor_count=32\n");
  EXPECT_EQ(run({"sh-udev", "minor-0"}).out, "RESOURCE=r0\nDEVICE=drbd0\nDISK=vdb\n");
  EXPECT_EQ(run({"sh-udev", "minor-11"}).out, "RESOURCE=web/1\nDEVICE=drbd11\nDISK=vg/b\n");
  tools.memory.files["/etc/drbd.conf"] =
      std::string("global { minor-count 64; udev-always-use-vnr; }") + two_resources;
  EXPECT_EQ(run({"sh-mod-parms"}).out, "minor_count=64\n");
  EXPECT_EQ(run({"sh-udev", "minor-0"}).out, "RESOURCE=r0/0\nDEVICE=drbd0\nDISK=vdb\n");
  EXPECT_EQ(run({"sh-nop"}).code, 0);
}

TEST_F(Drbdadm, HelpOfAVerbListsItsOptionsWhereCompletionLooksForThem) {
  const AdmRun known = run({"help", "primary"});
  EXPECT_EQ(known.code, 0);
  EXPECT_NE(known.out.find("\nOPTIONS FOR primary:\n  --force\n  --overwrite-data-of-peer\n\n"),
            std::string::npos)
      << known.out;
  EXPECT_NE(run({"help", "attach"}).out.find("\n  --on-io-error={pass_on|"), std::string::npos);
  EXPECT_EQ(run({"help", "sh-b-pri"}).code, 0);
  EXPECT_EQ(run({"help"}).code, 0);
  const AdmRun unknown = run({"help", "frob"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_NE(unknown.out.find("COMMANDS:\n up "), std::string::npos);
}

TEST_F(Drbdadm, EachOfferedVerbIsInOneOfTheLists) {
  const std::string lists = run({"help"}).out + run({"hidden-commands"}).out;
  for (const adm::Verb& verb : adm::verbs()) {
    const std::string word = " " + std::string(verb.name) + " ";
    std::size_t times = 0;
    for (std::size_t at = lists.find(word); at != std::string::npos; at = lists.find(word, at + 1))
      ++times;
    EXPECT_EQ(times, adm::refused_verb(verb) ? 0U : 1U) << verb.name;
  }
}

TEST_F(Drbdadm, SetGiPassesItsValueOn) {
  run({"set-gi", "r0", "--", "1:2:3:4:1"});
  run({"--", "--force", "set-gi", "r0", "--", "1:2:3:4:1"});
  EXPECT_EQ(tools.ran, (Lines{"drbdmeta 0 v08 /dev/vdb internal set-gi 1:2:3:4:1",
                              "drbdmeta 0 v08 /dev/vdb internal set-gi --force 1:2:3:4:1"}));
}

TEST_F(Drbdadm, DisconnectingTwiceIsNoError) {
  control::ResourceShow running;
  running.name = "r0";
  tools.shown.push_back(running);
  EXPECT_EQ(run({"disconnect", "r0"}).code, 0);
  EXPECT_TRUE(tools.ran.empty());
  tools.shown.front().has_connection = true;
  run({"disconnect", "r0"});
  EXPECT_EQ(tools.ran, Lines{"drbdsetup disconnect ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789"});
}

TEST_F(Drbdadm, TheDiskStateOfOneThatIsNotUpSaysWhereItIsFrom) {
  const AdmRun result = run({"dstate", "r0"});
  EXPECT_EQ(tools.ran, Lines{"drbdmeta 0 v08 /dev/vdb internal dstate"});
  EXPECT_EQ(result.err, "r0/0 is not up; this is what its meta data say\n");
}

TEST_F(Drbdadm, ShStatusBeginsWithWhatItIsOf) {
  tools.memory.files["/etc/my drbd.conf"] = two_resources;
  const AdmRun result = run({"-c", "/etc/my drbd.conf", "sh-status"});
  EXPECT_TRUE(
      result.out.starts_with("_drbd_version=8.4.11\n_drbd_api=1\n"
                             "_config_file=/etc/my\\ drbd.conf\n\n\n_conf_res_name=r0\n"))
      << result.out;
}

TEST_F(Drbdadm, WhatIsShownCanBeGivenToAShell) {
  tools.memory.files["/etc/drbd.conf"] = R"(
resource r0 {
  net { shared-secret "a b'c$d;e,f"; }
  on alfa { device minor 0; disk "/dev/my disk"; meta-disk internal; address ipv6 [::1]:7789; }
  on bravo { device minor 0; disk /dev/vdb; meta-disk internal; address ipv6 [::2]:7789; }
}
)";
  tools.facts.addresses.push_back("::1");
  const AdmRun result = run({"-d", "up", "r0"});
  EXPECT_NE(result.out.find("drbdmeta 0 v08 /dev/my\\ disk internal apply-al\n"), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("connect r0 ipv6:\\[::1\\]:7789 ipv6:\\[::2\\]:7789 --_name=bravo "
                            "--shared-secret=a\\ b\\'c\\$d\\;e\\,f\n"),
            std::string::npos)
      << result.out;
}

TEST_F(Drbdadm, DumpAllIsTheWholeFile) {
  EXPECT_EQ(run({"dump", "all"}).out, run({"dump"}).out);
  EXPECT_EQ(run({"dump-xml", "all"}).out, run({"dump-xml"}).out);
  EXPECT_NE(run({"dump", "web"}).out, run({"dump"}).out);
}

TEST_F(Drbdadm, ADryRunAtBootShowsCommandsAndNothingElse) {
  EXPECT_EQ(run({"-d", "adjust-with-progress", "r0"}).out, lines(up_r0));
}

}  // namespace
}  // namespace replicator::test
