#include "engine/decide/state_change.hpp"

#include <algorithm>

namespace replicator {

namespace {

using C = ConnectionState;
using D = DiskState;

struct Allowed {
  D disk_min, disk_max, peer_min, peer_max;
};

Allowed allowed_disks(C connection) noexcept {
  switch (connection) {
    case C::connected: return {D::diskless, D::up_to_date, D::diskless, D::up_to_date};
    case C::wf_bitmap_t:
    case C::paused_sync_t:
    case C::starting_sync_t:
    case C::wf_sync_uuid:
    case C::behind: return {D::inconsistent, D::outdated, D::up_to_date, D::up_to_date};
    case C::wf_bitmap_s:
    case C::paused_sync_s:
    case C::starting_sync_s:
    case C::ahead: return {D::up_to_date, D::up_to_date, D::inconsistent, D::consistent};
    case C::sync_target: return {D::inconsistent, D::inconsistent, D::up_to_date, D::up_to_date};
    case C::sync_source: return {D::up_to_date, D::up_to_date, D::inconsistent, D::inconsistent};
    case C::verify_s:
    case C::verify_t: return {D::up_to_date, D::up_to_date, D::up_to_date, D::up_to_date};
    default: return {D::diskless, D::up_to_date, D::inconsistent, D::d_unknown};
  }
}

void clamp_disks(VolumeState& s) noexcept {
  const Allowed allowed = allowed_disks(s.connection);
  s.disk = std::clamp(s.disk, allowed.disk_min, allowed.disk_max);
  s.peer_disk = std::clamp(s.peer_disk, allowed.peer_min, allowed.peer_max);
}

void settle_negotiation(VolumeState& s, const StateContext& context) noexcept {
  const bool same = (context.exposed_uuid | 1U) == (context.on_disk_current_uuid | 1U);
  if ((same && !context.peer_has_newer) || context.exposed_uuid == 0) {
    s.disk = context.attach_state.disk;
    s.peer_disk = context.attach_state.peer_disk;
  } else {
    s.disk = D::diskless;
    s.peer_disk = D::d_unknown;
  }
}

bool paused(const VolumeState& s) noexcept {
  return s.sync_paused_by_dependency || s.sync_paused_by_peer || s.sync_paused_by_user;
}

void pause_or_resume(VolumeState& s) noexcept {
  if (paused(s)) {
    if (s.connection == C::sync_source) s.connection = C::paused_sync_s;
    if (s.connection == C::sync_target) s.connection = C::paused_sync_t;
  } else {
    if (s.connection == C::paused_sync_s) s.connection = C::sync_source;
    if (s.connection == C::paused_sync_t) s.connection = C::sync_target;
  }
}

// It is settled who is the target; its disk is Outdated or Consistent until the resync begins.
bool about_to_sync(C connection) noexcept {
  return connection == C::wf_bitmap_s || connection == C::wf_bitmap_t ||
         connection == C::wf_sync_uuid || connection == C::starting_sync_s ||
         connection == C::starting_sync_t || connection == C::ahead || connection == C::behind;
}

bool unconnected_primary(const VolumeState& s) noexcept {
  return s.role == Role::primary && s.connection < C::connected && s.peer_disk > D::outdated;
}

}  // namespace

bool primary_without_data(const VolumeState& s) noexcept {
  return s.role == Role::primary && s.disk < D::up_to_date && s.peer_disk < D::up_to_date;
}

std::string_view text(StateCode code) noexcept {
  switch (code) {
    case StateCode::no_longer_cluster_wide:
    case StateCode::cluster_wide_success:
    case StateCode::success: return "Success";
    case StateCode::nothing_to_do: return "Nothing to do";
    case StateCode::unknown_error: return "unknown error";
    case StateCode::two_primaries: return "Multiple primaries not allowed by config";
    case StateCode::no_up_to_date_disk: return "Need access to UpToDate data";
    case StateCode::no_local_disk: return "Can not resync without local disk";
    case StateCode::no_remote_disk: return "Can not resync without remote disk";
    case StateCode::connected_outdates: return "Refusing to be Outdated while Connected";
    case StateCode::primary_nop: return "Refusing to be Primary while peer is not outdated";
    case StateCode::resync_running: return "Can not start OV/resync since it is already active";
    case StateCode::already_stand_alone: return "Can not disconnect a StandAlone device";
    case StateCode::refused_by_peer: return "State change was refused by peer node";
    case StateCode::is_diskless:
      return "Device is diskless, the requested operation requires a disk";
    case StateCode::device_in_use: return "Device is held open by someone";
    case StateCode::no_net_config: return "Have no net/connection configuration";
    case StateCode::no_verify_alg: return "Need a verify algorithm to start online verify";
    case StateCode::need_connection: return "Need a connection to start verify or resync";
    case StateCode::lower_than_outdated: return "Disk state is lower than outdated";
    case StateCode::not_supported: return "Peer does not support protocol";
    case StateCode::in_transient_state: return "In transient state, retry after next state change";
    case StateCode::concurrent_changes: return "Concurrent state changes detected and aborted";
    case StateCode::peer_volume_primary: return "Other vol primary on peer not allowed by config";
    case StateCode::outdate_without_connection:
      return "Need a connection for a graceful disconnect/outdate peer";
  }
  return "unknown error";
}

VolumeState sanitize(const VolumeState& old_state, const VolumeState& wanted,
                     const StateContext& context) noexcept {
  VolumeState s = wanted;
  if (s.connection < C::connected) {
    s.sync_paused_by_peer = false;
    s.peer_role = Role::unknown;
    // A target that is UpToDate by now may take over (S3).
    const bool unsure = is_syncing(old_state.connection) && context.target_may_be_done;
    if (s.peer_disk > D::d_unknown || s.peer_disk < D::inconsistent || unsure)
      s.peer_disk = D::d_unknown;
  }
  if (s.connection == C::stand_alone && s.disk == D::diskless && s.role == Role::secondary) {
    s.sync_paused_by_dependency = false;
  }
  bool sync_broke_off = false;
  if (s.connection > C::connected && (s.disk <= D::failed || s.peer_disk <= D::failed)) {
    sync_broke_off = about_to_sync(s.connection) && !context.only_new_storage;
    s.connection = C::connected;
  }
  if (s.connection < C::connected && s.disk == D::negotiating) settle_negotiation(s, context);
  if (s.connection >= C::connected && s.connection < C::ahead) {
    // A target that never got what it lacks must not pass for current (E9, S6).
    const D settled = sync_broke_off ? D::inconsistent : D::up_to_date;
    if (s.disk == D::consistent || s.disk == D::outdated) s.disk = settled;
    if (s.peer_disk == D::consistent || s.peer_disk == D::outdated) s.peer_disk = settled;
  }
  clamp_disks(s);
  if (context.fencing == Fencing::resource_and_stonith && unconnected_primary(s) &&
      !unconnected_primary(old_state)) {
    s.suspended_fencing = true;
  }
  if (context.on_no_data == OnNoData::suspend_io && primary_without_data(s) &&
      !primary_without_data(old_state)) {
    s.suspended_no_data = true;
  }
  pause_or_resume(s);
  // Resuming may have made a target of an Outdated disk (S5).
  clamp_disks(s);
  return s;
}

StateCode is_valid_state(const VolumeState& s, const StateContext& context) noexcept {
  const bool primary = s.role == Role::primary;
  const bool single = context.has_net_config && !context.two_primaries;
  if (single && primary && s.peer_role == Role::primary) return StateCode::two_primaries;
  if (single && primary && context.other_volume_peer_primary) return StateCode::peer_volume_primary;
  if (s.role == Role::secondary && context.device_open) return StateCode::device_in_use;
  if (primary && s.connection < C::connected && s.disk < D::up_to_date) {
    return StateCode::no_up_to_date_disk;
  }
  if (context.fencing >= Fencing::resource_only && primary && s.connection < C::connected &&
      s.peer_disk >= D::d_unknown) {
    return StateCode::primary_nop;
  }
  if (primary && s.disk <= D::inconsistent && s.peer_disk <= D::inconsistent) {
    return StateCode::no_up_to_date_disk;
  }
  if (s.connection > C::connected) {
    if (s.disk < D::inconsistent) return StateCode::no_local_disk;
    if (s.peer_disk < D::inconsistent) return StateCode::no_remote_disk;
    if (s.disk < D::up_to_date && s.peer_disk < D::up_to_date) {
      return StateCode::no_up_to_date_disk;
    }
  }
  const bool needs_fresh = s.connection == C::connected || s.connection == C::wf_bitmap_s ||
                           s.connection == C::sync_source || s.connection == C::paused_sync_s;
  if (needs_fresh && s.disk == D::outdated) return StateCode::connected_outdates;
  if (s.connection == C::verify_s || s.connection == C::verify_t) {
    if (!context.verify_alg_set) return StateCode::no_verify_alg;
    if (context.agreed_version < 88) return StateCode::not_supported;
  }
  if (primary_without_data(s)) return StateCode::no_up_to_date_disk;
  const bool starting = s.connection == C::starting_sync_s || s.connection == C::starting_sync_t;
  if (starting && s.peer_disk == D::d_unknown) return StateCode::need_connection;
  if (s.connection >= C::connected && s.peer_disk == D::d_unknown) {
    return StateCode::connected_outdates;
  }
  return StateCode::success;
}

// The last rule that matches wins.
StateCode is_valid_soft_transition(const VolumeState& o, const VolumeState& n,
                                   const StateContext& context) noexcept {
  StateCode code = StateCode::success;
  const auto to = [&](C state) { return n.connection == state && o.connection != state; };
  const bool starts_sync = to(C::starting_sync_s) || to(C::starting_sync_t);
  const bool starts_verify = to(C::verify_s) || to(C::verify_t);
  if (starts_sync && o.connection > C::connected) code = StateCode::resync_running;
  if (to(C::disconnecting) && o.connection == C::stand_alone) {
    code = StateCode::already_stand_alone;
  }
  if (n.disk > D::attaching && o.disk == D::diskless) code = StateCode::is_diskless;
  if (to(C::wf_connection) && o.connection < C::unconnected) code = StateCode::no_net_config;
  if (n.disk == D::outdated && o.disk < D::outdated && o.disk != D::attaching) {
    code = StateCode::lower_than_outdated;
  }
  if (to(C::disconnecting) && o.connection == C::unconnected) {
    code = StateCode::in_transient_state;
  }
  const bool part_of_handshake =
      (o.connection == C::wf_connection && n.connection == C::wf_report_params) ||
      (o.connection == C::wf_report_params && n.connection >= C::connected);
  if (context.handshake_in_progress && !part_of_handshake) code = StateCode::in_transient_state;
  if (n.role == Role::primary && o.role != Role::primary && n.peer_disk == D::up_to_date &&
      n.disk != D::up_to_date && n.disk != D::diskless &&
      (n.connection <= C::wf_sync_uuid || n.connection != o.connection)) {
    code = StateCode::in_transient_state;
  }
  if (starts_verify && o.connection < C::connected) code = StateCode::need_connection;
  if (starts_verify && o.connection > C::connected) code = StateCode::resync_running;
  if (starts_sync && o.connection < C::connected) code = StateCode::need_connection;
  if ((to(C::sync_source) || to(C::sync_target)) && o.connection < C::wf_report_params) {
    code = StateCode::need_connection;
  }
  if (to(C::disconnecting) && n.peer_disk == D::outdated && o.connection < C::connected &&
      o.peer_disk > D::outdated) {
    code = StateCode::outdate_without_connection;
  }
  return code;
}

StateCode is_valid_transition(const VolumeState& o, const VolumeState& n) noexcept {
  StateCode code = StateCode::success;
  if (n.connection != o.connection) {
    const C from = o.connection;
    const C next = n.connection;
    if (from == C::stand_alone && next == C::disconnecting) code = StateCode::already_stand_alone;
    else if (from == C::stand_alone && next != C::unconnected) code = StateCode::need_connection;
    else if (from < C::wf_report_params && next >= C::connected) code = StateCode::need_connection;
    else if (from >= C::timeout && from <= C::tear_down && next != C::unconnected &&
             next != C::disconnecting)
      code = StateCode::in_transient_state;
    else if (from == C::disconnecting && next != C::stand_alone)
      code = StateCode::in_transient_state;
  }
  if (n.disk == D::failed && o.disk == D::diskless) code = StateCode::is_diskless;
  return code;
}

StateVerdict judge(const VolumeState& old_state, StateDelta delta, bool hard,
                   const StateContext& context) noexcept {
  StateVerdict verdict;
  verdict.next = sanitize(old_state, delta.applied_to(old_state), context);
  if (verdict.next == old_state) {
    verdict.code = StateCode::nothing_to_do;
    return verdict;
  }
  verdict.code = is_valid_transition(old_state, verdict.next);
  if (verdict.code != StateCode::success || hard) return verdict;
  const StateCode validity = is_valid_state(verdict.next, context);
  if (validity == StateCode::success || is_valid_state(old_state, context) == validity) {
    verdict.code = is_valid_soft_transition(old_state, verdict.next, context);
  } else {
    verdict.code = validity;
  }
  return verdict;
}

bool needs_cluster_wide(const VolumeState& o, const VolumeState& n) noexcept {
  if (o.connection < C::connected || n.connection < C::connected) return false;
  const bool promotes = o.role != Role::primary && n.role == Role::primary;
  const bool syncs = (n.connection == C::starting_sync_t || n.connection == C::starting_sync_s) &&
                     n.connection != o.connection;
  const bool detaches = o.disk != D::failed && n.disk == D::failed;
  const bool verifies = o.connection == C::connected && n.connection == C::verify_s;
  return promotes || syncs || detaches || verifies;
}

StateDelta from_peer_view(std::uint32_t mask, std::uint32_t value) noexcept {
  const auto swapped = [](std::uint32_t word) {
    VolumeState theirs = unpack_state(word);
    VolumeState mine = theirs;
    mine.role = theirs.peer_role;
    mine.peer_role = theirs.role;
    mine.disk = theirs.peer_disk;
    mine.peer_disk = theirs.disk;
    mine.sync_paused_by_peer = theirs.sync_paused_by_dependency || theirs.sync_paused_by_user;
    switch (theirs.connection) {
      case C::wf_report_params:
      case C::connected:
      case C::mask: break;
      case C::starting_sync_s: mine.connection = C::starting_sync_t; break;
      case C::starting_sync_t: mine.connection = C::starting_sync_s; break;
      case C::disconnecting: mine.connection = C::tear_down; break;
      case C::verify_s: mine.connection = C::verify_t; break;
      default: mine.connection = C::stand_alone; break;
    }
    return pack(mine);
  };
  StateDelta delta;
  delta.mask = swapped(mask);
  delta.value = swapped(value) & delta.mask;
  return delta;
}

bool peer_may_request(StateDelta wanted) noexcept {
  constexpr std::uint32_t role_bits = 0x3, peer_role_bits = 0xc, connection_bits = 0x1f0;
  constexpr std::uint32_t disk_bits = 0x1e00, peer_disk_bits = 0x1e000;
  constexpr std::uint32_t known =
      role_bits | peer_role_bits | connection_bits | disk_bits | peer_disk_bits;
  if ((wanted.mask & ~known) != 0 || (wanted.mask & role_bits) != 0) return false;
  for (const std::uint32_t field : {peer_role_bits, connection_bits, disk_bits, peer_disk_bits}) {
    if ((wanted.mask & field) != 0 && (wanted.mask & field) != field) return false;
  }
  const VolumeState s = unpack_state(wanted.value);
  if ((wanted.mask & peer_role_bits) != 0 && s.peer_role != Role::primary &&
      s.peer_role != Role::secondary) {
    return false;
  }
  if ((wanted.mask & disk_bits) != 0 && s.disk != D::outdated) return false;
  if ((wanted.mask & peer_disk_bits) != 0 &&
      (s.peer_disk == D::d_unknown || s.peer_disk > D::up_to_date)) {
    return false;
  }
  if ((wanted.mask & connection_bits) == 0) return true;
  return s.connection == C::tear_down || s.connection == C::wf_report_params ||
         s.connection == C::starting_sync_s || s.connection == C::starting_sync_t ||
         s.connection == C::verify_t;
}

bool log_counts(const VolumeState& s) noexcept {
  return s.role == Role::primary || (s.peer_disk < D::inconsistent && s.peer_role == Role::primary);
}

Duties after_change(const VolumeState& o, const VolumeState& n,
                    const StateContext& context) noexcept {
  Duties duties;
  const bool had_peer_data =
      o.peer_disk >= D::inconsistent && o.peer_disk != D::d_unknown && o.peer_disk != D::outdated;
  const bool lost =
      n.peer_disk < D::inconsistent || n.peer_disk == D::d_unknown || n.peer_disk == D::outdated;
  const bool lost_peer_data =
      (had_peer_data && lost) ||
      (o.peer_disk == D::d_unknown && (n.peer_disk == D::diskless || n.peer_disk == D::attaching ||
                                       n.peer_disk == D::failed || n.peer_disk == D::outdated));
  const bool primary_somewhere = n.role == Role::primary || n.peer_role == Role::primary;
  const bool may_rotate = context.bitmap_uuid == 0 && n.disk == D::up_to_date;
  if (lost_peer_data && primary_somewhere && may_rotate) {
    if (n.suspended()) duties.new_current_uuid_owed = true;
    else duties.new_current_uuid = true;
  }
  // A Primary whose disk comes back while nobody knows what the peer does: it goes on alone from
  // here, and equal generations would say otherwise.
  const bool goes_on_alone = n.role == Role::primary && n.connection < C::connected &&
                             o.disk < D::inconsistent && may_rotate;
  if (goes_on_alone) {
    if (n.suspended()) duties.new_current_uuid_owed = true;
    else duties.new_current_uuid = true;
  }
  if (n.peer_disk < D::inconsistent && n.connection >= C::connected && may_rotate &&
      o.peer_role == Role::secondary && n.peer_role == Role::primary) {
    duties.new_current_uuid = true;
  }
  const bool connected = n.connection >= C::connected;
  duties.send_uuids = duties.new_current_uuid && connected;
  const bool own_disk_going = o.disk != n.disk && (n.disk == D::failed || n.disk == D::diskless);
  const bool pause_changed = o.sync_paused_by_dependency != n.sync_paused_by_dependency ||
                             o.sync_paused_by_user != n.sync_paused_by_user;
  const bool newly_connected = o.connection == C::wf_report_params && connected;
  // By its own disk's failure with pass_on, or as a target whose source went before the resync.
  const bool was_better = o.disk == D::up_to_date || o.disk == D::outdated;
  const bool became_inconsistent = was_better && n.disk == D::inconsistent &&
                                   n.connection == C::connected && o.connection >= C::connected;
  const bool peer_attached = o.peer_disk == D::diskless && n.peer_disk > D::diskless && connected &&
                             o.connection >= C::connected;
  if (peer_attached) duties.send_uuids = true;
  duties.introduce_disk = o.disk == D::attaching && n.disk == D::negotiating;
  // The peer does not know the stop sector. Versions 97 to 99 and from 101 on listen to that.
  const bool verify_ended = o.connection == C::verify_s && n.connection == C::connected &&
                            context.agreed_version >= 97 && context.agreed_version != 100;
  duties.send_state = connected && (own_disk_going || verify_ended || pause_changed ||
                                    newly_connected || became_inconsistent || peer_attached ||
                                    (n.connection == C::ahead && o.connection != C::ahead));
  const bool sync_ended = o.connection > C::connected && n.connection <= C::connected;
  // After a crash the activity log will no longer speak for the disk (E2).
  const bool log_forgotten = log_counts(o) && !log_counts(n);
  duties.write_bitmap = sync_ended || log_forgotten || own_disk_going;
  duties.clear_crashed_primary = n.disk == D::up_to_date && n.peer_disk == D::up_to_date &&
                                 (o.disk != n.disk || o.peer_disk != n.peer_disk);
  duties.detached = own_disk_going;
  duties.without_good_data = primary_without_data(n) && !primary_without_data(o);
  return duties;
}

namespace {
constexpr std::uint32_t md_consistent = 0x001;
constexpr std::uint32_t md_primary = 0x002;
constexpr std::uint32_t md_connected = 0x004;
constexpr std::uint32_t md_was_up_to_date = 0x010;
constexpr std::uint32_t md_peer_outdated = 0x020;
constexpr std::uint32_t md_crashed_primary = 0x040;
constexpr std::uint32_t md_computed = md_consistent | md_primary | md_connected |
                                      md_was_up_to_date | md_peer_outdated | md_crashed_primary;
}  // namespace

std::uint32_t superblock_flags(const VolumeState& s, bool crashed_primary, std::uint32_t previous,
                               bool log_owed) noexcept {
  std::uint32_t flags = previous & ~md_computed;
  if (s.disk <= D::negotiating) return previous;  // says nothing new about the data
  if (s.disk > D::inconsistent) flags |= md_consistent;
  if (log_counts(s) || log_owed) flags |= md_primary;
  if (s.connection > C::wf_report_params) flags |= md_connected;
  if (s.disk > D::outdated) flags |= md_was_up_to_date;
  if (s.peer_disk <= D::outdated && s.peer_disk >= D::inconsistent) flags |= md_peer_outdated;
  if (crashed_primary) flags |= md_crashed_primary;
  return flags;
}

VolumeState state_from_superblock(std::uint32_t flags, Fencing fencing) noexcept {
  VolumeState s;
  if ((flags & md_consistent) == 0) s.disk = D::inconsistent;
  else if ((flags & md_was_up_to_date) == 0) s.disk = D::outdated;
  else s.disk = D::consistent;
  s.peer_disk = (flags & md_peer_outdated) != 0 ? D::outdated : D::d_unknown;
  if (s.disk == D::consistent && (s.peer_disk == D::outdated || fencing == Fencing::dont_care)) {
    s.disk = D::up_to_date;
  }
  return s;
}

std::string describe_change(const VolumeState& o, const VolumeState& n) {
  std::string line;
  const auto add = [&line](std::string_view field, std::string_view from, std::string_view to) {
    if (from == to) return;
    if (!line.empty()) line += ' ';
    line.append(field).append("( ").append(from).append(" -> ").append(to).append(" )");
  };
  const auto add_flag = [&add](std::string_view field, bool from, bool to) {
    add(field, from ? "1" : "0", to ? "1" : "0");
  };
  add("peer", name(o.peer_role), name(n.peer_role));
  add("role", name(o.role), name(n.role));
  add("conn", name(o.connection), name(n.connection));
  add("disk", name(o.disk), name(n.disk));
  add("pdsk", name(o.peer_disk), name(n.peer_disk));
  add_flag("susp", o.suspended(), n.suspended());
  add_flag("aftr_isp", o.sync_paused_by_dependency, n.sync_paused_by_dependency);
  add_flag("peer_isp", o.sync_paused_by_peer, n.sync_paused_by_peer);
  add_flag("user_isp", o.sync_paused_by_user, n.sync_paused_by_user);
  return line;
}

}  // namespace replicator
