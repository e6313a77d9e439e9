#include "protocol/states.hpp"

namespace replicator {

namespace {

constexpr std::uint32_t bit(bool value, unsigned at) {
  return static_cast<std::uint32_t>(value ? 1U : 0U) << at;
}
constexpr std::uint32_t field(std::uint32_t word, unsigned at, std::uint32_t mask) {
  return (word >> at) & mask;
}

}  // namespace

std::string_view name(Role role) noexcept {
  switch (role) {
    case Role::unknown: return "Unknown";
    case Role::primary: return "Primary";
    case Role::secondary: return "Secondary";
  }
  return "?";
}

std::string_view name(ConnectionState state) noexcept {
  switch (state) {
    case ConnectionState::stand_alone: return "StandAlone";
    case ConnectionState::disconnecting: return "Disconnecting";
    case ConnectionState::unconnected: return "Unconnected";
    case ConnectionState::timeout: return "Timeout";
    case ConnectionState::broken_pipe: return "BrokenPipe";
    case ConnectionState::network_failure: return "NetworkFailure";
    case ConnectionState::protocol_error: return "ProtocolError";
    case ConnectionState::tear_down: return "TearDown";
    case ConnectionState::wf_connection: return "WFConnection";
    case ConnectionState::wf_report_params: return "WFReportParams";
    case ConnectionState::connected: return "Connected";
    case ConnectionState::starting_sync_s: return "StartingSyncS";
    case ConnectionState::starting_sync_t: return "StartingSyncT";
    case ConnectionState::wf_bitmap_s: return "WFBitMapS";
    case ConnectionState::wf_bitmap_t: return "WFBitMapT";
    case ConnectionState::wf_sync_uuid: return "WFSyncUUID";
    case ConnectionState::sync_source: return "SyncSource";
    case ConnectionState::sync_target: return "SyncTarget";
    case ConnectionState::verify_s: return "VerifyS";
    case ConnectionState::verify_t: return "VerifyT";
    case ConnectionState::paused_sync_s: return "PausedSyncS";
    case ConnectionState::paused_sync_t: return "PausedSyncT";
    case ConnectionState::ahead: return "Ahead";
    case ConnectionState::behind: return "Behind";
    case ConnectionState::mask: break;
  }
  return "?";
}

std::string_view name(DiskState state) noexcept {
  switch (state) {
    case DiskState::diskless: return "Diskless";
    case DiskState::attaching: return "Attaching";
    case DiskState::failed: return "Failed";
    case DiskState::negotiating: return "Negotiating";
    case DiskState::inconsistent: return "Inconsistent";
    case DiskState::outdated: return "Outdated";
    case DiskState::d_unknown: return "DUnknown";
    case DiskState::consistent: return "Consistent";
    case DiskState::up_to_date: return "UpToDate";
    case DiskState::mask: break;
  }
  return "?";
}

std::uint32_t pack(const VolumeState& s) noexcept {
  return static_cast<std::uint32_t>(s.role) | static_cast<std::uint32_t>(s.peer_role) << 2U |
         static_cast<std::uint32_t>(s.connection) << 4U | static_cast<std::uint32_t>(s.disk) << 9U |
         static_cast<std::uint32_t>(s.peer_disk) << 13U | bit(s.suspended_by_user, 17) |
         bit(s.sync_paused_by_dependency, 18) | bit(s.sync_paused_by_peer, 19) |
         bit(s.sync_paused_by_user, 20) | bit(s.suspended_no_data, 21) |
         bit(s.suspended_fencing, 22);
}

VolumeState unpack_state(std::uint32_t word) noexcept {
  VolumeState s;
  s.role = static_cast<Role>(field(word, 0, 3));
  s.peer_role = static_cast<Role>(field(word, 2, 3));
  s.connection = static_cast<ConnectionState>(field(word, 4, 31));
  s.disk = static_cast<DiskState>(field(word, 9, 15));
  s.peer_disk = static_cast<DiskState>(field(word, 13, 15));
  s.suspended_by_user = field(word, 17, 1) != 0;
  s.sync_paused_by_dependency = field(word, 18, 1) != 0;
  s.sync_paused_by_peer = field(word, 19, 1) != 0;
  s.sync_paused_by_user = field(word, 20, 1) != 0;
  s.suspended_no_data = field(word, 21, 1) != 0;
  s.suspended_fencing = field(word, 22, 1) != 0;
  return s;
}

bool all_states_known(const VolumeState& s) noexcept {
  return s.role <= Role::secondary && s.peer_role <= Role::secondary &&
         s.connection <= ConnectionState::behind && s.disk <= DiskState::up_to_date &&
         s.peer_disk <= DiskState::up_to_date;
}

}  // namespace replicator
