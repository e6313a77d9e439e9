// `status`, `sh-status` and `status --json` against recordings of DRBD 8.4's own tools and rule by
// rule.
#include "command/status_text.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "command/status_json_text.hpp"
#include "control/state_words.hpp"
#include "control/status_json.hpp"

namespace replicator::command {
namespace {

using control::connection_word;
using control::replication_word;
using control::resync_suspended_words;
using control::suspended_words;
using control::sync_rate;
using control::SyncRate;

std::string fixture(const char* file) {
  std::ifstream in(std::string("tests/fixtures/status/") + file);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << file;
  return text.str();
}

VolumeStatus volume_of(std::uint32_t number, std::uint32_t minor) {
  VolumeStatus volume;
  volume.volume = number;
  volume.minor = minor;
  volume.state.role = Role::secondary;
  volume.state.peer_role = Role::secondary;
  volume.state.connection = ConnectionState::connected;
  volume.state.disk = DiskState::up_to_date;
  volume.state.peer_disk = DiskState::up_to_date;
  volume.backing_disk = "/dev/vdb";
  return volume;
}

ResourceStatus resource_of(const char* name, std::vector<VolumeStatus> volumes) {
  ResourceStatus resource;
  resource.name = name;
  resource.has_connection = true;
  resource.peer_name = "bravo";
  resource.volumes = std::move(volumes);
  return resource;
}

// Up in part: 50.65 % of a paused resync.
VolumeStatus paused() {
  VolumeStatus volume = volume_of(0, 0);
  volume.state.role = Role::primary;
  volume.state.connection = ConnectionState::paused_sync_t;
  volume.state.disk = DiskState::inconsistent;
  volume.state.sync_paused_by_user = true;
  volume.progress.active = true;
  volume.progress.total_blocks = 10000;
  volume.progress.left_blocks = 4935;
  return volume;
}

VolumeStatus connecting(std::uint32_t number) {
  VolumeStatus volume = volume_of(number, 10 + number);
  volume.state.connection = ConnectionState::wf_connection;
  volume.state.peer_role = Role::unknown;
  volume.state.disk = DiskState::inconsistent;
  volume.state.peer_disk = DiskState::d_unknown;
  return volume;
}

// A Primary that waits for fencing with one request under way.
VolumeStatus fencing() {
  VolumeStatus volume = volume_of(0, 0);
  volume.state.role = Role::primary;
  volume.state.peer_role = Role::unknown;
  volume.state.connection = ConnectionState::wf_connection;
  volume.state.peer_disk = DiskState::d_unknown;
  volume.state.suspended_fencing = true;
  volume.size_kib = 98264;
  volume.disk_read_kib = 98304;
  volume.disk_written_kib = 99684;
  volume.activity_log_writes = 9;
  volume.application_pending = 1;
  volume.net_received_kib = 91340;
  volume.net_sent_kib = 1396;
  volume.peer_pending = 1;
  return volume;
}

VolumeStatus syncing() {
  VolumeStatus volume = volume_of(0, 1);
  volume.state.peer_role = Role::primary;
  volume.state.connection = ConnectionState::sync_target;
  volume.state.disk = DiskState::inconsistent;
  volume.size_kib = 1048576;
  volume.disk_read_kib = 1024;
  volume.disk_written_kib = 524288;
  volume.activity_log_writes = 64;
  volume.net_received_kib = 524288;
  volume.out_of_sync_kib = 524288;
  volume.progress.active = true;
  volume.progress.total_blocks = 262144;
  volume.progress.left_blocks = 131072;
  volume.progress.elapsed_ms = 10000;
  volume.progress.recent_ms = 6000;
  volume.progress.recent_blocks = 75000;
  volume.progress.want_kib_per_second = 40960;
  return volume;
}

TEST(StatusText, PrintsWhatDrbdPrintsForThePausedAndTheUnconnected) {
  ResourceStatus r0 = resource_of("r0", {paused()});
  ResourceStatus web = resource_of("web", {connecting(0), connecting(1)});
  r0.peer_name.clear();
  web.peer_name.clear();
  EXPECT_EQ(status_text(r0, {}) + status_text(web, {}), fixture("status-paused.txt"));
}

// In verbose output we say more than 8.4 does: its words stay, in its order.
TEST(StatusText, VerboseKeepsDrbdsWordsInDrbdsOrder) {
  ResourceStatus r0 = resource_of("r0", {fencing()});
  r0.peer_name.clear();
  const std::string ours = status_text(r0, {true, true});
  std::istringstream theirs(fixture("status-verbose.txt"));
  std::istringstream all(ours);
  std::string word;
  std::string found;
  while (theirs >> word) {
    while (found != word && all >> found)
      continue;
    EXPECT_EQ(found, word) << ours;
    found.clear();
  }
  EXPECT_EQ(ours,
            "r0 node-id:0 role:Primary suspended:fencing force-io-failures:no\n"
            "    write-ordering:flush\n"
            "  volume:0 minor:0 disk:UpToDate backing_dev:/dev/vdb quorum:yes open:no\n"
            "      size:98264 read:98304 written:99684 al-writes:9 bm-writes:0\n"
            "      upper-pending:1 lower-pending:0 al-suspended:no blocked:upper\n"
            "  peer node-id:0 connection:Connecting role:Unknown tls:no congested:no\n"
            "      ap-in-flight:0 rs-in-flight:0\n"
            "    volume:0 replication:Off peer-disk:DUnknown resync-suspended:no\n"
            "        received:91340 sent:1396 out-of-sync:0 pending:1 unacked:0\n"
            "\n");
}

TEST(StatusText, ResyncWithItsRate) {
  const ResourceStatus r1 = resource_of("r1", {syncing()});
  EXPECT_EQ(status_text(r1, {}),
            "r1 role:Secondary\n"
            "  disk:Inconsistent\n"
            "  bravo role:Primary\n"
            "    replication:SyncTarget peer-disk:UpToDate done:50.00\n\n");
  EXPECT_EQ(status_text(r1, {false, true}),
            "r1 role:Secondary\n"
            "  disk:Inconsistent\n"
            "      read:1024 written:524288\n"
            "  bravo role:Primary\n"
            "    replication:SyncTarget peer-disk:UpToDate done:50.00\n"
            "        received:524288 sent:0 out-of-sync:524288\n\n");
  const std::string verbose = status_text(r1, {true, true});
  EXPECT_NE(verbose.find("    volume:0 replication:SyncTarget peer-disk:UpToDate done:50.00\n"
                         "        resync-suspended:no\n"
                         "        received:524288 sent:0 out-of-sync:524288 pending:0 unacked:0\n"
                         "        dbdt1:48.83 eta:10\n"),
            std::string::npos)
      << verbose;
}

// What DRBD 9's tool prints of the same state, but for the number of the node and `open`, `tls`,
// which are younger.
TEST(StatusText, VerboseIsWhatDrbd9Prints) {
  VolumeStatus volume = syncing();
  volume.state.disk = DiskState::up_to_date;
  volume.backing_disk = "/dev/vg/a0";
  std::istringstream theirs(
      "r1 node-id:0 role:Secondary suspended:no force-io-failures:no write-ordering:flush volume:0 "
      "minor:1 disk:UpToDate backing_dev:/dev/vg/a0 quorum:yes size:1048576 read:1024 "
      "written:524288 al-writes:64 bm-writes:0 upper-pending:0 lower-pending:0 al-suspended:no "
      "blocked:no bravo node-id:0 connection:Connected role:Primary congested:no ap-in-flight:16 "
      "rs-in-flight:8 volume:0 replication:SyncTarget peer-disk:UpToDate done:50.00 "
      "resync-suspended:no received:524288 sent:0 out-of-sync:524288 pending:0 unacked:0 "
      "dbdt1:48.83 eta:10");
  volume.in_doubt_sectors = 16;
  volume.progress.in_flight_blocks = 1;
  const std::string text = status_text(resource_of("r1", {volume}), {true, true});
  std::istringstream ours(text);
  std::string word;
  for (std::string wanted; theirs >> wanted;) {
    do
      ours >> word;
    while (ours && (word.starts_with("open:") || word.starts_with("tls:")));
    EXPECT_EQ(word, wanted) << text;
  }
  EXPECT_FALSE(ours >> word) << word;
}

TEST(StatusText, ProgramsAreToldThatADiskIsNotAwayOnPurpose) {
  VolumeStatus volume = volume_of(0, 0);
  volume.state.disk = DiskState::diskless;
  volume.state.suspended_no_data = true;
  StatusOptions piped;
  piped.terminal = false;
  EXPECT_EQ(status_text(resource_of("r0", {volume}), piped),
            "r0 role:Secondary suspended:no-data\n"
            "  disk:Diskless client:no blocked:upper\n"
            "  bravo role:Secondary\n"
            "    peer-disk:UpToDate\n\n");
  const std::string verbose = status_text(resource_of("r0", {volume}), {true, false});
  EXPECT_NE(verbose.find("disk:Diskless client:no backing_dev:none quorum:yes open:no"),
            std::string::npos)
      << verbose;
}

TEST(StatusText, AnEncryptedConnectionSaysSo) {
  ResourceStatus resource = resource_of("r0", {volume_of(0, 0)});
  resource.tls = true;
  EXPECT_NE(status_text(resource, {}).find("\n  bravo role:Secondary tls:yes\n"),
            std::string::npos);
}

TEST(StatusText, ConnectedAndInStep) {
  EXPECT_EQ(status_text(resource_of("r0", {volume_of(0, 0)}), {}),
            "r0 role:Secondary\n"
            "  disk:UpToDate\n"
            "  bravo role:Secondary\n"
            "    peer-disk:UpToDate\n\n");
}

TEST(StatusText, VolumesAreNumberedUnlessThereIsOnlyVolumeZero) {
  const std::string two = status_text(resource_of("r0", {volume_of(0, 0), volume_of(1, 1)}), {});
  EXPECT_NE(two.find("\n  volume:0 disk:UpToDate\n  volume:1 disk:UpToDate\n"), std::string::npos);
  EXPECT_NE(two.find("\n    volume:1 peer-disk:UpToDate\n"), std::string::npos);
  const std::string five = status_text(resource_of("r0", {volume_of(5, 0)}), {});
  EXPECT_NE(five.find("\n  volume:5 disk:UpToDate\n"), std::string::npos);
}

TEST(StatusText, NoPeerLineWithoutAConnection) {
  ResourceStatus resource = resource_of("r0", {volume_of(0, 0)});
  resource.has_connection = false;
  EXPECT_EQ(status_text(resource, {}), "r0 role:Secondary\n  disk:UpToDate\n\n");
  EXPECT_EQ(status_text(resource_of("empty", {}), {}),
            "empty role:Secondary\n  bravo connection:StandAlone\n\n");
}

TEST(StatusText, LinesStayWithinEightyColumns) {
  VolumeStatus volume = syncing();
  volume.backing_disk = "/dev/mapper/" + std::string(90, 'x');
  volume.disk_written_kib = ~0ULL;
  volume.disk_read_kib = ~0ULL;
  volume.net_received_kib = ~0ULL;
  std::istringstream lines(status_text(resource_of("r0", {volume}), {true, true}));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(' ');
    EXPECT_TRUE(line.size() <= 80 || line.find(' ', begin) == std::string::npos) << line;
  }
}

TEST(StatusText, ConnectionAndReplicationWords) {
  const struct {
    ConnectionState state;
    const char* connection;
    const char* replication;
  } rows[] = {
      {ConnectionState::stand_alone, "StandAlone", "Off"},
      {ConnectionState::disconnecting, "Disconnecting", "Off"},
      {ConnectionState::network_failure, "NetworkFailure", "Off"},
      {ConnectionState::wf_connection, "Connecting", "Off"},
      {ConnectionState::wf_report_params, "Connected", "Off"},
      {ConnectionState::connected, "Connected", "Established"},
      {ConnectionState::wf_bitmap_s, "Connected", "WFBitMapS"},
      {ConnectionState::verify_t, "Connected", "VerifyT"},
      {ConnectionState::behind, "Connected", "Behind"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(connection_word(row.state), row.connection);
    EXPECT_EQ(replication_word(row.state), row.replication);
  }
}

TEST(StatusText, Reasons) {
  VolumeState state;
  EXPECT_EQ(suspended_words(state), "no");
  EXPECT_EQ(resync_suspended_words(state), "no");
  state.suspended_by_user = state.suspended_no_data = state.suspended_fencing = true;
  state.sync_paused_by_user = state.sync_paused_by_peer = state.sync_paused_by_dependency = true;
  EXPECT_EQ(suspended_words(state), "user,no-data,fencing");
  EXPECT_EQ(resync_suspended_words(state), "user,peer,dependency");
}

TEST(StatusText, RateOfAResyncThatDoesNotMove) {
  SyncProgress progress;
  progress.active = true;
  progress.total_blocks = 100;
  progress.left_blocks = 200;
  const SyncRate rate = sync_rate(progress);
  EXPECT_EQ(rate.done_percent, 0);
  EXPECT_EQ(rate.recent, 0);
  EXPECT_FALSE(rate.moving);
  EXPECT_EQ(sync_rate(SyncProgress()).done_percent, 100);
}

// --- sh-status ---

TEST(ShStatus, PrintsWhatDrbdPrints) {
  VolumeStatus volume = syncing();
  volume.minor = 0;
  volume.state.role = Role::primary;
  volume.state.peer_role = Role::secondary;
  EXPECT_EQ(sh_status_text(resource_of("r0", {volume})), fixture("sh-status.txt"));
}

TEST(ShStatus, OneBlockPerVolumeAndFlagsAsOnes) {
  VolumeStatus volume = volume_of(1, 11);
  volume.state.suspended_no_data = true;
  volume.state.sync_paused_by_dependency = true;
  volume.state.sync_paused_by_peer = true;
  volume.state.sync_paused_by_user = true;
  const std::string text = sh_status_text(resource_of("web", {volume_of(0, 10), volume}));
  EXPECT_NE(text.find("_minor=10\n_res_name=web\n_volume=0\n"), std::string::npos);
  EXPECT_NE(text.find("_flags_susp=1\n_flags_aftr_isp=1\n_flags_peer_isp=1\n_flags_user_isp=1\n\n"
                      "_resynced_percent=\n\n_sh_status_process\n\n\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\n_sh_status_process\n\n\n_minor=11\n"), std::string::npos) << text;
}

TEST(ShStatus, AnIdleMinorIsUnconfiguredAndHasNoStates) {
  VolumeStatus volume;
  volume.minor = 3;
  EXPECT_NE(sh_status_text(resource_of("r0", {volume}))
                .find("_known=Unconfigured\n\n_cstate=Unconfigured\n_role=\n_peer=\n_disk=\n"
                      "_pdsk=\n\n"),
            std::string::npos);
  EXPECT_TRUE(unconfigured(volume.state));
  volume.state.connection = ConnectionState::wf_connection;
  EXPECT_FALSE(unconfigured(volume.state));
}

// --- status --json ---

TEST(StatusJsonText, HasTheKeysThatExportersRead) {
  ResourceStatus r1 = resource_of("r1", {syncing()});
  SyncProgress& progress = r1.volumes[0].progress;
  progress.paused_ms = 7000;
  progress.latest_ms = 3000;
  progress.latest_blocks = 37500;
  progress.equal_blocks = 10;
  progress.in_flight_blocks = 3;
  r1.peer = {*control::parse_address("10.0.0.1:7789"), *control::parse_address("[fd00::2]:7790")};
  const nlohmann::json all = nlohmann::json::parse(status_json_text({r1}));
  ASSERT_EQ(all.size(), 1U);
  const nlohmann::json& resource = all[0];
  EXPECT_EQ(resource["name"], "r1");
  EXPECT_EQ(resource["role"], "Secondary");
  EXPECT_EQ(resource["suspended"], false);
  EXPECT_EQ(resource["write-ordering"], "flush");
  const nlohmann::json& device = resource["devices"][0];
  EXPECT_EQ(device["volume"], 0);
  EXPECT_EQ(device["minor"], 1);
  EXPECT_EQ(device["disk-state"], "Inconsistent");
  EXPECT_EQ(device["size"], 1048576);
  EXPECT_EQ(device["written"], 524288);
  EXPECT_EQ(device["al-writes"], 64);
  EXPECT_EQ(device["quorum"], true);
  const nlohmann::json& connection = resource["connections"][0];
  EXPECT_EQ(connection["name"], "bravo");
  EXPECT_EQ(connection["connection-state"], "Connected");
  EXPECT_EQ(connection["peer-role"], "Primary");
  EXPECT_EQ(connection["paths"][0]["this_host"]["address"], "10.0.0.1");
  EXPECT_EQ(connection["paths"][0]["remote_host"]["address"], "fd00::2");
  EXPECT_EQ(connection["paths"][0]["remote_host"]["port"], 7790);
  EXPECT_EQ(connection["paths"][0]["remote_host"]["family"], "ipv6");
  EXPECT_EQ(connection["paths"][0]["established"], true);
  const nlohmann::json& peer = connection["peer_devices"][0];
  EXPECT_EQ(peer["replication-state"], "SyncTarget");
  EXPECT_EQ(peer["peer-disk-state"], "UpToDate");
  EXPECT_EQ(peer["resync-suspended"], "no");
  EXPECT_EQ(peer["out-of-sync"], 524288);
  EXPECT_EQ(peer["percent-in-sync"], 50.0);
  EXPECT_EQ(peer["percent-resync-done"], 50.0);
  EXPECT_EQ(peer["db/dt [MiB/s]"], 51.20);
  EXPECT_EQ(peer["db1/dt1 [MiB/s]"], 48.83);
  EXPECT_EQ(peer["want"], 40.0);
  EXPECT_EQ(connection["tls"], false);
  EXPECT_EQ(connection["ap-in-flight"], 0);
  EXPECT_EQ(connection["rs-in-flight"], 24);
  EXPECT_EQ(resource["force-io-failures"], false);
  EXPECT_EQ(peer["rs-paused-ms"], 7000);
  EXPECT_EQ(peer["rs-dt0-ms"], 3000);
  EXPECT_EQ(peer["rs-db0-sectors"], 300000);
  EXPECT_EQ(peer["db0/dt0 [MiB/s]"], 48.83);
  EXPECT_EQ(peer["rs-same-csum"], 80);
  EXPECT_EQ(peer["rs-failed"], 0);
  EXPECT_EQ(peer["rs-total"], 2097152);
  EXPECT_EQ(peer["estimated-seconds-to-finish"], 10);
}

TEST(StatusJsonText, ReasonsAreFlagsAndNothingRunsIsAnEmptyArray) {
  const nlohmann::json all = nlohmann::json::parse(
      status_json_text({resource_of("r0", {fencing()}), resource_of("empty", {})}));
  EXPECT_EQ(all[0]["suspended"], true);
  EXPECT_EQ(all[0]["suspended-fencing"], true);
  EXPECT_EQ(all[0]["suspended-user"], false);
  EXPECT_EQ(all[0]["connections"][0]["connection-state"], "Connecting");
  EXPECT_EQ(all[0]["connections"][0]["paths"][0]["established"], false);
  EXPECT_EQ(all[0]["connections"][0]["peer_devices"][0]["has-sync-details"], false);
  EXPECT_FALSE(all[0]["connections"][0]["peer_devices"][0].contains("want"));
  EXPECT_TRUE(all[1]["devices"].empty());
  EXPECT_EQ(status_json_text({}), "[]\n");
}

TEST(StatusJsonText, EscapesWhatAHostMayBeCalled) {
  ResourceStatus resource = resource_of("r0", {});
  resource.peer_name = "a\"b\\c\td";
  const nlohmann::json all = nlohmann::json::parse(status_json_text({resource}));
  EXPECT_EQ(all[0]["connections"][0]["name"], "a\"b\\c\td");
}

TEST(StatusJsonText, AVerifyAndAResyncThatStands) {
  VolumeStatus volume = syncing();
  volume.progress.verify = true;
  volume.progress.position_sector = 1049376;
  volume.progress.recent_blocks = 0;
  volume.size_kib = 0;
  const nlohmann::json all = nlohmann::json::parse(status_json_text({resource_of("r0", {volume})}));
  const nlohmann::json& peer = all[0]["connections"][0]["peer_devices"][0];
  EXPECT_EQ(peer["has-online-verify-details"], true);
  EXPECT_EQ(peer["ov-left"], 1048576);
  EXPECT_EQ(peer["ov-start-sector"], 800);
  EXPECT_EQ(peer["ov-position"], 1049376);
  EXPECT_EQ(peer["ov-stop-sector"], 2097952);
  EXPECT_FALSE(peer.contains("rs-same-csum"));
  EXPECT_FALSE(peer.contains("rs-failed"));
  EXPECT_EQ(peer["estimated-seconds-to-finish"], 987654321);
  EXPECT_EQ(peer["percent-in-sync"], 0.0);
}

}  // namespace
}  // namespace replicator::command
