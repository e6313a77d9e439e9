// A wanted change of a volume's state: the fields named, as mask and value in the bit layout of
// P_STATE.
#pragma once

#include <cstdint>

#include "protocol/states.hpp"

namespace replicator {

struct StateDelta {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;

  StateDelta& role(Role role) noexcept { return put(0, 3, static_cast<std::uint32_t>(role)); }
  StateDelta& peer_role(Role role) noexcept { return put(2, 3, static_cast<std::uint32_t>(role)); }
  StateDelta& connection(ConnectionState state) noexcept {
    return put(4, 31, static_cast<std::uint32_t>(state));
  }
  StateDelta& disk(DiskState state) noexcept {
    return put(9, 15, static_cast<std::uint32_t>(state));
  }
  StateDelta& peer_disk(DiskState state) noexcept {
    return put(13, 15, static_cast<std::uint32_t>(state));
  }
  StateDelta& sync_paused_by_dependency(bool paused) noexcept {
    return put(18, 1, paused ? 1U : 0U);
  }
  StateDelta& sync_paused_by_peer(bool paused) noexcept { return put(19, 1, paused ? 1U : 0U); }
  StateDelta& sync_paused_by_user(bool paused) noexcept { return put(20, 1, paused ? 1U : 0U); }

  StateDelta& suspended_by_user(bool suspended) noexcept { return put(17, 1, suspended ? 1U : 0U); }
  StateDelta& suspended_no_data(bool suspended) noexcept { return put(21, 1, suspended ? 1U : 0U); }
  StateDelta& suspended_fencing(bool suspended) noexcept { return put(22, 1, suspended ? 1U : 0U); }

  // The state with the named fields replaced.
  [[nodiscard]] VolumeState applied_to(const VolumeState& state) const noexcept {
    return unpack_state((pack(state) & ~mask) | value);
  }

 private:
  StateDelta& put(unsigned at, std::uint32_t field, std::uint32_t content) noexcept {
    mask |= field << at;
    value = (value & ~(field << at)) | (content << at);
    return *this;
  }
};

}  // namespace replicator
