// Every rule of the text of /proc/drbd, and the recordings of the kernel's own printed back.
#include "control/proc_drbd.hpp"

#include <dirent.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace replicator::control {
namespace {

constexpr std::string_view header =
    "version: 8.4.11 (api:1/proto:86-101)\n"
    "srcversion: 56E4FE5F0DAB5FF4DCEF15A \n";

// What is printed for one volume, without the header.
std::string print(const VolumeStatus& volume, bool has_connection = true, char protocol = 'C') {
  ResourceStatus resource;
  resource.name = "r0";
  resource.has_connection = has_connection;
  resource.protocol = protocol;
  resource.volumes = {volume};
  const std::vector<ResourceStatus> all = {resource};
  const std::string text = proc_drbd(all);
  EXPECT_EQ(text.substr(0, header.size()), header);
  return text.substr(header.size());
}

VolumeStatus volume_of(std::uint32_t minor) {
  VolumeStatus volume;
  volume.minor = minor;
  volume.state.role = Role::primary;
  volume.state.peer_role = Role::secondary;
  volume.state.connection = ConnectionState::connected;
  volume.state.disk = DiskState::up_to_date;
  volume.state.peer_disk = DiskState::up_to_date;
  return volume;
}

std::string line(const std::string& text, std::size_t number) {
  std::istringstream in(text);
  std::string one;
  for (std::size_t i = 0; i <= number; ++i)
    if (!std::getline(in, one)) return "(no such line)";
  return one;
}

constexpr std::string_view idle_counters =
    "    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0\n";

TEST(proc_drbd, nothing_configured_is_the_header_alone) { EXPECT_EQ(proc_drbd({}), header); }

TEST(proc_drbd, device_and_counter_lines) {
  VolumeStatus volume = volume_of(0);
  volume.net_sent_kib = 1;
  volume.net_received_kib = 2;
  volume.disk_written_kib = 3;
  volume.disk_read_kib = 4;
  volume.activity_log_writes = 5;
  volume.bitmap_writes = 6;
  volume.local_pending = 7;
  volume.peer_pending = 8;
  volume.peer_unacknowledged = 9;
  volume.application_pending = 10;
  volume.epochs = 11;
  volume.write_ordering = 'd';
  volume.out_of_sync_kib = 12;
  EXPECT_EQ(print(volume),
            " 0: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----\n"
            "    ns:1 nr:2 dw:3 dr:4 al:5 bm:6 lo:7 pe:8 ua:9 ap:10 ep:11 wo:d oos:12\n");
}

TEST(proc_drbd, a_counter_line_has_thirteen_fields) {
  std::istringstream words(line(print(volume_of(0)), 1));
  std::string word;
  int count = 0;
  while (words >> word)
    ++count;
  EXPECT_EQ(count, 13);
}

TEST(proc_drbd, without_a_connection_the_protocol_is_blank) {
  VolumeStatus volume = volume_of(0);
  volume.state.connection = ConnectionState::stand_alone;
  volume.state.peer_role = Role::unknown;
  volume.state.peer_disk = DiskState::d_unknown;
  EXPECT_EQ(line(print(volume, false), 0),
            " 0: cs:StandAlone ro:Primary/Unknown ds:UpToDate/DUnknown   r-----");
}

TEST(proc_drbd, protocol_letter) {
  for (const char protocol : {'A', 'B', 'C'}) {
    const std::string first = line(print(volume_of(0), true, protocol), 0);
    EXPECT_EQ(first.substr(first.size() - 9), std::string(" ") + protocol + " r-----");
  }
}

struct FlagCase {
  const char* flags;
  void (*set)(VolumeStatus&);
};

TEST(proc_drbd, flags) {
  const FlagCase cases[] = {
      {"r-----", [](VolumeStatus&) {}},
      {"s-----", [](VolumeStatus& v) { v.state.suspended_by_user = true; }},
      {"s-----", [](VolumeStatus& v) { v.state.suspended_no_data = true; }},
      {"s-----", [](VolumeStatus& v) { v.state.suspended_fencing = true; }},
      {"ra----", [](VolumeStatus& v) { v.state.sync_paused_by_dependency = true; }},
      {"r-p---", [](VolumeStatus& v) { v.state.sync_paused_by_peer = true; }},
      {"r--u--", [](VolumeStatus& v) { v.state.sync_paused_by_user = true; }},
      {"r----s", [](VolumeStatus& v) { v.activity_log_suspended = true; }},
      {"sapu-s",
       [](VolumeStatus& v) {
         v.state.suspended_by_user = true;
         v.state.sync_paused_by_dependency = true;
         v.state.sync_paused_by_peer = true;
         v.state.sync_paused_by_user = true;
         v.activity_log_suspended = true;
       }},
  };
  for (const FlagCase& one : cases) {
    VolumeStatus volume = volume_of(0);
    one.set(volume);
    const std::string first = line(print(volume), 0);
    EXPECT_EQ(first.substr(first.size() - 6), one.flags);
  }
}

TEST(proc_drbd, unconfigured_only_when_alone_diskless_and_secondary) {
  VolumeStatus volume;  // as new-minor leaves it
  volume.minor = 12;
  EXPECT_EQ(print(volume, false), "\n12: cs:Unconfigured\n");

  VolumeStatus primary = volume;
  primary.state.role = Role::primary;
  EXPECT_EQ(line(print(primary, false), 1),
            "12: cs:StandAlone ro:Primary/Unknown ds:Diskless/DUnknown   r-----");
  VolumeStatus connecting = volume;
  connecting.state.connection = ConnectionState::wf_connection;
  EXPECT_EQ(line(print(connecting), 1),
            "12: cs:WFConnection ro:Secondary/Unknown ds:Diskless/DUnknown C r-----");
  VolumeStatus attached = volume;
  attached.state.disk = DiskState::attaching;
  EXPECT_EQ(line(print(attached, false), 1),
            "12: cs:StandAlone ro:Secondary/Unknown ds:Attaching/DUnknown   r-----");
}

TEST(proc_drbd, devices_of_all_resources_are_sorted_and_gaps_show_as_blank_lines) {
  std::vector<ResourceStatus> all(3);
  all[0].volumes.resize(2);
  all[0].volumes[0].minor = 10;
  all[0].volumes[1].minor = 1;
  all[1].volumes.resize(1);
  all[1].volumes[0].minor = 0;
  all[2].volumes.resize(2);
  all[2].volumes[0].minor = 100;
  all[2].volumes[1].minor = 11;
  EXPECT_EQ(proc_drbd(all), std::string(header) +
                                " 0: cs:Unconfigured\n"
                                " 1: cs:Unconfigured\n"
                                "\n"
                                "10: cs:Unconfigured\n"
                                "11: cs:Unconfigured\n"
                                "\n"
                                "100: cs:Unconfigured\n");
}

VolumeStatus syncing(ConnectionState connection) {
  VolumeStatus volume = volume_of(0);
  volume.state.connection = connection;
  SyncProgress& progress = volume.progress;
  progress.active = true;
  progress.total_blocks = 25000;
  progress.left_blocks = 12500;
  progress.recent_ms = 10000;
  progress.recent_blocks = 6250;  // 625 blocks a second: 2500 KiB/s, and 20 s to go
  progress.elapsed_ms = 5000;
  progress.want_kib_per_second = 204800;
  return volume;
}

TEST(proc_drbd, progress_of_a_sync_target) {
  EXPECT_EQ(print(syncing(ConnectionState::sync_target)),
            " 0: cs:SyncTarget ro:Primary/Secondary ds:UpToDate/UpToDate C r-----\n" +
                std::string(idle_counters) +
                "\t[=========>..........] sync'ed: 50.0% (50000/100000)K\n"
                "\tfinish: 0:00:19 speed: 2,500 (10,000) want: 204,800 K/sec\n");
}

TEST(proc_drbd, only_the_receiving_side_of_a_resync_and_the_verify_source_want_a_rate) {
  struct Case {
    ConnectionState connection;
    const char* word;  // null: no progress lines at all
    bool want;
  };
  const Case cases[] = {
      {ConnectionState::sync_source, "sync'ed: 50.0%", false},
      {ConnectionState::sync_target, "sync'ed: 50.0%", true},
      {ConnectionState::verify_s, "verified: 50.0%", true},
      {ConnectionState::verify_t, "verified: 50.0%", false},
      {ConnectionState::paused_sync_s, nullptr, false},
      {ConnectionState::paused_sync_t, nullptr, false},
      {ConnectionState::wf_bitmap_s, nullptr, false},
      {ConnectionState::wf_sync_uuid, nullptr, false},
      {ConnectionState::ahead, nullptr, false},
      {ConnectionState::behind, nullptr, false},
  };
  for (const Case& one : cases) {
    const std::string text = print(syncing(one.connection));
    if (one.word == nullptr) {
      EXPECT_EQ(text.find('\t'), std::string::npos) << name(one.connection);
      continue;
    }
    EXPECT_NE(text.find(one.word), std::string::npos) << text;
    EXPECT_EQ(text.find(" want: ") != std::string::npos, one.want) << text;
  }
}

TEST(proc_drbd, bar) {
  struct Case {
    std::uint64_t left;  // of 1000
    const char* shown;
  };
  const Case cases[] = {
      {1000, "\t[>....................] sync'ed:  0.0% "},
      {951, "\t[>....................] sync'ed:  4.9% "},
      {950, "\t[>...................] sync'ed:  5.0% "},
      {901, "\t[>...................] sync'ed:  9.9% "},
      {900, "\t[=>..................] sync'ed: 10.0% "},
      {833, "\t[==>.................] sync'ed: 16.7% "},
      {541, "\t[========>...........] sync'ed: 45.9% "},
      {41, "\t[==================>.] sync'ed: 95.9% "},
      {1, "\t[==================>.] sync'ed: 99.9% "},
      {0, "\t[===================>] sync'ed:100.0% "},
  };
  for (const Case& one : cases) {
    VolumeStatus volume = syncing(ConnectionState::sync_source);
    volume.progress.total_blocks = 1000;
    volume.progress.left_blocks = one.left;
    const std::string shown = line(print(volume), 2);
    EXPECT_EQ(shown.substr(0, std::string(one.shown).size()), one.shown);
  }
}

TEST(proc_drbd, a_hundred_percent_means_that_nothing_is_left) {
  SyncProgress progress;
  EXPECT_EQ(done_permil(progress), 1000U);
  progress.total_blocks = 10;
  progress.left_blocks = 11;
  EXPECT_EQ(done_permil(progress), 0U);
  progress.total_blocks = 1ULL << 52U;
  progress.left_blocks = 1;
  EXPECT_EQ(done_permil(progress), 999U);
  progress.left_blocks = 1ULL << 51U;
  EXPECT_EQ(done_permil(progress), 500U);
  progress.left_blocks = 0;
  EXPECT_EQ(done_permil(progress), 1000U);
}

TEST(proc_drbd, more_than_four_gib_are_shown_in_mib) {
  VolumeStatus volume = syncing(ConnectionState::sync_source);
  volume.progress.total_blocks = 1ULL << 20U;
  volume.progress.left_blocks = 1ULL << 19U;
  EXPECT_NE(print(volume).find("(2097152/4194304)K\n"), std::string::npos);
  volume.progress.total_blocks = (1ULL << 20U) + 1;
  EXPECT_NE(print(volume).find("(2048/4096)M\n"), std::string::npos);
}

TEST(proc_drbd, speed_and_time_left) {
  struct Case {
    std::uint64_t recent_ms, recent_blocks, left, elapsed_ms;
    const char* shown;
  };
  const Case cases[] = {
      {18000, 0, 100, 1000, "\tfinish: 0:00:18 speed: 0 (99,600) K/sec"},
      {0, 0, 25000, 0, "\tfinish: 0:04:10 speed: 0 (0) K/sec"},
      {999, 25, 24975, 999, "\tfinish: 0:04:09 speed: 100 (100) K/sec"},
      {1000, 308641, 0, 1000, "\tfinish: 0:00:00 speed: 1,234,564 (100,000) K/sec"},
      {20000, 0, 20000000, 1000, "\tfinish: 1111:06:40 speed: 0 (0) K/sec"},
  };
  for (const Case& one : cases) {
    VolumeStatus volume = syncing(ConnectionState::sync_source);
    volume.progress.recent_ms = one.recent_ms;
    volume.progress.recent_blocks = one.recent_blocks;
    volume.progress.left_blocks = one.left;
    volume.progress.elapsed_ms = one.elapsed_ms;
    EXPECT_EQ(line(print(volume), 3), one.shown);
  }
}

TEST(proc_drbd, stalled) {
  VolumeStatus volume = syncing(ConnectionState::sync_target);
  volume.progress.stalled = true;
  const std::string shown = line(print(volume), 3);
  EXPECT_EQ(shown.substr(shown.size() - 16), " K/sec (stalled)");
}

// --- recordings of the kernel's own ---

template <class State, int count>
State state_named(const std::string& word) {
  for (int i = 0; i < count; ++i) {
    const State state = static_cast<State>(i);
    if (name(state) == word) return state;
  }
  ADD_FAILURE() << "no state is called " << word;
  return State{};
}

std::string after(const std::string& key, const std::string& text) {
  const std::size_t at = text.find(" " + key + ":");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + key.size() + 2;
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

void parse_state(const std::string& text, ResourceStatus& resource, VolumeState& state) {
  const std::string roles = after("ro", text);
  const std::string disks = after("ds", text);
  state.connection = state_named<ConnectionState, 24>(after("cs", text));
  state.role = state_named<Role, 3>(roles.substr(0, roles.find('/')));
  state.peer_role = state_named<Role, 3>(roles.substr(roles.find('/') + 1));
  state.disk = state_named<DiskState, 9>(disks.substr(0, disks.find('/')));
  state.peer_disk = state_named<DiskState, 9>(disks.substr(disks.find('/') + 1));
  const char protocol = text[text.size() - 8];
  resource.has_connection = protocol != ' ';
  if (resource.has_connection) resource.protocol = protocol;
}

void parse_counters(const std::string& text, VolumeStatus& volume) {
  const auto number = [&text](const char* key) { return std::stoull(after(key, text)); };
  volume.net_sent_kib = number("ns");
  volume.net_received_kib = number("nr");
  volume.disk_written_kib = number("dw");
  volume.disk_read_kib = number("dr");
  volume.activity_log_writes = number("al");
  volume.bitmap_writes = number("bm");
  volume.local_pending = number("lo");
  volume.peer_pending = number("pe");
  volume.peer_unacknowledged = number("ua");
  volume.application_pending = number("ap");
  volume.epochs = number("ep");
  volume.write_ordering = after("wo", text)[0];
  volume.out_of_sync_kib = number("oos");
}

std::vector<ResourceStatus> parse(const std::string& text) {
  std::istringstream in(text);
  std::string one;
  std::getline(in, one);
  std::getline(in, one);
  std::vector<ResourceStatus> all;
  while (std::getline(in, one)) {
    ResourceStatus resource;
    VolumeStatus volume;
    volume.minor = static_cast<std::uint32_t>(std::stoul(one));
    volume.activity_log_suspended = one.back() == 's';
    parse_state(one, resource, volume.state);
    std::getline(in, one);
    parse_counters(one, volume);
    resource.volumes.push_back(volume);
    all.push_back(resource);
  }
  return all;
}

std::vector<std::string> samples(const std::string& folder) {
  std::vector<std::string> found;
  DIR* const entries = opendir(folder.c_str());
  if (entries == nullptr) return found;
  while (const dirent* entry = readdir(entries)) {
    const std::string file = entry->d_name;
    if (file.ends_with(".proc_drbd")) found.push_back(folder + "/" + file);
  }
  closedir(entries);
  return found;
}

TEST(proc_drbd, recordings_are_printed_back_byte_by_byte) {
  const std::vector<std::string> files = samples("tests/fixtures/status");
  EXPECT_EQ(files.size(), 24U);
  for (const std::string& file : files) {
    std::ifstream in(file);
    std::stringstream recorded;
    recorded << in.rdbuf();
    EXPECT_EQ(proc_drbd(parse(recorded.str())), recorded.str()) << file;
  }
}

}  // namespace
}  // namespace replicator::control
