#include "control/proc_drbd.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

namespace replicator::control {

namespace {

using Text = std::back_insert_iterator<std::string>;

constexpr std::uint64_t block_kib = 4;
constexpr std::uint64_t blocks_shown_in_kib = 1ULL << 20U;  // more than 4 GiB is shown in MiB

struct Line {
  const ResourceStatus* resource;
  const VolumeStatus* volume;
};

std::vector<Line> by_minor(std::span<const ResourceStatus> resources) {
  std::vector<Line> lines;
  for (const ResourceStatus& resource : resources) {
    for (const VolumeStatus& volume : resource.volumes)
      lines.push_back(Line{&resource, &volume});
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line& a, const Line& b) { return a.volume->minor < b.volume->minor; });
  return lines;
}

bool unconfigured(const VolumeState& state) noexcept {
  return state.connection == ConnectionState::stand_alone && state.disk == DiskState::diskless &&
         state.role == Role::secondary;
}

bool shows_progress(ConnectionState state) noexcept {
  return state == ConnectionState::sync_source || state == ConnectionState::sync_target ||
         state == ConnectionState::verify_s || state == ConnectionState::verify_t;
}

bool shows_wanted_rate(ConnectionState state) noexcept {
  return state == ConnectionState::sync_target || state == ConnectionState::verify_s;
}

void print_state(Text out, const Line& line) {
  const VolumeState& state = line.volume->state;
  fmt::format_to(out, "{:2}: cs:{} ro:{}/{} ds:{}/{} {} {}{}{}{}-{}\n", line.volume->minor,
                 name(state.connection), name(state.role), name(state.peer_role), name(state.disk),
                 name(state.peer_disk),
                 line.resource->has_connection ? line.resource->protocol : ' ',
                 state.suspended() ? 's' : 'r', state.sync_paused_by_dependency ? 'a' : '-',
                 state.sync_paused_by_peer ? 'p' : '-', state.sync_paused_by_user ? 'u' : '-',
                 line.volume->activity_log_suspended ? 's' : '-');
}

void print_counters(Text out, const VolumeStatus& volume) {
  fmt::format_to(out,
                 "    ns:{} nr:{} dw:{} dr:{} al:{} bm:{} lo:{} pe:{} ua:{} ap:{} ep:{} wo:{} "
                 "oos:{}\n",
                 volume.net_sent_kib, volume.net_received_kib, volume.disk_written_kib,
                 volume.disk_read_kib, volume.activity_log_writes, volume.bitmap_writes,
                 volume.local_pending, volume.peer_pending, volume.peer_unacknowledged,
                 volume.application_pending, volume.epochs, volume.write_ordering,
                 volume.out_of_sync_kib);
}

// 20 places; below one place's worth (5 %) the arrow is extra.
void print_bar(Text out, std::uint32_t permil) {
  const std::uint32_t places = permil / 50;
  fmt::format_to(out, "\t[{:=<{}}>{:.<{}}] ", "", places > 0 ? places - 1 : 0, "", 20 - places);
}

void print_done(Text out, const SyncProgress& progress, bool verify) {
  const std::uint32_t permil = done_permil(progress);
  print_bar(out, permil);
  const bool in_mib = progress.total_blocks > blocks_shown_in_kib;
  const std::uint64_t scale = in_mib ? 1024 : 1;
  fmt::format_to(out, "{}{:3}.{}% ({}/{}){}\n", verify ? "verified:" : "sync'ed:", permil / 10,
                 permil % 10, progress.left_blocks / scale * block_kib,
                 progress.total_blocks / scale * block_kib, in_mib ? 'M' : 'K');
}

std::string grouped(std::uint64_t value) {
  std::string digits = fmt::format("{}", value);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

// Whole seconds, at least one, as the kernel counts: rates of the first second are not blown up.
std::uint64_t seconds(std::uint64_t milliseconds) noexcept {
  return std::max<std::uint64_t>(milliseconds / 1000, 1);
}

std::uint64_t kib_per_second(std::uint64_t blocks, std::uint64_t in_seconds) noexcept {
  return blocks / in_seconds * block_kib;
}

void print_speed(Text out, const SyncProgress& progress, bool wanted) {
  const std::uint64_t window = seconds(progress.recent_ms);
  const std::uint64_t finish =
      window * (progress.left_blocks / (progress.recent_blocks / 100 + 1)) / 100;
  const std::uint64_t done =
      progress.total_blocks - std::min(progress.left_blocks, progress.total_blocks);
  fmt::format_to(out, "\tfinish: {}:{:02}:{:02} speed: {} ({})", finish / 3600, finish % 3600 / 60,
                 finish % 60, grouped(kib_per_second(progress.recent_blocks, window)),
                 grouped(kib_per_second(done, seconds(progress.elapsed_ms))));
  if (wanted) fmt::format_to(out, " want: {}", grouped(progress.want_kib_per_second));
  fmt::format_to(out, " K/sec{}\n", progress.stalled ? " (stalled)" : "");
}

void print_volume(Text out, const Line& line) {
  const VolumeStatus& volume = *line.volume;
  if (unconfigured(volume.state)) {
    fmt::format_to(out, "{:2}: cs:Unconfigured\n", volume.minor);
    return;
  }
  print_state(out, line);
  print_counters(out, volume);
  const ConnectionState connection = volume.state.connection;
  if (!shows_progress(connection)) return;
  const bool verify =
      connection == ConnectionState::verify_s || connection == ConnectionState::verify_t;
  print_done(out, volume.progress, verify);
  print_speed(out, volume.progress, shows_wanted_rate(connection));
}

}  // namespace

std::uint32_t done_permil(const SyncProgress& progress) noexcept {
  if (progress.total_blocks == 0) return 1000;
  if (progress.left_blocks > progress.total_blocks) return 0;
  const std::uint64_t done = progress.total_blocks - progress.left_blocks;
  return static_cast<std::uint32_t>(static_cast<unsigned __int128>(done) * 1000 /
                                    progress.total_blocks);
}

std::string proc_drbd(std::span<const ResourceStatus> resources) {
  std::string text;
  const Text out(text);
  // The kernel pads the source version to 24 characters; that is the blank at the end.
  fmt::format_to(out, "version: {} (api:1/proto:86-101)\nsrcversion: {:<24}\n", drbd_version,
                 drbd_source_version);
  std::uint64_t expected_minor = 0;
  for (const Line& line : by_minor(resources)) {
    if (line.volume->minor != expected_minor) text += '\n';
    print_volume(out, line);
    expected_minor = std::uint64_t{line.volume->minor} + 1;
  }
  return text;
}

}  // namespace replicator::control
