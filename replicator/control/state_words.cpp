#include "control/state_words.hpp"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <utility>

namespace replicator::control {
namespace {

constexpr double blocks_per_mib = 256;

using Reason = std::pair<bool, std::string_view>;

std::string joined(std::initializer_list<Reason> reasons) {
  std::string text;
  for (const auto& [holds, word] : reasons) {
    if (!holds) continue;
    if (!text.empty()) text += ',';
    text += word;
  }
  return text.empty() ? "no" : text;
}

double mib_per_second(std::uint64_t blocks, std::uint64_t milliseconds) noexcept {
  if (milliseconds == 0) return 0;
  return static_cast<double>(blocks) / blocks_per_mib * 1000 / static_cast<double>(milliseconds);
}

}  // namespace

std::string_view connection_word(ConnectionState state) noexcept {
  if (state == ConnectionState::wf_connection) return "Connecting";
  return is_connected(state) ? "Connected" : name(state);
}

std::string_view replication_word(ConnectionState state) noexcept {
  if (state < ConnectionState::connected) return "Off";
  return state == ConnectionState::connected ? "Established" : name(state);
}

std::string suspended_words(const VolumeState& state) {
  return joined({{state.suspended_by_user, "user"},
                 {state.suspended_no_data, "no-data"},
                 {state.suspended_fencing, "fencing"}});
}

std::string resync_suspended_words(const VolumeState& state) {
  return joined({{state.sync_paused_by_user, "user"},
                 {state.sync_paused_by_peer, "peer"},
                 {state.sync_paused_by_dependency, "dependency"}});
}

std::string_view write_ordering_word(char letter) noexcept {
  switch (letter) {
    case 'b': return "barrier";
    case 'f': return "flush";
    case 'd': return "drain";
    default: return "none";
  }
}

std::uint64_t application_in_flight(const ResourceStatus& resource) noexcept {
  std::uint64_t sectors = 0;
  for (const VolumeStatus& volume : resource.volumes)
    sectors += volume.in_doubt_sectors;
  return sectors;
}

std::uint64_t resync_in_flight(const ResourceStatus& resource) noexcept {
  constexpr std::uint64_t sectors_per_block = 8;
  std::uint64_t sectors = 0;
  for (const VolumeStatus& volume : resource.volumes)
    sectors += volume.progress.in_flight_blocks * sectors_per_block;
  return sectors;
}

SyncRate sync_rate(const SyncProgress& progress) noexcept {
  SyncRate rate;
  const std::uint64_t total = progress.total_blocks;
  const std::uint64_t done = total - std::min(progress.left_blocks, total);
  if (total != 0) rate.done_percent = 100 * static_cast<double>(done) / static_cast<double>(total);
  rate.recent = mib_per_second(progress.recent_blocks, progress.recent_ms);
  rate.latest = mib_per_second(progress.latest_blocks, progress.latest_ms);
  rate.average = mib_per_second(done, progress.elapsed_ms);
  rate.moving = rate.recent > 0;
  if (rate.moving) {
    rate.seconds_left = static_cast<std::uint64_t>(static_cast<double>(progress.left_blocks) /
                                                   blocks_per_mib / rate.recent);
  }
  return rate;
}

}  // namespace replicator::control
