// Facts of a machine that is well make only good findings; each thing that is wrong makes one that
// names it, with its weight and what to do.
#include "doctor/judge.hpp"

#include <gtest/gtest.h>

#include "doctor/report.hpp"

namespace replicator::doctor {
namespace {

VolumeFacts healthy_volume() {
  VolumeFacts volume;
  volume.name = "r0/0";
  volume.disk.path = "/dev/vdb";
  volume.metadata = true;
  volume.agreed_kib = 1000;
  volume.data_kib = 1000;
  return volume;
}

ResourceFacts healthy_resource() {
  ResourceFacts resource;
  resource.name = "r0";
  resource.up = true;
  resource.connection = ConnectionState::connected;
  resource.local_address = "10.77.0.1:7789";
  resource.local_ip = "10.77.0.1";
  resource.port = 7789;
  resource.peer_name = "bravo";
  resource.peer_address = "10.77.0.2:7789";
  resource.volumes.push_back(healthy_volume());
  return resource;
}

Facts healthy() {
  Facts facts;
  facts.kernel.release = "6.12.0";
  facts.kernel.ublk = facts.kernel.fuse = facts.kernel.loop = Module::present;
  facts.kernel.io_uring_features = "single-issuer";
  facts.protection = {DaemonState::answers, 7, true, true, true, ~std::uint64_t{0}};
  facts.system.node = "alfa";
  facts.system.state_folder = "/var/lib/pollux";
  facts.system.state_free_bytes = 1ULL << 40U;
  facts.system.clock = {true, true};
  facts.configuration.path = "/etc/drbd.conf";
  facts.configuration.found = true;
  facts.configuration.resources = facts.configuration.here = 1;
  facts.resources.push_back(healthy_resource());
  return facts;
}

using Change = void (*)(Facts&);

struct Row {
  const char* what;
  Change change;
  Verdict verdict;
  const char* about;
  const char* says;  // in the line or its fix
};

const Finding* only_bad(const Findings& findings) {
  const Finding* found = nullptr;
  for (const Finding& each : findings) {
    if (each.verdict == Verdict::ok) continue;
    if (found != nullptr) return nullptr;
    found = &each;
  }
  return found;
}

VolumeFacts& volume(Facts& facts) { return facts.resources[0].volumes[0]; }

const Row machine_rows[] = {
    {"sysctl", [](Facts& f) { f.kernel.io_uring_problem = "no", f.kernel.io_uring_disabled = 2; },
     Verdict::fail, "io_uring", "sysctl -w kernel.io_uring_disabled=0"},
    {"seccomp", [](Facts& f) { f.kernel.io_uring_problem = "no", f.kernel.io_uring_error = 1; },
     Verdict::fail, "io_uring", "seccomp"},
    {"old kernel",
     [](Facts& f) { f.kernel.io_uring_problem = "no io_uring", f.kernel.io_uring_error = 38; },
     Verdict::fail, "io_uring", "no io_uring"},
    {"ublk not loaded", [](Facts& f) { f.kernel.ublk = Module::on_disk; }, Verdict::warn, "ublk",
     "modprobe ublk_drv"},
    {"no ublk", [](Facts& f) { f.kernel.ublk = Module::absent; }, Verdict::warn, "ublk",
     "FUSE and loop take its place"},
    {"nbd for ublk",
     [](Facts& f) { f.kernel.ublk = Module::absent, f.kernel.nbd = Module::present; },
     Verdict::warn, "ublk", "nbd takes its place"},
    {"old ublk", [](Facts& f) { f.kernel.ublk_problem = "this kernel's ublk is older"; },
     Verdict::warn, "ublk", "older"},
    {"paged out", [](Facts& f) { f.protection.memory_locked = false; }, Verdict::warn, "memory",
     "LimitMEMLOCK=infinity"},
    {"no flusher", [](Facts& f) { f.protection.io_flusher = false; }, Verdict::warn, "io flusher",
     "CAP_SYS_RESOURCE"},
    {"OOM", [](Facts& f) { f.protection.oom_protected = false; }, Verdict::warn, "OOM killer",
     "OOMScoreAdjust"},
    {"silent daemon", [](Facts& f) { f.protection.daemon = DaemonState::silent; }, Verdict::fail,
     "polluxd", "does not answer"},
    {"kernel's drbd",
     [](Facts& f) { f.system.kernel_drbd = "8.4.11", f.system.kernel_drbd_in_use = true; },
     Verdict::fail, "drbd module", "rmmod drbd"},
    {"kernel's drbd, idle", [](Facts& f) { f.system.kernel_drbd = "8.4.11"; }, Verdict::warn,
     "drbd module", "rmmod drbd"},
    {"hidden",
     [](Facts& f) {
       f.system.hidden.push_back({"drbdadm", "/usr/sbin/drbdadm", "/opt/sbin/drbdadm"});
     },
     Verdict::warn, "drbdadm", "PATH=/opt/sbin:$PATH"},
    {"killed",
     [](Facts& f) {
       f.protection.daemon = DaemonState::absent;
       f.system.died = true;
       f.system.waiting_devices.emplace_back("r0-0");
       f.system.leftovers.emplace_back("/run/pollux/control.sock");
     },
     Verdict::fail, "polluxd", "--restore"},
    {"device waits",
     [](Facts& f) {
       f.protection.daemon = DaemonState::absent;
       f.system.waiting_devices.emplace_back("my-data-0");
     },
     Verdict::fail, "my-data-0", "drbdadm primary my-data"},
    {"leftovers",
     [](Facts& f) {
       f.protection.daemon = DaemonState::absent;
       f.system.leftovers.emplace_back("/run/pollux/loop/0");
     },
     Verdict::warn, "/run/pollux/loop/0", "left by a daemon"},
    {"full", [](Facts& f) { f.system.state_free_bytes = 1U << 20U; }, Verdict::warn,
     "/var/lib/pollux", "1.0 MiB free"},
    {"clock", [](Facts& f) { f.system.clock.synchronised = false; }, Verdict::warn, "clock",
     "chrony"},
    {"no configuration", [](Facts& f) { f.configuration.found = false; }, Verdict::fail,
     "/etc/drbd.conf", "no configuration"},
    {"syntax", [](Facts& f) { f.configuration.errors.emplace_back("drbd.conf:3: what?"); },
     Verdict::fail, "/etc/drbd.conf", "drbd.conf:3: what?"},
    {"other host",
     [](Facts& f) {
       f.configuration.here = 0;
       f.configuration.host_names = {"one", "two"};
     },
     Verdict::fail, "/etc/drbd.conf", "this host, alfa; there are: one, two"},
    {"authkeys",
     [](Facts& f) {
       f.failover = FailoverFacts{};
       f.failover->folder = "/etc/ha.d";
       f.failover->keys_readable = true;
     },
     Verdict::fail, "failover", "chmod 600 /etc/ha.d/authkeys"},
    {"no nodes",
     [](Facts& f) {
       f.failover = FailoverFacts{};
       f.failover->errors = {"no node", "no medium"};
     },
     Verdict::fail, "failover", "no node, no medium"},
    {"watchdog",
     [](Facts& f) {
       f.failover = FailoverFacts{};
       f.failover->watchdog = "/dev/watchdog";
     },
     Verdict::fail, "failover", "modprobe softdog"},
};

const Row resource_rows[] = {
    {"unusable", [](Facts& f) { f.resources[0].unusable = "it uses a proxy"; }, Verdict::fail, "r0",
     "it uses a proxy"},
    {"address", [](Facts& f) { f.resources[0].address_here = false; }, Verdict::fail, "r0 address",
     "no interface here has 10.77.0.1"},
    {"port",
     [](Facts& f) {
       f.resources[0].port_use = PortUse::foreign;
       f.resources[0].port_owner = "nginx (pid 12)";
     },
     Verdict::fail, "r0 port", "nginx (pid 12) listens on 10.77.0.1:7789"},
    {"policy", [](Facts& f) { f.resources[0].filter.push_back({"chain input", true}); },
     Verdict::warn, "r0 firewall", "none names port 7789"},
    {"refused",
     [](Facts& f) {
       f.resources[0].connection = ConnectionState::wf_connection;
       f.resources[0].reach = Reach::refused;
     },
     Verdict::warn, "r0 peer", "on bravo: drbdadm up r0"},
    {"silent",
     [](Facts& f) {
       f.resources[0].up = false;
       f.resources[0].reach = Reach::silent;
     },
     Verdict::warn, "r0 peer", "within a second"},
    {"no way",
     [](Facts& f) {
       f.resources[0].up = false;
       f.resources[0].reach = Reach::unreachable;
     },
     Verdict::warn, "r0 peer", "ip route get 10.77.0.2"},
    {"down",
     [](Facts& f) {
       f.resources[0].up = false;
       f.resources[0].reach = Reach::reached;
     },
     Verdict::warn, "r0 peer", "drbdadm up r0"},
    {"refuses here",
     [](Facts& f) {
       f.resources[0].connection = ConnectionState::stand_alone;
       f.resources[0].reach = Reach::reached;
     },
     Verdict::warn, "r0 peer", "pollux explain r0"},
    {"mounted",
     [](Facts& f) {
       volume(f).disk.in_use = true;
       volume(f).disk.users = {"mounted on /srv"};
     },
     Verdict::fail, "r0/0 disk", "/dev/vdb is in use: mounted on /srv"},
    {"no disk", [](Facts& f) { volume(f).disk.problem = "/dev/vdb: No such file or directory"; },
     Verdict::fail, "r0/0 disk", "No such file"},
    {"no meta disk",
     [](Facts& f) {
       volume(f).meta_disk = DiskState{};
       volume(f).meta_disk->problem = "/dev/vdc: gone";
     },
     Verdict::fail, "r0/0 meta-disk", "/dev/vdc: gone"},
    {"no meta data", [](Facts& f) { volume(f).metadata = false; }, Verdict::fail, "r0/0 meta data",
     "drbdadm create-md r0/0"},
    {"a file system instead",
     [](Facts& f) {
       volume(f).metadata = false;
       volume(f).content = "ext4 filesystem";
     },
     Verdict::fail, "r0/0 meta data", "the disk holds: ext4 filesystem"},
    {"shrunk", [](Facts& f) { volume(f).data_kib = 999; }, Verdict::fail, "r0/0 meta data",
     "agreed on 1000 KiB, and the disk has room for 999 KiB"},
    {"broken", [](Facts& f) { volume(f).metadata_problem = "does not fit"; }, Verdict::fail,
     "r0/0 meta data", "check-resize"},
    {"crashed", [](Facts& f) { volume(f).unclean = volume(f).crashed_primary = true; },
     Verdict::warn, "r0/0 meta data", "crashed as Primary"},
};

void hold(const Row& row) {
  SCOPED_TRACE(row.what);
  Facts facts = healthy();
  row.change(facts);
  const Findings findings = judge(facts);
  const Finding* const bad = only_bad(findings);
  ASSERT_NE(bad, nullptr) << in_words(findings);
  EXPECT_EQ(bad->verdict, row.verdict);
  EXPECT_EQ(bad->about, row.about);
  EXPECT_NE((bad->what + "\n" + bad->fix).find(row.says), std::string::npos) << bad->what;
  EXPECT_FALSE(bad->fix.empty());
  EXPECT_EQ(any_fail(findings), row.verdict == Verdict::fail);
}

TEST(Doctor, FindsNothingWrongWithWhatIsWell) {
  const Findings findings = judge(healthy());
  EXPECT_GT(findings.size(), 12U);
  for (const Finding& each : findings) {
    EXPECT_EQ(each.verdict, Verdict::ok) << each.about << ": " << each.what;
    EXPECT_TRUE(each.fix.empty()) << each.about;
  }
}

TEST(Doctor, NamesWhatIsWrongWithTheMachine) {
  for (const Row& row : machine_rows)
    hold(row);
}

TEST(Doctor, NamesWhatIsWrongWithAResource) {
  for (const Row& row : resource_rows)
    hold(row);
}

TEST(Doctor, WithoutUblkAndNbdNeedsFuseAndLoop) {
  KernelFacts kernel;
  kernel.io_uring_features = "plain";
  kernel.fuse = kernel.loop = Module::present;
  EXPECT_FALSE(any_fail(judge_kernel(kernel)));
  kernel.loop = Module::on_disk;
  EXPECT_TRUE(any_fail(judge_kernel(kernel)));
  EXPECT_EQ(judge_kernel(kernel).back().fix, "modprobe -a loop");
  kernel.loop = Module::absent;
  EXPECT_NE(judge_kernel(kernel).back().fix.find("/dev/loop-control"), std::string::npos);
  KernelFacts with_nbd = kernel;
  with_nbd.nbd = Module::present;
  EXPECT_FALSE(any_fail(judge_kernel(with_nbd)));
  with_nbd.nbd_problem = "too old";
  EXPECT_TRUE(any_fail(judge_kernel(with_nbd)));
  kernel.ublk = Module::present;
  EXPECT_FALSE(any_fail(judge_kernel(kernel)));
}

TEST(Doctor, NbdMattersWhereThereIsNoUblk) {
  const struct {
    Module ublk;
    Module nbd;
    const char* problem;
    Verdict verdict;
    const char* what;
  } rows[] = {
      {Module::present, Module::present, "", Verdict::ok, "offered as well"},
      {Module::present, Module::on_disk, "", Verdict::ok, "not needed"},
      {Module::on_disk, Module::present, "", Verdict::ok, "/dev/drbdN by nbd"},
      {Module::absent, Module::on_disk, "", Verdict::warn, "not loaded"},
      {Module::absent, Module::present, "too old", Verdict::warn, "too old"},
      {Module::absent, Module::absent, "", Verdict::ok, "not offered"},
  };
  for (const auto& row : rows) {
    KernelFacts kernel;
    kernel.ublk = row.ublk;
    kernel.nbd = row.nbd;
    kernel.nbd_problem = row.problem;
    const Finding nbd = judge_kernel(kernel)[2];
    EXPECT_EQ(nbd.verdict, row.verdict) << row.what;
    EXPECT_NE(nbd.what.find(row.what), std::string::npos) << nbd.what;
  }
}

TEST(Doctor, AnActivityLogInUseIsNotClosed) {
  VolumeFacts volume = healthy_volume();
  volume.unclean = volume.attached = true;
  for (const Finding& each : judge_volume(volume, "r0"))
    EXPECT_EQ(each.verdict, Verdict::ok) << each.what;
}

TEST(Doctor, PrintsEachFindingWithItsFixBelow) {
  const Findings findings{good("io_uring", "plain"), fail("r0 port", "taken", "ss -ltnp")};
  EXPECT_EQ(in_words(findings),
            "ok    io_uring  plain\n"
            "FAIL  r0 port   taken\n"
            "                -> ss -ltnp\n"
            "1 FAIL, 0 warn, 1 ok\n");
  EXPECT_EQ(as_json("alfa", findings),
            R"({"fail":1,"findings":[{"about":"io_uring","fix":"","verdict":"ok","what":"plain"},)"
            R"({"about":"r0 port","fix":"ss -ltnp","verdict":"FAIL","what":"taken"}],)"
            R"("node":"alfa","warn":0})");
}

}  // namespace
}  // namespace replicator::doctor
