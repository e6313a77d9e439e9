// What a decided handshake asks for before it holds: the administrator's handlers are told of a
// split brain, and a Primary that a policy made the victim gives up its role.
//   G1, G2  nobody's data is given up without a policy or an administrator that says so
//   S4      a Primary that is in use keeps its role, whatever the policy
//   S3      frozen writes reach the peer before they are answered
// Normative: docs/handshake.md#split-brain-policies.
#include <utility>

#include "base/log.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

Task<int> Connection::call_handler(Volume& volume, const char* handler) {
  ++in_handler_;
  const int code = co_await resource_.call_handler(volume, handler);
  --in_handler_;
  co_return code;
}

Task<std::optional<SyncDecision>> Connection::settle_decision(Volume& volume, HandshakeSide mine,
                                                              HandshakeSide theirs) {
  using Outcome = SyncDecision::Outcome;
  SyncDecision decision = decide_sync(mine, theirs, terms());
  log_handshake(volume, mine, theirs, decision);
  if (decision.initial_split_brain) {
    const int code = co_await call_handler(volume, "initial-split-brain");
    static_cast<void>(code);
  }
  if (decision.demote_first && decision.outcome != Outcome::refuse && established_) {
    const bool gave_up = co_await resource_.give_up_primary();
    if (!gave_up && established_) {
      const int code = co_await call_handler(volume, "pri-lost-after-sb");
      static_cast<void>(code);
      if (!established_) co_return std::optional<SyncDecision>();
      HandshakeTerms without = terms();
      without.may_demote = false;
      decision = decide_sync(mine, theirs, without);
    }
  }
  if (!established_) co_return std::optional<SyncDecision>();
  log_solution(volume, decision);
  resource_.note_split_brain(volume, decision);
  if (decision.outcome != Outcome::refuse) co_return decision;
  log::error("{}/{} {}", resource_.name(), volume.number(), decision.reason);
  note_trouble(LinkTrouble::handshake_refused, decision.reason);
  const char* handler = decision.split_brain ? "split-brain" : "pri-lost";
  if (decision.split_brain || decision.pri_lost) {
    const int code = co_await call_handler(volume, handler);
    static_cast<void>(code);
  }
  co_return std::optional<SyncDecision>();
}

void Connection::log_solution(const Volume& volume, const SyncDecision& decision) const {
  const char* node = decision.outcome == SyncDecision::Outcome::target ? "peer" : "this";
  const bool solved = decision.outcome != SyncDecision::Outcome::refuse;
  if (decision.solved_by_policy && solved) {
    log::warning(
        "{}/{} Split-Brain detected, {} primaries, automatically solved. Sync from {} node",
        resource_.name(), volume.number(), decision.primaries, node);
    if (decision.ambiguous) {
      log::warning("{}/{} Doing a full sync, since UUIDs where ambiguous.", resource_.name(),
                   volume.number());
    }
  }
  if (decision.solved_by_hand && solved) {
    log::warning("{}/{} Split-Brain detected, manually solved. Sync from {} node", resource_.name(),
                 volume.number(), node);
  }
  if (decision.violent && solved) {
    log::warning("{}/{} Becoming SyncTarget, violating the stable-data assumption",
                 resource_.name(), volume.number());
  }
}

Task<bool> Connection::may_resync(Volume& volume, bool source) {
  const char* handler = source ? "before-resync-source" : "before-resync-target";
  const int code = co_await call_handler(volume, handler);
  if (code == 0) co_return true;
  // What tools older than this handler answer.
  const bool ignored = source && code == 3;
  log::info("{}/{} {} handler returned {}, {}", resource_.name(), volume.number(), handler, code,
            ignored ? "ignoring. Old userland tools?" : "dropping connection.");
  co_return ignored;
}

// The peer has found equal generations, or will; the new one and the state that follow make it
// decide again. Writes that were frozen DRBD sends again instead: what the peer had acknowledged
// and not made stable would then be believed to be on its disk; this way it is copied (D5).
Task<std::optional<ConnectionState>> Connection::resync_marked_blocks(Volume& volume) {
  volume.generation_owed_ = false;
  resource_.rotate_generation(volume, GenerationCause::marked_blocks_copied);
  const std::uint64_t reached = volume.generation_changes_;
  const Status written = co_await volume.backing_->write_superblock();
  if (!written.ok()) {
    resource_.local_disk_failed(volume);
    co_return std::optional<ConnectionState>();
  }
  if (volume.generation_stable_ < reached) volume.generation_stable_ = reached;
  if (!established_) co_return std::optional<ConnectionState>();
  send_uuids(volume);
  co_return ConnectionState::wf_bitmap_s;
}

// The same while connected, for what a verify marked: the peer decides anew at the sight of a
// generation that continues its own, as it does when a disk is attached.
Task<StateCode> Connection::send_marked_blocks(Volume& volume) {
  const std::optional<ConnectionState> begun = co_await resync_marked_blocks(volume);
  const bool still = begun && established_ && volume.state_.disk == DiskState::up_to_date &&
                     volume.state_.connection == ConnectionState::connected;
  if (!still) co_return StateCode::in_transient_state;
  StateDelta delta;
  delta.connection(ConnectionState::wf_bitmap_s);
  const StateCode code = resource_.change(volume, delta, true);
  if (static_cast<int>(code) < 1) co_return code;
  send_state(volume);
  if (bitmap_volume_ == &volume) forget_bitmap_transfer();
  link_tasks_.start(offer_bitmap(volume));
  co_return StateCode::success;
}

// The rules of an ordinary demotion would wait for the end of the handshake that waits for this.
Task<bool> Resource::give_up_primary() {
  if (role_ != Role::primary) co_return true;
  if (let_go_of_devices) {
    Task<bool> letting_go = let_go_of_devices();
    const bool closed = co_await letting_go;
    if (!closed) co_return false;
  }
  for (const std::unique_ptr<Volume>& each : volumes_) {
    if (each->is_open()) co_return false;
  }
  for (const std::unique_ptr<Volume>& each : volumes_) {
    StateDelta delta;
    delta.role(Role::secondary);
    change(*each, delta, true);
    each->role_settled_ = false;
    if (each->backing_) each->backing_->superblock().generations.current &= ~1ULL;
  }
  role_ = Role::secondary;
  changed.notify_all();
  log::warning("{} Successfully gave up primary role.", name_);
  // Without "was Primary" on the disk a crash would not replay the activity log (E2).
  co_await settled();
  co_return true;
}

}  // namespace replicator
