// What each command that can harm says beforehand, situation by situation; and that it runs
// nothing.
#include "adm/plan.hpp"

#include <gtest/gtest.h>

#include "tests/support/recording_tools.hpp"

namespace replicator::adm {
namespace {

using C = ConnectionState;
using D = DiskState;

struct Situation {
  Role role = Role::secondary;
  Role peer_role = Role::secondary;
  C connection = C::connected;
  D disk = D::up_to_date;
  D peer_disk = D::up_to_date;
  std::uint64_t out_of_sync_kib = 0;
  bool syncing = false;
};

class Planned {
 public:
  explicit Planned(const Situation& now) {
    status_.name = "r0";
    status_.has_connection = now.connection != C::stand_alone;
    VolumeStatus volume;
    volume.state.role = now.role;
    volume.state.peer_role = now.peer_role;
    volume.state.connection = now.connection;
    volume.state.disk = now.disk;
    volume.state.peer_disk = now.peer_disk;
    volume.size_kib = 1048576;
    volume.out_of_sync_kib = now.out_of_sync_kib;
    volume.progress.active = now.syncing;
    volume.progress.left_blocks = 100;
    status_.volumes.push_back(volume);
    shown_.name = "r0";
    shown_.volumes.resize(1);
    facts_.node = "alfa";
    facts_.peer = "bravo";
    facts_.resource = "r0";
    facts_.status = &status_;
    facts_.shown = &shown_;
    request_.volumes = {0};
  }
  std::string text(std::string verb) {
    request_.verb = std::move(verb);
    return plan_text(request_, facts_);
  }
  PlanRequest request_;
  PlanFacts facts_;
  ResourceStatus status_;
  control::ResourceShow shown_;
};

struct Row {
  const char* verb;
  bool force;
  Situation now;
  const char* said;
};

TEST(Plan, Table) {
  const Row rows[] = {
      {"primary",
       true,
       {.disk = D::inconsistent, .peer_disk = D::inconsistent, .out_of_sync_kib = 1048576},
       "r0: role here: Secondary -> Primary\n"
       "r0/0: disk here: Inconsistent -> UpToDate: what is on it counts as good, whatever it is\n"
       "r0/0: resync alfa -> bravo: 1048576 KiB, at least 0:00:11 at c-max-rate 102400 KiB/s\n"
       "r0/0: discarded: what bravo has in these 1048576 KiB\n"},
      {"primary",
       false,
       {.disk = D::inconsistent, .peer_disk = D::inconsistent},
       "r0: role here: Secondary -> Primary\n"
       "r0/0: the disk is Inconsistent and no UpToDate data are in reach: refused\n"},
      {"primary", true, {.role = Role::primary}, "r0: is Primary already: no change\n"},
      {"primary",
       false,
       {.peer_role = Role::primary},
       "r0: bravo is Primary: refused unless allow-two-primaries is set\n"
       "r0: role here: Secondary -> Primary\n"
       "r0/0: the disk is UpToDate: nothing is copied or lost by this\n"},
      {"primary",
       true,
       {.connection = C::wf_connection,
        .disk = D::outdated,
        .peer_disk = D::d_unknown,
        .out_of_sync_kib = 16},
       "r0: role here: Secondary -> Primary\n"
       "r0/0: disk here: Outdated -> UpToDate: what is on it counts as good, whatever it is\n"
       "r0/0: bravo is not connected: what it has that is newer is lost when it is connected and "
       "overwritten; 16 KiB are marked here so far\n"},
      {"primary",
       true,
       {.disk = D::diskless, .peer_disk = D::inconsistent},
       "r0: role here: Secondary -> Primary\n"
       "r0/0: there is no disk: refused, also with --force\n"},
      {"primary",
       true,
       {.disk = D::diskless},
       "r0: role here: Secondary -> Primary\n"
       "r0/0: the disk is Diskless, bravo serves the data\n"},
      {"invalidate",
       false,
       {.out_of_sync_kib = 8},
       "r0/0: disk of alfa: UpToDate -> Inconsistent until the resync is over\n"
       "r0/0: resync bravo -> alfa: 1048576 KiB, at least 0:00:11 at c-max-rate 102400 KiB/s\n"
       "r0/0: discarded: all that alfa has; 8 KiB are known to differ now\n"
       "r0/0: until it is over bravo is the only good copy\n"},
      {"invalidate-remote",
       false,
       {},
       "r0/0: disk of bravo: UpToDate -> Inconsistent until the resync is over\n"
       "r0/0: resync alfa -> bravo: 1048576 KiB, at least 0:00:11 at c-max-rate 102400 KiB/s\n"
       "r0/0: discarded: all that bravo has; 0 KiB are known to differ now\n"
       "r0/0: until it is over alfa is the only good copy\n"},
      {"invalidate",
       false,
       {.peer_disk = D::outdated},
       "r0/0: the disk of bravo is Outdated: refused, there is no good copy\n"},
      {"invalidate",
       false,
       {.connection = C::wf_connection},
       "r0/0: is WFConnection: refused, it needs a connection without a resync\n"},
      {"invalidate",
       false,
       {.role = Role::primary, .connection = C::stand_alone},
       "r0/0: is StandAlone and Primary: refused\n"},
      {"invalidate-remote",
       false,
       {.connection = C::stand_alone},
       "r0/0: is StandAlone and Secondary: refused\n"},
      {"detach",
       false,
       {.role = Role::primary},
       "r0/0: disk here: UpToDate -> Diskless\n"
       "r0/0: bravo serves the data: each read and write goes over the network\n"
       "r0/0: bravo is the only good copy until this disk is attached again; then what was written "
       "meanwhile is copied\n"},
      {"detach",
       false,
       {.role = Role::primary, .connection = C::wf_connection, .peer_disk = D::d_unknown},
       "r0/0: disk here: UpToDate -> Diskless\n"
       "r0/0: no UpToDate data would be in reach: refused\n"},
      {"detach", false, {.disk = D::diskless}, "r0/0: has no disk: no change\n"},
      {"detach",
       false,
       {.connection = C::sync_target, .disk = D::inconsistent, .syncing = true},
       "r0/0: disk here: Inconsistent -> Diskless\n"
       "r0/0: the resync under way ends, 400 KiB are left\n"
       "r0/0: bravo is the only good copy until this disk is attached again; then what was written "
       "meanwhile is copied\n"},
      {"connect",
       false,
       {.connection = C::wf_connection},
       "r0: is WFConnection already: refused, disconnect first\n"},
      {"connect",
       false,
       {.connection = C::stand_alone, .out_of_sync_kib = 12},
       "r0: connection: StandAlone -> connecting to bravo\n"
       "r0/0: 12 KiB are marked here; the handshake decides who copies to whom, and a split brain "
       "is left as it is unless after-sb-* says otherwise\n"},
      {"disconnect", false, {.connection = C::stand_alone}, "r0: is StandAlone: no change\n"},
      {"disconnect",
       false,
       {.role = Role::primary},
       "r0: connection: Connected -> StandAlone\n"
       "r0: this node goes on alone; what it writes is copied when they are connected again\n"},
      {"down",
       false,
       {.peer_role = Role::primary, .connection = C::sync_source, .syncing = true},
       "r0: connection: SyncSource -> StandAlone\n"
       "r0/0: the resync under way stops with 400 KiB left; it goes on when they are connected "
       "again\n"
       "r0: bravo goes on alone; what it writes is copied when they are connected again\n"
       "r0/0: disk here: UpToDate -> Diskless\n"
       "r0: its devices go away; nothing on the disks is lost\n"},
      {"adjust", false, {}, "r0: runs as it is configured: no change\n"},
  };
  for (const Row& row : rows) {
    Planned planned(row.now);
    planned.request_.force = row.force;
    EXPECT_EQ(planned.text(row.verb), std::string(row.said) + "Nothing was changed.\n") << row.verb;
  }
}

TEST(Plan, DiscardMyData) {
  Planned planned({.connection = C::stand_alone, .out_of_sync_kib = 204801});
  planned.request_.discard_my_data = true;
  EXPECT_EQ(
      planned.text("connect"),
      "r0: connection: StandAlone -> connecting to bravo\n"
      "r0/0: if it is a split brain: resync bravo -> alfa: 204801 KiB that were changed here, "
      "at least 0:00:03 at c-max-rate 102400 KiB/s, and what was changed there\n"
      "r0/0: discarded then: what was written here since the two lost each other, in these "
      "204801 KiB\n"
      "r0: if it is no split brain the option makes no difference\n"
      "r0: 'pollux explain split-brain r0' shows which ranges these are\n"
      "Nothing was changed.\n");
  planned.status_.volumes[0].state.role = Role::primary;
  EXPECT_EQ(planned.text("connect"),
            "r0: is Primary: refused, it cannot give up its data\nNothing was changed.\n");
}

TEST(Plan, AFixedRateIsAnEstimate) {
  Planned planned({});
  planned.shown_.volumes[0].disk.c_plan_ahead_tenths = 0;
  planned.shown_.volumes[0].disk.resync_rate = 256;
  EXPECT_NE(
      planned.text("invalidate").find("1048576 KiB, about 1:08:16 at resync-rate 256 KiB/s\n"),
      std::string::npos);
}

TEST(Plan, Resize) {
  Planned planned({.role = Role::primary});
  planned.facts_.disks[0].data_kib = 3145728;
  EXPECT_EQ(planned.text("resize"),
            "r0/0: this disk has room for 3145728 KiB of data; bravo's may have less\n"
            "r0/0: size: 1048576 -> up to 3145728 KiB\n"
            "r0/0: resync alfa -> bravo: 2097152 KiB, at least 0:00:21 at c-max-rate 102400 "
            "KiB/s\nNothing was changed.\n");
  planned.request_.size_kib = 524288;
  EXPECT_NE(planned.text("resize").find("discarded: the last 524288 KiB; a file system that "),
            std::string::npos);
  planned.request_.size_kib = 2097152;
  planned.request_.assume_clean = true;
  EXPECT_NE(planned.text("resize").find("the new 1048576 KiB are taken for equal, not copied\n"),
            std::string::npos);
  planned.facts_.disks[0].problem = "/dev/vdb: No such file or directory";
  EXPECT_NE(planned.text("resize").find("cannot be looked at: /dev/vdb: No such"),
            std::string::npos);
}

TEST(Plan, CreateMetaData) {
  Planned planned({});
  DiskFacts& disk = planned.facts_.disks[0];
  planned.facts_.status = nullptr;
  disk.data_kib = 2097052;
  disk.content = "ext4 filesystem";
  EXPECT_EQ(planned.text("create-md"),
            "r0/0: new meta data; 2097052 KiB are left for data\n"
            "r0/0: the disk has ext4 filesystem; it stays if it does not reach into the meta data\n"
            "r0/0: no meta data are there yet\n"
            "r0/0: the next connection copies everything: up to 2097052 KiB, at least 0:00:21 at "
            "c-max-rate 102400 KiB/s\nNothing was changed.\n");
  disk.metadata = true;
  disk.agreed_kib = 1048576;
  EXPECT_NE(planned.text("create-md").find("out of sync, of a device of 1048576 KiB\n"),
            std::string::npos);
  disk.in_use = true;
  EXPECT_EQ(planned.text("create-md"), "r0/0: the disk is in use: refused\nNothing was changed.\n");
}

TEST(Plan, AdjustSaysWhatItsStepsDo) {
  Planned planned({.role = Role::primary});
  planned.facts_.reasons = {"disk differs: r=/dev/vdb c=/dev/vdc"};
  planned.facts_.steps = {Step{Tool::drbdsetup, {"detach", "0"}}};
  const std::string text = planned.text("adjust");
  EXPECT_NE(text.find("r0: disk differs: r=/dev/vdb c=/dev/vdc\nr0: drbdsetup detach 0\n"
                      "r0/0: disk here: UpToDate -> Diskless\n"),
            std::string::npos)
      << text;
}

TEST(Plan, WhatIsNotUp) {
  Planned planned({});
  planned.facts_.status = nullptr;
  for (const char* verb : {"primary", "invalidate", "detach", "down", "connect", "resize"}) {
    EXPECT_EQ(planned.text(verb), std::string("r0: is not up: nothing to be done by ") + verb +
                                      "\nNothing was changed.\n");
  }
}

// Through the command line: exit code 0, nothing runs.
TEST(Plan, RunsNothing) {
  test::RecordingTools tools;
  tools.memory.files["/etc/drbd.conf"] = R"(
resource r0 {
  on alfa { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.1:7789; }
  on bravo { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.2:7789; }
}
)";
  Planned planned({.disk = D::inconsistent, .peer_disk = D::inconsistent, .out_of_sync_kib = 4});
  tools.states = {planned.status_};
  tools.disks["/dev/vdb"].data_kib = 77;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"primary", "--force", "r0", "--plan"},
           {"--plan", "--", "--overwrite-data-of-peer", "primary", "r0"},
           {"-p", "primary", "--force", "all"}}) {
    const test::AdmRun run = test::run_adm(tools, words);
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_NE(run.out.find("r0/0: discarded: what bravo has in these 4 KiB\n"), std::string::npos)
        << run.out;
  }
  for (const char* verb : {"create-md", "resize", "adjust", "detach", "down", "invalidate"})
    EXPECT_EQ(test::run_adm(tools, {"--plan", verb, "r0"}).code, 0) << verb;
  EXPECT_NE(test::run_adm(tools, {"--plan", "adjust", "r0"}).out.find("resource is not up\n"),
            std::string::npos);
  const test::AdmRun other = test::run_adm(tools, {"--plan", "up", "r0"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("there is no plan for 'up'"), std::string::npos);
  EXPECT_TRUE(tools.ran.empty());
  EXPECT_EQ(tools.starts, 0U);
}

}  // namespace
}  // namespace replicator::adm
