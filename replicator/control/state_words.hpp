// DRBD 9 splits the connection state of 8.4 into two words and collects reasons in lists; `status`
// and `events2` speak this way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/status.hpp"

namespace replicator::control {

std::string_view connection_word(ConnectionState state) noexcept;   // "Connecting", "Connected", …
std::string_view replication_word(ConnectionState state) noexcept;  // "Off", "Established", …
// "no", or the reasons with commas between them.
std::string suspended_words(const VolumeState& state);
std::string resync_suspended_words(const VolumeState& state);
std::string_view write_ordering_word(char letter) noexcept;

// There is a session: volumes of the peer can be told apart.
constexpr bool is_connected(ConnectionState state) noexcept {
  return state >= ConnectionState::wf_report_params;
}

// In sectors, over all volumes: what the peer was sent or asked for and has not answered.
std::uint64_t application_in_flight(const ResourceStatus& resource) noexcept;
std::uint64_t resync_in_flight(const ResourceStatus& resource) noexcept;

struct SyncRate {
  double done_percent = 100;  // of what was to do at the start
  double recent = 0;          // MiB/s within the last seconds
  double latest = 0;          // within the last few of them
  double average = 0;         // since the start
  std::uint64_t seconds_left = 0;
  bool moving = false;  // otherwise there is no telling how many seconds are left
};
SyncRate sync_rate(const SyncProgress& progress) noexcept;

}  // namespace replicator::control
