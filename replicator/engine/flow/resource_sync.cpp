// Commands about the resync itself: pause and resume, everything anew, and nothing at all.
//   E2, G5  a bitmap that is emptied goes with generations that say so
// Normative: docs/operations.md#pausing, docs/handshake.md#generations.
#include "base/log.hpp"
#include "engine/admin_codes.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"

namespace replicator {

namespace {

using C = ConnectionState;
using D = DiskState;

bool refused(StateCode code) { return static_cast<int>(code) < 1; }

constexpr int version_with_skip = 90;

}  // namespace

Task<AdminResult> Resource::pause_sync(std::uint32_t number, bool pause) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  StateDelta delta;
  delta.sync_paused_by_user(pause);
  const StateCode code = co_await change_cluster_wide(*target, delta);
  if (refused(code)) co_return AdminResult(static_cast<std::int32_t>(code));
  co_await settled();
  if (code != StateCode::nothing_to_do) co_return AdminResult();
  if (pause) co_return AdminResult(admin_pause_already_set);
  const VolumeState& now = target->state_;
  if (now.connection == C::paused_sync_s || now.connection == C::paused_sync_t) {
    if (now.sync_paused_by_dependency) co_return AdminResult(admin_pause_by_dependency);
    if (now.sync_paused_by_peer) co_return AdminResult(admin_pause_by_peer);
  }
  co_return AdminResult(admin_pause_already_clear);
}

// Everything here is to be copied from (or, remote, to) the peer again. A StandAlone node notes it
// for the next connection: a Secondary about itself, a Primary about the peer.
Task<AdminResult> Resource::invalidate(std::uint32_t number, bool remote) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  if (target->backing_ == nullptr) co_return AdminResult(admin_no_disk);
  StateDelta delta;
  const Role alone = remote ? Role::primary : Role::secondary;
  if (target->state_.connection != C::stand_alone || target->state_.role != alone) {
    delta.connection(remote ? C::starting_sync_s : C::starting_sync_t);
    const StateCode code = co_await change_cluster_wide(*target, delta);
    if (refused(code)) co_return AdminResult(static_cast<std::int32_t>(code));
    co_await settled();
    co_return AdminResult();
  }
  if (remote) delta.peer_disk(D::inconsistent);
  else delta.disk(D::inconsistent);
  const StateCode code = change(*target, delta, false);
  if (refused(code)) co_return AdminResult(static_cast<std::int32_t>(code));
  const Status marked = co_await target->backing_->set_all_with_full_sync_flag();
  if (!marked.ok()) co_return AdminResult(admin_meta_io);
  co_await settled();
  co_return AdminResult();
}

// A new data generation by hand. With `clear_bitmap` both disks of a pair that never synced are
// declared equal: the first full sync is skipped.
Task<AdminResult> Resource::new_current_uuid(std::uint32_t number, bool clear_bitmap) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  if (!target->has_disk()) co_return AdminResult(admin_no_disk);
  GenerationSet& own = target->backing_->superblock().generations;
  const bool skip = target->state_.connection == C::connected && connection_ &&
                    connection_->agreed_version() >= version_with_skip &&
                    own.current == uuid_just_created && clear_bitmap;
  if (!skip && target->state_.connection != C::stand_alone) co_return AdminResult(admin_connected);
  own.clear_bitmap();
  rotate_generation(*target, GenerationCause::by_hand);
  if (clear_bitmap) target->backing_->bitmap().clear_all();
  if (skip) {
    log::info("{}/{} Preparing to skip initial sync", name_, number);
    connection_->send_uuids(*target, uuid_flag_skip_initial_sync);
    own.bitmap = 0;
    note_generation(*target, GenerationCause::initial_sync_skipped);
    declare_both_up_to_date(*target);
  }
  const Status stored = co_await store_generation(*target);
  co_await settled();
  co_return stored.ok() ? AdminResult() : AdminResult(admin_meta_io);
}

// The peer declares a pair that never synced equal, and this node agrees when it never did either.
Task<Status> Resource::peer_skips_initial_sync(Volume& volume, std::uint64_t current) {
  GenerationSet& own = volume.backing_->superblock().generations;
  if (volume.state_.connection != C::connected || own.current != uuid_just_created) {
    co_return Status();
  }
  log::info("{}/{} Accepted new current UUID, preparing to skip initial sync", name_,
            volume.number());
  volume.backing_->bitmap().clear_all();
  own.set_current(current, volume.state_.role == Role::primary);
  own.bitmap = 0;
  volume.exposed_uuid_ = own.current;
  note_generation(volume, GenerationCause::initial_sync_skipped);
  declare_both_up_to_date(volume);
  co_return co_await store_generation(volume);
}

void Resource::declare_both_up_to_date(Volume& volume) {
  StateDelta delta;
  delta.disk(D::up_to_date).peer_disk(D::up_to_date);
  const StateCode code = change(volume, delta, false);
  if (refused(code)) log::warning("{}/{} {}", name_, volume.number(), text(code));
}

// Bitmap and superblock as they are now.
Task<Status> Resource::store_generation(Volume& volume) {
  if (!volume.has_disk()) co_return Status();
  const std::uint64_t reached = volume.generation_changes_;
  Status stored = co_await volume.backing_->write_changed_bitmap_pages();
  if (stored.ok()) {
    const Status written = co_await volume.backing_->write_superblock();
    stored = written;
  }
  if (!stored.ok()) local_disk_failed(volume);
  else if (volume.generation_stable_ < reached) volume.generation_stable_ = reached;
  co_return stored;
}

}  // namespace replicator
