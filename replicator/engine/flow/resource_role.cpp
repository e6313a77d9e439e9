// Promotion and demotion, and state changes that need the peer's consent.
//   S1  the peer is asked before this node becomes Primary; no promotion slips into a handshake
//   S2  promotion needs good data; force makes an Inconsistent disk UpToDate, and is logged
//   S4  a device that is open is not demoted
//   D2  "was Primary" is on media before the first write is accepted (Volume::role_settled)
// Normative: docs/handshake.md#roles.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "engine/admin_codes.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

constexpr int promotion_tries = 4;
constexpr std::uint32_t peer_disk_field = 0x1e000;

bool succeeded(StateCode code) { return static_cast<int>(code) >= 1; }

}  // namespace

Task<AdminResult> Resource::set_role(Role role, bool force) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  if (volumes_.empty()) co_return AdminResult(admin_minor_invalid, "unknown minor");
  if (role == role_) co_return AdminResult();
  if (role == Role::primary) co_return co_await promote(force);
  co_return co_await demote();
}

// Asks the rules here, then the peer when the change concerns both, then applies.
Task<StateCode> Resource::change_cluster_wide(Volume& volume, StateDelta delta) {
  for (;;) {
    const StateVerdict verdict = judge(volume.state_, delta, false, context(volume));
    if (verdict.code == StateCode::in_transient_state) {
      // A handshake is in progress: decide again when it is over (S1).
      io::Event::Wait wait(changed);
      co_await wait;
      continue;
    }
    if (!succeeded(verdict.code)) co_return verdict.code;
    if (!connection_ || !connection_->established() ||
        !needs_cluster_wide(volume.state_, verdict.next)) {
      co_return change(volume, delta, false);
    }
    volume.peer_.uuids_during_change = false;
    const std::int32_t reply = co_await connection_->ask_peer(&volume, delta.mask, delta.value);
    if (reply == connection_was_lost) continue;
    if (reply < 1) {
      log::info("{}/{} state change refused by the peer: {}", name_, volume.number(), reply);
      co_return StateCode::refused_by_peer;
    }
    const StateCode code = change(volume, delta, false);
    // The peer's answer may arrive after the generation that it began for us without our disk.
    if (volume.state_.disk < DiskState::inconsistent && volume.peer_.uuids_during_change) {
      volume.exposed_uuid_ = volume.peer_.uuids->current;
    }
    if (code != StateCode::in_transient_state) co_return code;
  }
}

Task<AdminResult> Resource::promote(bool force) {
  if (connection_ && connection_->established()) {
    // A dead peer is found out before it is asked.
    const bool alive = co_await connection_->ping_peer();
    static_cast<void>(alive);
  }
  std::vector<Volume*> promoted;
  for (const std::unique_ptr<Volume>& each : volumes_) {
    bool forced = false;
    const StateCode code = co_await try_promote(*each, force, forced);
    if (!succeeded(code)) {
      for (Volume* volume : promoted)
        co_await demote_volume(*volume);
      co_return AdminResult(static_cast<std::int32_t>(code));
    }
    promoted.push_back(each.get());
    const Status settled_here = co_await settle_promotion(*each, forced);
    if (!settled_here.ok()) {
      for (Volume* volume : promoted)
        co_await demote_volume(*volume);
      co_return AdminResult(admin_meta_io, "cannot write the superblock");
    }
  }
  role_ = Role::primary;
  changed.notify_all();
  co_return AdminResult();
}

Task<StateCode> Resource::try_promote(Volume& volume, bool force, bool& forced) {
  StateDelta delta;
  delta.role(Role::primary);
  StateCode code = StateCode::unknown_error;
  bool waited_for_peer = false;
  for (int attempt = 0; attempt < promotion_tries; ++attempt) {
    code = co_await change_cluster_wide(volume, delta);
    if (succeeded(code)) co_return code;
    const DiskState disk = volume.state_.disk;
    if (code == StateCode::no_up_to_date_disk && force && disk >= DiskState::inconsistent &&
        disk < DiskState::up_to_date) {
      log::warning("{}/{} forced to consider the local data as UpToDate", name_, volume.number());
      delta.disk(DiskState::up_to_date);
      forced = true;
      continue;
    }
    // Nobody has said yet that the peer is not in use (S2).
    const bool peer_untold = (delta.mask & peer_disk_field) == 0;
    if (code == StateCode::refused_by_peer && !peer_untold) {
      // It is back: it answers for itself.
      delta.mask &= ~peer_disk_field;
      delta.value &= ~peer_disk_field;
      continue;
    }
    if (code == StateCode::no_up_to_date_disk && disk == DiskState::consistent && peer_untold) {
      const bool fenced = co_await fence_peer();
      if (fenced) delta.disk(DiskState::up_to_date);
      continue;
    }
    if (code == StateCode::primary_nop && peer_untold) {
      const bool fenced = co_await fence_peer();
      if (!fenced && force) {
        log::warning("{}/{} Forced into split brain situation!", name_, volume.number());
        delta.peer_disk(DiskState::outdated);
      }
      continue;
    }
    if (code == StateCode::two_primaries && !waited_for_peer && connection_) {
      waited_for_peer = true;
      io::Op op;
      world_.clock.sleep(op, Duration::tenths(connection_->options().ping_timeout_tenths + 1));
      co_await op;
      continue;
    }
    break;
  }
  co_return code;
}

// What must be true on both sides before the new Primary accepts a write.
Task<Status> Resource::settle_promotion(Volume& volume, bool forced) {
  // Writes of a peer that died may still be on their way to a slow disk. They are older than
  // anything written from now on and must not land on top of it (E4).
  io::RangeLock::Turn older(volume.incoming_writes_,
                            ByteRange(ByteOffset(0), ByteCount(volume.size_.value())));
  co_await older;
  older.release();
  if (volume.backing_ && volume.state_.disk > DiskState::failed) {
    GenerationSet& own = volume.backing_->superblock().generations;
    const bool alone = volume.state_.connection < ConnectionState::connected ||
                       volume.state_.peer_disk <= DiskState::failed;
    const GenerationCause cause =
        forced ? GenerationCause::promoted_by_force : GenerationCause::promoted_alone;
    if (forced || (alone && own.bitmap == 0)) rotate_generation(volume, cause);
    own.current |= 1U;
    volume.exposed_uuid_ = own.current;
  }
  if (connection_) connection_->options().discard_my_data = false;
  volume.peer_.we_discard = false;
  if (volume.has_disk()) {
    const std::uint64_t reached = volume.generation_changes_;
    const Status written = co_await volume.backing_->write_superblock();
    if (!written.ok()) {
      local_disk_failed(volume);
      co_return written;
    }
    volume.generation_stable_ = std::max(volume.generation_stable_, reached);
  }
  // Not before: what the peer knows of and this disk does not, nobody would have after a crash.
  if (connection_ && connection_->established()) {
    connection_->send_uuids(volume);
    connection_->send_state(volume);
  }
  volume.role_settled_ = true;
  changed.notify_all();
  co_return Status();
}

Task<AdminResult> Resource::demote() {
  for (const std::unique_ptr<Volume>& each : volumes_) {
    if (each->is_open()) co_return AdminResult(static_cast<std::int32_t>(StateCode::device_in_use));
  }
  for (const std::unique_ptr<Volume>& each : volumes_) {
    const StateCode code = co_await demote_volume(*each);
    if (!succeeded(code)) co_return AdminResult(static_cast<std::int32_t>(code));
  }
  role_ = Role::secondary;
  changed.notify_all();
  co_return AdminResult();
}

Task<StateCode> Resource::demote_volume(Volume& volume) {
  if (volume.state_.role != Role::primary) co_return StateCode::nothing_to_do;
  // Nothing may be in doubt when "was Primary" is taken off the disk: without it a crash would not
  // replay the activity log (E2).
  const Status flushed = co_await volume.flush_both();
  if (!flushed.ok()) {
    log::warning("{}/{} flush before demotion failed", name_, volume.number());
  }
  StateDelta delta;
  delta.role(Role::secondary);
  StateCode code = StateCode::in_transient_state;
  for (;;) {
    code = change(volume, delta, false);
    if (code != StateCode::in_transient_state) break;
    io::Event::Wait wait(changed);
    co_await wait;
  }
  if (!succeeded(code)) co_return code;
  volume.role_settled_ = false;
  if (volume.backing_) volume.backing_->superblock().generations.current &= ~1ULL;
  if (connection_ && connection_->established()) connection_->send_state(volume);
  co_await settled();
  co_return code;
}

// A request of the peer (P_STATE_CHG_REQ), already in our own view.
StateCode Resource::peer_requests(Volume* volume, std::uint32_t mask, std::uint32_t value) {
  StateDelta delta;
  delta.mask = mask;
  delta.value = value;
  if (!peer_may_request(delta)) {
    log::warning("{} peer requests a state change that is not its own: mask {:#x} value {:#x}",
                 name_, mask, value);
    return StateCode::unknown_error;
  }
  if (volume != nullptr) return change(*volume, delta, false);
  return change_all(delta, false);
}

StateCode Resource::judge_all(StateDelta delta) const {
  for (const std::unique_ptr<Volume>& each : volumes_) {
    const StateVerdict verdict = judge(each->state_, delta, false, context(*each));
    if (!succeeded(verdict.code)) return verdict.code;
  }
  return StateCode::success;
}

}  // namespace replicator
