// The rules of DRBD's state engine as pure functions: what a wanted change implies (sanitize),
// whether the result may exist, whether one may get there from here, who has to be asked, and what
// has to be done afterwards. Normative: docs/handshake.md#state-rules. No I/O, no clock, no
// globals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/config.hpp"
#include "protocol/state_delta.hpp"
#include "protocol/states.hpp"

namespace replicator {

// DRBD's numbers; they travel on the wire and are printed to operators.
enum class StateCode : std::int8_t {
  no_longer_cluster_wide = 4,
  cluster_wide_success = 3,
  nothing_to_do = 2,
  success = 1,
  unknown_error = 0,
  two_primaries = -1,
  no_up_to_date_disk = -2,
  no_local_disk = -4,
  no_remote_disk = -5,
  connected_outdates = -6,
  primary_nop = -7,
  resync_running = -8,
  already_stand_alone = -9,
  refused_by_peer = -10,
  is_diskless = -11,
  device_in_use = -12,
  no_net_config = -13,
  no_verify_alg = -14,
  need_connection = -15,
  lower_than_outdated = -16,
  not_supported = -17,
  in_transient_state = -18,
  concurrent_changes = -19,
  peer_volume_primary = -20,
  outdate_without_connection = -21,
};
std::string_view text(StateCode code) noexcept;

// What the rules need to know beside the two states.
struct StateContext {
  bool has_net_config = false;
  bool two_primaries = false;
  bool device_open = false;
  bool other_volume_peer_primary = false;
  bool verify_alg_set = false;
  bool target_may_be_done = false;     // we are SyncSource and it has acknowledged everything
  bool only_new_storage = false;       // … is what this WFSyncUUID is about; the rest is current
  bool handshake_in_progress = false;  // our first P_STATE is out, the peer's not yet evaluated
  Fencing fencing = Fencing::dont_care;
  OnNoData on_no_data = OnNoData::io_error;
  int agreed_version = 0;
  std::uint64_t exposed_uuid = 0;
  std::uint64_t on_disk_current_uuid = 0;
  bool peer_has_newer = false;  // writes were answered that only the peer's disk has
  std::uint64_t bitmap_uuid = 0;
  VolumeState attach_state;  // what attaching alone would make of the disk
};

struct StateVerdict {
  StateCode code = StateCode::unknown_error;
  VolumeState next;
};

// Implied changes (docs/handshake.md#implied-changes), in order. Idempotent.
VolumeState sanitize(const VolumeState& old_state, const VolumeState& wanted,
                     const StateContext& context) noexcept;
StateCode is_valid_state(const VolumeState& next, const StateContext& context) noexcept;
StateCode is_valid_soft_transition(const VolumeState& old_state, const VolumeState& next,
                                   const StateContext& context) noexcept;
StateCode is_valid_transition(const VolumeState& old_state, const VolumeState& next) noexcept;

// The one door: code < 1 refuses; nothing_to_do or success carries the next state. `hard`: the
// change is a fact (network loss, disk error), only the hard rules apply.
StateVerdict judge(const VolumeState& old_state, StateDelta delta, bool hard,
                   const StateContext& context) noexcept;

// A Primary that reaches no UpToDate disk (S6).
bool primary_without_data(const VolumeState& state) noexcept;

// Volume-level changes that need the peer's consent.
bool needs_cluster_wide(const VolumeState& old_state, const VolumeState& next) noexcept;
// A request of the peer in our own view: role and peer role, disk and peer disk swapped, connection
// states mapped.
StateDelta from_peer_view(std::uint32_t mask, std::uint32_t value) noexcept;
// Such a request, in our view, names what is the peer's to change: its own role and disk, the
// connection, and our disk only to outdate it. Whole fields, numbers that mean something (P5).
bool peer_may_request(StateDelta wanted) noexcept;

// What follows from a change.
struct Duties {
  bool new_current_uuid = false;       // rotate now (G3)
  bool new_current_uuid_owed = false;  // rotate when I/O resumes
  bool send_uuids = false;
  bool send_state = false;
  // Resync parameters, size, generations, state, in this order and before anything else that tells
  // the state: the peer decides at the sight of a disk that negotiates.
  bool introduce_disk = false;
  bool write_bitmap = false;  // changed pages
  bool clear_crashed_primary = false;
  bool detached = false;           // the disk is gone or going
  bool without_good_data = false;  // a Primary lost the last UpToDate data it could reach
};
Duties after_change(const VolumeState& old_state, const VolumeState& next,
                    const StateContext& context) noexcept;

// Superblock flags of a state; explicit flags (full sync, AL bits) are kept from `previous`.
// `log_owed`: what only the activity log knows of is not in the bitmap on media yet.
std::uint32_t superblock_flags(const VolumeState& state, bool crashed_primary,
                               std::uint32_t previous, bool log_owed = false) noexcept;
// The disk takes writes that only its activity log knows of: a Primary's, or the only copy of one.
bool log_counts(const VolumeState& state) noexcept;
// What a superblock alone says of the disk (attach while not connected).
VolumeState state_from_superblock(std::uint32_t flags, Fencing fencing) noexcept;

// "conn( A -> B ) disk( C -> D )": the fields that differ, as the kernel logs them.
std::string describe_change(const VolumeState& old_state, const VolumeState& next);

}  // namespace replicator
