// Whether to stop sending data to a peer that does not keep up (on-congestion; protocol A). Pure.
// Normative: docs/protocol.md#ahead-and-behind.
#pragma once

#include <cstdint>

#include "engine/config.hpp"
#include "protocol/states.hpp"

namespace replicator {

enum class Relief : unsigned char { none, pull_ahead, disconnect };

struct Backlog {
  std::uint64_t sectors = 0;  // of mirrored writes in doubt
  std::uint32_t extents = 0;  // of the activity log that writes hold
  bool log_full = false;      // no room for another mirrored write
};

constexpr const char* congested_by(const NetOptions& net, const Backlog& backlog) noexcept {
  if (net.congestion_fill_sectors != 0 && backlog.sectors >= net.congestion_fill_sectors) {
    return "Congestion-fill threshold reached";
  }
  if (backlog.extents >= net.congestion_extents) return "Congestion-extents threshold reached";
  return backlog.log_full ? "The transfer log is full" : nullptr;
}

// Only from Connected: during a resync an answer of the peer may be on its way that clears the bit
// of a block which a write is about to mark (E3).
constexpr Relief relief(const NetOptions& net, const VolumeState& s, int agreed_version,
                        const Backlog& backlog) noexcept {
  if (net.on_congestion == OnCongestion::block || agreed_version < 96) return Relief::none;
  const bool in_sync = s.connection == ConnectionState::connected &&
                       s.disk == DiskState::up_to_date && s.peer_disk == DiskState::up_to_date;
  if (!in_sync || congested_by(net, backlog) == nullptr) return Relief::none;
  return net.on_congestion == OnCongestion::pull_ahead ? Relief::pull_ahead : Relief::disconnect;
}

}  // namespace replicator
