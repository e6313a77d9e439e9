// drbdsetup against a daemon that answers as told: every reply code's text and exit code, what
// happens when nobody answers, and each command that reads.
#include "command/drbdsetup.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "control/codes.hpp"
#include "control/status_json.hpp"
#include "tests/support/setup_run.hpp"

namespace replicator::command {
namespace {

using control::Reply;
using control::Request;
using test::run_setup;
using test::SetupRun;

using Words = std::vector<std::string>;

SetupRun run_with(const Words& words, Reply reply) {
  return run_setup(words, [&reply](const Request&) -> Result<Reply> { return reply; });
}
SetupRun run_failing(const Words& words, Fault fault) {
  return run_setup(
      words, [fault](const Request&) -> Result<Reply> { return failure(fault, "control socket"); });
}
Reply reply_of(int code, std::vector<std::string> info = {}) {
  Reply reply;
  reply.code = code;
  reply.info = std::move(info);
  return reply;
}
Reply with_data(std::string data) {
  Reply reply;
  reply.data = std::move(data);
  return reply;
}

TEST(Drbdsetup, SuccessIsSilent) {
  for (const int code : {0, 1, 2, 3, 4}) {
    const SetupRun run = run_with({"primary", "0"}, reply_of(code));
    EXPECT_EQ(run.code, 0);
    EXPECT_EQ(run.out + run.err, "");
    ASSERT_EQ(run.asked.size(), 1U);
    EXPECT_EQ(run.asked[0].command, "primary");
  }
}

TEST(Drbdsetup, WhatTheDaemonSaysBesideSuccessIsPassedOn) {
  const SetupRun run =
      run_with({"new-minor", "r0", "0", "0"}, reply_of(0, {"no kernel device: /dev/fuse"}));
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "r0: no kernel device: /dev/fuse\n");
}

TEST(Drbdsetup, TextAndExitCodeOfARefusal) {
  const struct {
    Words words;
    Reply reply;
    int code;
    const char* err;
  } rows[] = {
      {{"primary", "0"},
       reply_of(-2),
       17,
       "0: State change failed: (-2) Need access to UpToDate data\n"},
      {{"primary", "/dev/drbd0"},
       reply_of(-1),
       11,
       "0: State change failed: (-1) Multiple primaries not allowed by config\n"},
      {{"outdate", "0"},
       reply_of(-16),
       5,
       "0: State change failed: (-16) Disk state is lower than outdated\n"},
      {{"invalidate-remote", "0"},
       reply_of(-4),
       16,
       "0: State change failed: (-4) Can not resync without local disk\n"},
      {{"down", "r0"},
       reply_of(-12, {"failed to demote"}),
       11,
       "r0: State change failed: (-12) Device is held open by someone\n"
       "additional info from kernel:\nfailed to demote\n"},
      {{"primary", "0"},
       reply_of(127, {"unknown minor"}),
       10,
       "0: Failure: (127) Device minor not allocated\n"
       "additional info from kernel:\nunknown minor\n"},
      {{"attach", "0", "/dev/vdb", "/dev/vdb", "internal"},
       reply_of(124),
       10,
       "0: Failure: (124) Device is attached to a disk (use detach first)\n"},
      {{"disconnect", "10.0.0.1:1", "10.0.0.2:1"},
       reply_of(162, {"one", "two"}),
       10,
       "??: Failure: (162) Invalid configuration request\n"
       "additional info from kernel:\none\ntwo\n"},
      {{"attach", "0", "a", "a", "internal"},
       reply_of(119),
       10,
       "0: Failure: (119) No valid meta-data signature found.\n\n"
       "\t==> Use 'drbdadm create-md res' to initialize meta-data area. <==\n\n"},
      {{"primary", "0"}, reply_of(-99), 11, "0: State change failed: (-99) unknown error.\n"},
      {{"primary", "0"},
       reply_of(999),
       20,
       "0: Error code 999 unknown.\nYou should update the drbd userland tools.\n"},
  };
  for (const auto& row : rows) {
    const SetupRun run = run_with(row.words, row.reply);
    EXPECT_EQ(run.code, row.code) << row.err;
    EXPECT_EQ(run.err, row.err);
    EXPECT_EQ(run.out, "");
  }
}

TEST(Drbdsetup, EveryCodeHasItsLineAndItsExitCode) {
  int known = 0;
  for (int code = -40; code <= 180; ++code) {
    const std::string text(control::code_text(code));
    if (text.empty()) continue;
    ++known;
    const SetupRun run = run_with({"resize", "7"}, reply_of(code));
    const bool state = code < 0;
    EXPECT_EQ(run.err, std::string("7: ") + (state ? "State change failed: (" : "Failure: (") +
                           std::to_string(code) + ") " + text + "\n");
    const int exit = code == -2 ? 17 : code == -16 ? 5 : code == -4 ? 16 : state ? 11 : 10;
    EXPECT_EQ(run.code, exit) << code;
  }
  EXPECT_GE(known, 70);
}

TEST(Drbdsetup, WithoutADaemonThereIsNothingToTakeDown) {
  for (const Words& words : {Words{"down", "r0"}, Words{"down", "all"}, Words{"secondary", "0"},
                             Words{"detach", "0"}, Words{"disconnect", "r0"}}) {
    const SetupRun run = run_failing(words, Fault::not_found);
    EXPECT_EQ(run.code, 0) << words[0];
    EXPECT_EQ(run.out + run.err, "") << words[0];
  }
}

TEST(Drbdsetup, WithoutADaemonTheOthersNameTheSocketAndTheWayOut) {
  for (const Words& words :
       {Words{"primary", "0"}, Words{"attach", "0", "a", "a", "internal"}, Words{"role", "0"},
        Words{"show", "r0"}, Words{"get-gi", "0"}, Words{"wait-connect", "0"}}) {
    const SetupRun run = run_failing(words, Fault::not_found);
    EXPECT_EQ(run.code, 20) << words[0];
    EXPECT_NE(run.err.find("/run/test.sock"), std::string::npos) << run.err;
    EXPECT_NE(run.err.find("drbdadm up"), std::string::npos) << run.err;
    EXPECT_EQ(run.out, "");
  }
}

TEST(Drbdsetup, ADaemonThatCanNotBeAskedIsNotTakenForNone) {
  for (const Fault fault :
       {Fault::not_permitted, Fault::timed_out, Fault::closed, Fault::malformed, Fault::io_error}) {
    for (const Words& words :
         {Words{"down", "r0"}, Words{"down", "all"}, Words{"secondary", "0"}, Words{"status"},
          Words{"status", "r0"}, Words{"sh-status", "r0"}, Words{"show"}, Words{"role", "0"}}) {
      const SetupRun run = run_failing(words, fault);
      EXPECT_EQ(run.code, 20) << words[0];
      EXPECT_NE(run.err.find("/run/test.sock"), std::string::npos) << run.err;
      EXPECT_EQ(run.out, "");
    }
  }
}

TEST(Drbdsetup, UsageErrorsAskNobody) {
  for (const Words& words : {Words{}, Words{"primry", "0"}, Words{"primary"},
                             Words{"primary", "0", "--x"}, Words{"help", "nothing"}}) {
    const SetupRun run = run_with(words, Reply());
    EXPECT_EQ(run.code, 20);
    EXPECT_FALSE(run.err.empty());
    EXPECT_TRUE(run.asked.empty());
  }
}

TEST(Drbdsetup, Help) {
  const SetupRun all = run_with({"help"}, Reply());
  EXPECT_EQ(all.code, 0);
  EXPECT_NE(all.out.find("\n  new-current-uuid\n"), std::string::npos);
  const SetupRun one = run_with({"help", "detach"}, Reply());
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(one.out, "USAGE: drbdsetup detach MINOR [--force]\n");
}

// --- waits ---

TEST(Drbdsetup, AWaitThatTimesOutSaysNothing) {
  const SetupRun timed_out =
      run_with({"wait-connect", "0"}, with_data(control::DataObject().add("timeout", true).text()));
  EXPECT_EQ(timed_out.code, 5);
  EXPECT_EQ(timed_out.out + timed_out.err, "");
  EXPECT_EQ(run_with({"wait-sync", "0"}, Reply()).code, 0);
}

TEST(Drbdsetup, ShorterWaitsAreNotLongerThanTheGeneralOne) {
  const struct {
    Words options;
    const char* sent;  // wfc, degr, outdated
    const char* err;
  } rows[] = {
      {{}, "0 0 0", ""},
      {{"--wfc-timeout=3", "--degr-wfc-timeout=2", "--outdated-wfc-timeout=2"}, "3 2 2", ""},
      {{"--wfc-timeout=3"}, "3 3 3", ""},
      {{"--degr-wfc-timeout=5"}, "0 5 5", ""},
      {{"--wfc-timeout=3", "--degr-wfc-timeout=4"},
       "3 3 3",
       "degr-wfc-timeout has to be shorter than wfc-timeout\n"
       "degr-wfc-timeout implicitly set to wfc-timeout (3s)\n"},
      {{"--wfc-timeout=3", "--degr-wfc-timeout=2", "--outdated-wfc-timeout=0"},
       "3 2 2",
       "outdated-wfc-timeout has to be shorter than degr-wfc-timeout\n"
       "outdated-wfc-timeout implicitly set to degr-wfc-timeout (2s)\n"},
  };
  for (const auto& row : rows) {
    Words words{"wait-connect", "0"};
    words.insert(words.end(), row.options.begin(), row.options.end());
    const SetupRun run = run_with(words, Reply());
    EXPECT_EQ(run.code, 0);
    EXPECT_EQ(run.err, row.err);
    ASSERT_EQ(run.asked.size(), 1U);
    const control::OptionMap& sent = run.asked[0].options;
    EXPECT_EQ(sent.at("wfc-timeout") + " " + sent.at("degr-wfc-timeout") + " " +
                  sent.at("outdated-wfc-timeout"),
              row.sent);
  }
}

TEST(Drbdsetup, TimeoutsHaveARange) {
  for (const char* value : {"300001", "-1", "soon", "", "99999999999999999999"}) {
    const SetupRun run =
        run_with({"wait-connect", "0", std::string("--wfc-timeout=") + value}, Reply());
    EXPECT_EQ(run.code, 20) << value;
    EXPECT_EQ(run.err, std::string("wfc_timeout => ") + value + " out of range [0..300000]\n");
    EXPECT_TRUE(run.asked.empty());
  }
}

// --- queries ---

ResourceStatus running(const char* name, std::uint32_t minor) {
  ResourceStatus resource;
  resource.name = name;
  resource.has_connection = true;
  resource.peer_name = "bravo";
  VolumeStatus volume;
  volume.minor = minor;
  volume.state.role = Role::primary;
  volume.state.peer_role = Role::secondary;
  volume.state.connection = ConnectionState::sync_source;
  volume.state.disk = DiskState::up_to_date;
  volume.state.peer_disk = DiskState::inconsistent;
  resource.volumes.push_back(volume);
  return resource;
}

TEST(Drbdsetup, OneLineStates) {
  ResourceStatus r0 = running("r0", 3);
  r0.volumes.push_back(VolumeStatus());
  r0.volumes[1].volume = 1;
  r0.volumes[1].minor = 4;
  const Reply reply = with_data(control::encode_status({r0}));
  const struct {
    Words words;
    const char* out;
    const char* err;
  } rows[] = {
      {{"role", "3"}, "Primary/Secondary\n", ""},
      {{"cstate", "/dev/drbd3"}, "SyncSource\n", ""},
      {{"3", "dstate"}, "UpToDate/Inconsistent\n", ""},
      {{"state", "3"},
       "Primary/Secondary\n",
       "'drbdsetup ... state' is deprecated, use 'drbdsetup ... role' instead.\n"},
      {{"role", "4"}, "Unconfigured\n", ""},
      {{"dstate", "4"}, "Unconfigured\n", ""},
  };
  for (const auto& row : rows) {
    const SetupRun run = run_with(row.words, reply);
    EXPECT_EQ(run.code, 0);
    EXPECT_EQ(run.out, row.out);
    EXPECT_EQ(run.err, row.err);
    ASSERT_EQ(run.asked.size(), 1U);
    EXPECT_EQ(run.asked[0].command, "status");
  }
  const SetupRun missing = run_with({"role", "9"}, reply_of(127, {"unknown minor"}));
  EXPECT_EQ(missing.code, 10);
  EXPECT_EQ(missing.out, "");
  EXPECT_NE(missing.err.find("(127) Device minor not allocated"), std::string::npos);
  EXPECT_EQ(run_with({"role", "9"}, reply).code, 20) << "the daemon spoke of something else";
}

TEST(Drbdsetup, Status) {
  const Reply two = with_data(control::encode_status({running("r0", 0), running("r1", 1)}));
  const SetupRun all = run_with({"status"}, two);
  EXPECT_EQ(all.code, 0);
  EXPECT_TRUE(all.out.starts_with("r0 role:Primary\n"));
  EXPECT_NE(all.out.find("\n\nr1 role:Primary\n"), std::string::npos);
  const SetupRun json = run_with({"status", "--json"}, two);
  EXPECT_TRUE(json.out.starts_with("[\n  {\n    \"name\": \"r0\",\n"));

  const std::string nothing = "# No currently configured DRBD found.\n";
  EXPECT_EQ(run_with({"status"}, with_data(control::encode_status({}))).out, nothing);
  EXPECT_EQ(run_failing({"status"}, Fault::not_found).out, nothing);
  EXPECT_EQ(run_failing({"status"}, Fault::not_found).code, 0);
  EXPECT_EQ(run_failing({"status", "--json"}, Fault::not_found).out, "[]\n");

  for (const SetupRun& missing : {run_with({"status", "r7"}, reply_of(158)),
                                  run_failing({"status", "r7"}, Fault::not_found)}) {
    EXPECT_EQ(missing.code, 10);
    EXPECT_EQ(missing.err, "r7: No such resource\n");
    EXPECT_EQ(missing.out, "");
  }
}

TEST(Drbdsetup, AnswersOfAnotherKindAreRefused) {
  for (const char* data : {"{}", R"({"resources":7})", ""}) {
    for (const Words& words : {Words{"status"}, Words{"sh-status"}, Words{"show"},
                               Words{"role", "0"}, Words{"get-gi", "0"}}) {
      const SetupRun run = run_with(words, with_data(data));
      EXPECT_EQ(run.code, 20) << words[0] << data;
      EXPECT_EQ(run.out, "") << words[0] << data;
    }
  }
}

TEST(Drbdsetup, ShStatusAlwaysHasABlockForAMinor) {
  const Reply reply = with_data(control::encode_status({running("r0", 0)}));
  EXPECT_TRUE(run_with({"sh-status", "r0"}, reply).out.starts_with("_minor=0\n_res_name=r0\n"));
  EXPECT_TRUE(run_with({"sh-status", "0"}, reply).out.starts_with("_minor=0\n_res_name=r0\n"));
  for (const SetupRun& missing : {run_with({"sh-status", "5"}, reply_of(127)),
                                  run_failing({"sh-status", "5"}, Fault::not_found)}) {
    EXPECT_EQ(missing.code, 0);
    EXPECT_TRUE(missing.out.starts_with(
        "_minor=5\n_res_name=\n_volume=-1\n_known=NA # not available or not yet created\n"))
        << missing.out;
    EXPECT_EQ(missing.err, "");
  }
  const SetupRun resource = run_with({"sh-status", "r7"}, reply_of(158));
  EXPECT_EQ(resource.code, 10);
  EXPECT_EQ(resource.out, "");
}

TEST(Drbdsetup, ShowOfAllIsEmptyWithoutADaemon) {
  const SetupRun run = run_failing({"show"}, Fault::not_found);
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.out + run.err, "");
  const SetupRun missing = run_with({"show", "r7"}, reply_of(158));
  EXPECT_EQ(missing.code, 10);
  EXPECT_EQ(missing.err, "r7: Failure: (158) Unknown resource\n");
}

TEST(Drbdsetup, GenerationIdentifiers) {
  control::GenerationShow shown;
  shown.generations[0] = 0xA1B2C3D4E5F60718ULL;
  shown.generations[3] = 4;
  shown.consistent = true;
  shown.primary = true;
  shown.crashed_primary = true;
  const Reply reply = with_data(control::encode_generations(shown));
  const std::string line =
      "A1B2C3D4E5F60718:0000000000000000:0000000000000000:0000000000000004:1:0:1:0:0:0:1\n";
  EXPECT_EQ(run_with({"get-gi", "0"}, reply).out, line);
  const SetupRun drawn = run_with({"show-gi", "0"}, reply);
  EXPECT_NE(drawn.out.find("V                 V         V\n" + line), std::string::npos);
  EXPECT_EQ(drawn.asked[0].command, "get-gi");
  // The arrows of the legend point at the flags.
  EXPECT_NE(drawn.out.find("\n" + std::string(68, ' ') + "^ ^ ^ ^ ^ ^ ^\n"), std::string::npos);
  const SetupRun diskless = run_with({"get-gi", "0"}, reply_of(138));
  EXPECT_EQ(diskless.code, 1);
  EXPECT_EQ(diskless.err, "Device has no disk\n");
}

// --- down all ---

TEST(Drbdsetup, DownAllTakesEachDownAndReportsTheWorst) {
  const SetupRun run = run_setup({"down", "all"}, [](const Request& request) -> Result<Reply> {
    if (request.command == "status") {
      return with_data(
          control::encode_status({running("r0", 0), running("r1", 1), running("r2", 2)}));
    }
    return reply_of(request.object == "r1" ? -12 : 0);
  });
  EXPECT_EQ(run.code, 11);
  EXPECT_EQ(run.err, "r1: State change failed: (-12) Device is held open by someone\n");
  ASSERT_EQ(run.asked.size(), 4U);
  EXPECT_EQ(run.asked[3].command, "down");
  EXPECT_EQ(run.asked[3].object, "r2");
}

}  // namespace
}  // namespace replicator::command
