// What the agreed protocol version and the agreed features decide beside the layout of packets.
// Pure. Normative: docs/protocol.md#versions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/units.hpp"
#include "engine/config.hpp"
#include "protocol/header.hpp"
#include "protocol/packets.hpp"

namespace replicator {

// Features came with 8.4, which speaks 100 and later; what speaks less offers none.
constexpr std::uint32_t features_for(std::uint32_t version_max) noexcept {
  return version_max >= 100 ? features_offered : 0;
}

struct Agreement {
  int version = 0;
  std::uint32_t features = 0;
};
// Nothing when the ranges of the two nodes do not meet.
constexpr std::optional<Agreement> agree(const ConnectionFeatures& mine,
                                         const ConnectionFeatures& peer) noexcept {
  const std::uint32_t peer_max = peer.version_max == 0 ? peer.version_min : peer.version_max;
  if (mine.version_max < peer.version_min || mine.version_min > peer_max) return std::nullopt;
  return Agreement{static_cast<int>(std::min(mine.version_max, peer_max)), mine.flags & peer.flags};
}

// Headers before 100 name no volume.
constexpr bool knows_volumes(int version) noexcept { return version >= 100; }

// What P_SIZES announces: the most data in one packet.
constexpr std::uint32_t data_bytes_offered(int version) noexcept {
  if (version >= 100) return data_bytes_max;
  return version >= 95 ? 128U << 10U : 32U << 10U;
}
// The most data that goes into one packet to a peer that announced `peer_bytes` (0: nothing yet).
// From 94 on the version alone decides, as DRBD has it: those peers take more than they announce.
constexpr std::uint32_t data_bytes_to_peer(int version, std::uint32_t peer_bytes) noexcept {
  const std::uint32_t most = data_bytes_offered(version);
  if (version >= 94 || peer_bytes >= most) return most;
  constexpr std::uint32_t always = static_cast<std::uint32_t>(block_bytes);
  return std::max(peer_bytes / always * always, always);
}
// Longer replies do not fit a header of the version.
constexpr bool may_ask_for(int version, std::uint32_t bytes) noexcept {
  return version >= 95 || bytes <= data_bytes_offered(version);
}
// The longest discard or write-zeroes in one packet.
constexpr std::uint64_t zeroes_bytes_to_peer(std::uint32_t features) noexcept {
  return (features & feature_wsame) != 0 ? 16ULL << 20U : 4ULL << 20U;
}

// Before 95 no packet says "force unit access": its epoch has to become stable instead.
constexpr bool carries_force_unit_access(int version) noexcept { return version >= 95; }
constexpr std::uint32_t flags_to_peer(int version, std::uint32_t flags) noexcept {
  if (version < 95) flags &= ~(dp_fua | dp_flush);
  if (version < 100) flags &= ~(dp_send_write_ack | dp_send_receive_ack);
  return flags;
}
// Before 100 the configured protocol says which answer a write gets.
constexpr std::uint32_t flags_from_peer(int version, std::uint32_t flags,
                                        WireProtocol protocol) noexcept {
  if (version >= 100) return flags;
  flags = flags_to_peer(version, flags);
  if (protocol == WireProtocol::c) flags |= dp_send_write_ack;
  if (protocol == WireProtocol::b) flags |= dp_send_receive_ack;
  return flags;
}

// The target's P_STATE ends a resync. Up to 95 the source does not wait for it when the last block
// is acknowledged, and before 95 not even when there was none: such a target may stay silent.
constexpr bool source_ends_resync(int version, bool empty) noexcept {
  return empty ? version < 95 : version <= 95;
}

constexpr bool knows_dry_run(int version) noexcept { return version >= 92; }

}  // namespace replicator
