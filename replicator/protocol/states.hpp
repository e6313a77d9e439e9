// DRBD's state vocabulary: enumerators are the wire numbers, names are what operators read. The
// numeric order is significant (rules compare with < and >=). Normative:
// docs/protocol.md#state-word.
#pragma once

#include <cstdint>
#include <string_view>

namespace replicator {

enum class Role : std::uint8_t { unknown = 0, primary = 1, secondary = 2 };

enum class ConnectionState : std::uint8_t {
  stand_alone = 0,
  disconnecting = 1,
  unconnected = 2,
  timeout = 3,
  broken_pipe = 4,
  network_failure = 5,
  protocol_error = 6,
  tear_down = 7,
  wf_connection = 8,
  wf_report_params = 9,
  connected = 10,
  starting_sync_s = 11,
  starting_sync_t = 12,
  wf_bitmap_s = 13,
  wf_bitmap_t = 14,
  wf_sync_uuid = 15,
  sync_source = 16,
  sync_target = 17,
  verify_s = 18,
  verify_t = 19,
  paused_sync_s = 20,
  paused_sync_t = 21,
  ahead = 22,
  behind = 23,
  mask = 31,
};
// A resync or a verify is running or paused.
constexpr bool is_syncing(ConnectionState state) noexcept {
  return state >= ConnectionState::sync_source && state <= ConnectionState::paused_sync_t;
}

enum class DiskState : std::uint8_t {
  diskless = 0,
  attaching = 1,
  failed = 2,
  negotiating = 3,
  inconsistent = 4,
  outdated = 5,
  d_unknown = 6,
  consistent = 7,
  up_to_date = 8,
  mask = 15,
};

// "Primary", "WFBitMapS", "UpToDate" …; "?" for numbers that mean nothing.
std::string_view name(Role role) noexcept;
std::string_view name(ConnectionState state) noexcept;
std::string_view name(DiskState state) noexcept;

// The state of one volume as one node sees it. `peer_…` is the peer as seen from here.
struct VolumeState {
  Role role = Role::secondary;
  Role peer_role = Role::unknown;
  ConnectionState connection = ConnectionState::stand_alone;
  DiskState disk = DiskState::diskless;
  DiskState peer_disk = DiskState::d_unknown;
  bool suspended_by_user = false;          // susp
  bool sync_paused_by_dependency = false;  // aftr_isp
  bool sync_paused_by_peer = false;        // peer_isp
  bool sync_paused_by_user = false;        // user_isp
  bool suspended_no_data = false;          // susp_nod
  bool suspended_fencing = false;          // susp_fen

  bool operator==(const VolumeState&) const noexcept = default;
  [[nodiscard]] constexpr bool suspended() const noexcept {
    return suspended_by_user || suspended_no_data || suspended_fencing;
  }
};

// The 32-bit word of P_STATE and of state change requests (bit layout:
// docs/protocol.md#state-word).
std::uint32_t pack(const VolumeState& state) noexcept;
VolumeState unpack_state(std::uint32_t word) noexcept;
// Every number in it means something (P1): no other state word is believed.
bool all_states_known(const VolumeState& state) noexcept;

}  // namespace replicator
