// Options that exclude each other: DRBD's code, or 0. Pure.
#pragma once

#include <cstdint>

#include "engine/admin_codes.hpp"
#include "engine/config.hpp"

namespace replicator {

// `stonith`: a disk of the resource has fencing resource-and-stonith. Protocol A may lose answered
// writes at a failover, which is what that fencing is to exclude.
constexpr std::int32_t stonith_conflict(WireProtocol protocol, bool stonith) noexcept {
  return protocol == WireProtocol::a && stonith ? admin_stonith_with_protocol_a : 0;
}

inline std::int32_t net_option_conflict(const NetOptions& net, bool stonith) noexcept {
  if (net.allow_two_primaries && net.protocol != WireProtocol::c) return admin_need_protocol_c;
  const std::int32_t fencing = stonith_conflict(net.protocol, stonith);
  if (fencing != 0) return fencing;
  // With B and C the application waits for the peer: there is no congestion to give way to.
  if (net.on_congestion != OnCongestion::block && net.protocol != WireProtocol::a) {
    return admin_congestion_needs_protocol_a;
  }
  return 0;
}

}  // namespace replicator
