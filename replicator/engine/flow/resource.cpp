#include "engine/flow/resource.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/sabotage.hpp"
#include "engine/decide/foreign_data.hpp"
#include "engine/decide/generation_cause.hpp"
#include "engine/flow/online_verify.hpp"
#include "engine/flow/resync.hpp"
#include "engine/flow/undo_log.hpp"
#include "engine/state_observer.hpp"

namespace replicator {

Resource::Resource(io::World& world, Memory memory, std::string name, ResourceOptions options,
                   ResyncOrder* order)
    : world_(world),
      memory_(memory),
      name_(std::move(name)),
      options_(std::move(options)),
      handlers_(world),
      order_(order != nullptr ? *order : own_order_) {
  order_.add(*this);
}

Resource::~Resource() { order_.remove(*this); }

void Resource::set_observer(StateObserver* observer) {
  observer_ = observer;
  handlers_.observed = [this](const io::HelperCall& call, std::optional<std::int32_t> status) {
    HelperNote note{call.handler, std::nullopt, status};
    for (const std::unique_ptr<Volume>& volume : volumes_) {
      if (call.object == "minor-" + std::to_string(volume->minor())) note.minor = volume->minor();
    }
    if (observer_ != nullptr) observer_->helper_noted(*this, note);
  };
}

void Resource::announce() {
  changed.notify_all();
  if (observer_ != nullptr) observer_->resource_changed(*this);
}

Volume* Resource::volume(std::uint32_t number) noexcept {
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    if (volume->number() == number) return volume.get();
  }
  return nullptr;
}

ResourceStatus Resource::status() const {
  ResourceStatus status;
  status.name = name_;
  status.has_connection = connection_ != nullptr;
  if (connection_) {
    status.protocol =
        static_cast<char>('A' + static_cast<int>(connection_->options().protocol) - 1);
    status.tls = connection_->options().tls;
    status.peer_name = connection_->peer_name();
    status.peer = connection_->peer();
  }
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    status.volumes.push_back(volume->status());
    if (connection_) status.volumes.back().epochs = connection_->epochs();
  }
  return status;
}

StateContext Resource::context(const Volume& volume) const noexcept {
  StateContext context;
  context.has_net_config = connection_ != nullptr;
  context.device_open = volume.is_open();
  // Without a disk there is nothing that the peer could be outdated against.
  if (volume.backing_) context.fencing = volume.disk_options_.fencing;
  context.on_no_data = options_.on_no_data_accessible;
  context.exposed_uuid = volume.exposed_uuid_;
  context.peer_has_newer = volume.peer_has_newer_;
  context.attach_state = volume.attach_state_;
  if (volume.backing_) {
    const GenerationSet& own = volume.backing_->superblock().generations;
    context.on_disk_current_uuid = own.current;
    context.bitmap_uuid = own.bitmap;
  }
  if (connection_) {
    const NetOptions& net = connection_->options();
    context.two_primaries = net.allow_two_primaries;
    context.verify_alg_set = !net.verify_alg.empty();
    context.agreed_version = connection_->agreed_version();
    context.handshake_in_progress = volume.peer_.state_sent;
    context.only_new_storage =
        volume.peer_.only_new_storage && volume.state_.connection == ConnectionState::wf_sync_uuid;
    context.target_may_be_done = volume.resync_ && volume.resync_->target_may_be_done();
    for (const std::unique_ptr<Volume>& other : volumes_) {
      if (other.get() != &volume && other->state_.peer_role == Role::primary) {
        context.other_volume_peer_primary = true;
      }
    }
  }
  return context;
}

StateCode Resource::change(Volume& volume, StateDelta delta, bool hard) {
  const StateVerdict verdict = judge(volume.state_, delta, hard, context(volume));
  if (verdict.code == StateCode::success) apply(volume, verdict.next);
  return verdict.code;
}

StateCode Resource::change_all(StateDelta delta, bool hard) {
  StateCode worst = StateCode::success;
  // All or none: judge first.
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    const StateVerdict verdict = judge(volume->state_, delta, hard, context(*volume));
    if (static_cast<int>(verdict.code) < 1) return verdict.code;
  }
  for (const std::unique_ptr<Volume>& volume : volumes_)
    worst = change(*volume, delta, hard);
  return worst;
}

// The only place where a volume's state is assigned.
void Resource::apply(Volume& volume, const VolumeState& next) {
  const VolumeState before = volume.state_;
  volume.state_ = next;
  if (next.disk == DiskState::up_to_date) volume.peer_has_newer_ = false;
  const bool target = next.connection == ConnectionState::sync_target ||
                      next.connection == ConnectionState::paused_sync_t;
  volume.marks_known_ = next.disk == DiskState::inconsistent && (target || volume.marks_known_);
  if (next.connection != ConnectionState::wf_sync_uuid) volume.peer_.only_new_storage = false;
  const auto went = [](DiskState from, DiskState to) {
    return from >= DiskState::inconsistent && to < DiskState::inconsistent;
  };
  if (went(before.disk, next.disk)) volume.disk_went();
  if (went(before.disk, next.disk) || went(before.peer_disk, next.peer_disk)) ++volume.disks_lost_;
  // A resync ends with the state it belongs to, whoever ended that.
  if (!is_syncing(next.connection)) retire_resync(volume);
  else if (volume.resync_) volume.resync_->state_changed();
  log::info("{}/{} {}", name_, volume.number(), describe_change(before, next));
  if (data_from_peer && data_become_the_peers(before, next)) data_from_peer(volume);
  follow_verify(volume, before);
  note_state_change(volume, before);
  const Duties duties = after_change(before, next, context(volume));
  duties_at_once(volume, before, duties);
  pending_.push_back(FollowUp{&volume, before, next, duties});
  if (!following_up_) {
    following_up_ = true;
    tasks_.start(follow_ups());
  }
  changed.notify_all();
  if (observer_ != nullptr) observer_->volume_changed(*this, volume);
  share_suspension(before, next);
  reconsider_suspension();
}

void Resource::compute_flags(Volume& volume) {
  std::uint32_t& flags = volume.backing_->superblock().flags;
  const bool log_owed = volume.only_copies_marked_ != volume.only_copies_;
  VolumeState known = volume.state_;
  if (volume.resync_ && volume.resync_->target_may_be_done())
    known.peer_disk = DiskState::d_unknown;
  flags = superblock_flags(known, volume.crashed_primary_, flags, log_owed);
}

// S3: a target that ends its resync may take over from then on. After a crash this node must not
// read from its meta data that the peer can not.
Task<void> Resource::note_finished_targets() {
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    const bool done = volume->resync_ && volume->resync_->target_may_be_done();
    if (!done || !volume->has_disk()) continue;
    if (volume->disk_options_.fencing == Fencing::dont_care) continue;
    const std::uint32_t before = volume->backing_->superblock().flags;
    compute_flags(*volume);
    if (volume->backing_->superblock().flags == before && volume->resync_->end_noted()) continue;
    const Status written = co_await volume->backing_->write_superblock();
    if (!written.ok()) local_disk_failed(*volume);
    else if (volume->resync_) volume->resync_->note_end();
  }
}

// What must not wait: no write may be decided on the new state before these are in place.
void Resource::duties_at_once(Volume& volume, const VolumeState& before, const Duties& duties) {
  // First, so that the flags say so: after another crash it would win a handshake by it (G1).
  if (duties.clear_crashed_primary) volume.crashed_primary_ = false;
  if (volume.backing_) compute_flags(volume);
  if (duties.new_current_uuid) rotate_generation(volume, rotation_cause(before, volume.state_));
  if (duties.new_current_uuid_owed) volume.generation_owed_ = true;
  const bool newly_connected = before.connection < ConnectionState::connected &&
                               volume.state_.connection >= ConnectionState::connected;
  if (newly_connected) volume.generation_owed_ = false;  // decide_resync has seen to it
  if (duties.detached && before.disk == DiskState::inconsistent && volume.peer_.uuids &&
      volume.state_.connection >= ConnectionState::connected) {
    volume.exposed_uuid_ = volume.peer_.uuids->current;  // the source's data, in use from now on
  }
  Connection* connection = connection_.get();
  if (connection == nullptr || !connection->established()) return;
  if (duties.introduce_disk) {
    // What the disk's configuration says of resyncs the handshake could not know.
    connection->send_sync_parameters(volume);
    connection->send_sizes(volume, false);
    connection->send_uuids(volume);
    connection->send_state(volume);
    return;
  }
  // A generation of our own the peer hears of when it is on media (G3): without it nobody would
  // have what a Primary without a disk takes for its data.
  if (duties.send_uuids && !duties.new_current_uuid) connection->send_uuids(volume);
  if (duties.send_state && !volume.io_error_to_report_) connection->send_state(volume);
}

void Resource::rotate_generation(Volume& volume, GenerationCause cause) {
  if (!volume.backing_) return;
  GenerationSet& own = volume.backing_->superblock().generations;
  const std::uint64_t fresh = world_.entropy.next64();
  own.new_current(fresh, volume.state_.role == Role::primary);
  ++volume.generation_changes_;
  volume.exposed_uuid_ = own.current;
  log::info("{}/{} new current UUID {:016X}:{:016X}:{:016X}:{:016X}", name_, volume.number(),
            own.current, own.bitmap, own.history[0], own.history[1]);
  note_generation(volume, cause);
}

Task<void> Resource::follow_ups() {
  while (!pending_.empty()) {
    FollowUp item = pending_.front();
    pending_.erase(pending_.begin());
    co_await follow_up(item);
  }
  following_up_ = false;
  follow_ups_done_.notify_all();
}

Task<void> Resource::follow_up(FollowUp item) {
  Volume& volume = *item.volume;
  order_.reconsider();
  if (volume.io_error_to_report_) {
    // First the handler: it may end this node, and then the peer shall not know why.
    const int code = co_await call_handler(volume, "local-io-error");
    static_cast<void>(code);
    volume.io_error_to_report_ = false;
    if (connection_ && connection_->established()) connection_->send_state(volume);
  }
  if (item.duties.without_good_data) start_handler(volume, "pri-on-incon-degr");
  if (item.duties.write_bitmap && volume.has_disk()) {
    const Status written = co_await volume.backing_->write_changed_bitmap_pages();
    if (!written.ok()) local_disk_failed(volume);
  }
  if (volume.only_copies_marked_ != volume.only_copies_) co_await settle_log(volume);
  if (volume.backing_ && volume.state_.disk > DiskState::failed) {
    const std::uint64_t reached = volume.generation_changes_;
    const Status written = co_await volume.backing_->write_superblock();
    if (!written.ok()) local_disk_failed(volume);
    else if (volume.generation_stable_ < reached) volume.generation_stable_ = reached;
    const bool tell = item.duties.send_uuids && item.duties.new_current_uuid && written.ok();
    const bool heeded = volume.state_.connection == ConnectionState::connected ||
                        volume.state_.connection == ConnectionState::ahead;
    if (tell && heeded && connection_ && connection_->established())
      connection_->send_uuids(volume);
  }
  // Diskless at once: the connection went away in the middle of a negotiation.
  const bool given_up =
      volume.state_.disk == DiskState::failed || volume.state_.disk == DiskState::diskless;
  if (given_up && volume.backing_) co_await drop_disk(volume);
  const bool target = item.after.connection == ConnectionState::starting_sync_t;
  const bool starting = item.before.connection != item.after.connection &&
                        (target || item.after.connection == ConnectionState::starting_sync_s);
  if (starting && connection_) co_await connection_->begin_full_sync(volume, target);
}

// The bitmap takes over from the activity log, unless more is still to come.
Task<void> Resource::settle_log(Volume& volume) {
  if (!volume.has_disk() || log_counts(volume.state_)) co_return;
  if (volume.only_copies_underway_ != 0) co_return;
  const std::uint64_t reached = volume.only_copies_;
  const Status written = co_await volume.backing_->write_changed_bitmap_pages();
  if (!written.ok()) {
    local_disk_failed(volume);
  } else if (volume.has_disk()) {
    volume.only_copies_marked_ = reached;
    compute_flags(volume);
  }
}

Task<void> Resource::settled() {
  while (following_up_) {
    io::Event::Wait wait(follow_ups_done_);
    co_await wait;
  }
}

void Resource::connection_changed(ConnectionState state) {
  StateDelta delta;
  delta.connection(state);
  for (const std::unique_ptr<Volume>& volume : volumes_)
    change(*volume, delta, true);
  connection_state_ = state;
  if (state == ConnectionState::wf_report_params) ++links_made_;
  changed.notify_all();
}

// A disk that failed once is not trusted again; the peer serves from now on.
void Resource::local_disk_failed(Volume& volume) {
  if (volume.state_.disk <= DiskState::failed) return;
  if (connection_) connection_->disk_lost();
  log::error("{}/{} disk failed, detaching from {}", name_, volume.number(),
             volume.backing_config_.disk_path);
  volume.io_error_to_report_ = volume.disk_options_.on_io_error == OnIoError::call_local_io_error;
  StateDelta delta;
  delta.disk(DiskState::failed);
  change(volume, delta, true);
}

Task<void> Resource::drop_disk(Volume& volume) {
  // Requests that were submitted to it finish with whatever the disk answers.
  while (volume.local_pending_ != 0) {
    io::Op op;
    world_.clock.sleep(op, Duration::milliseconds(2));
    co_await op;
  }
  StateDelta delta;
  delta.disk(DiskState::diskless);
  change(volume, delta, true);
  co_await give_back_disk(volume);
  changed.notify_all();
}

Task<void> Resource::give_back_disk(Volume& volume) {
  if (volume.undo_) volume.backing_->needs(volume.undo_->memory());
  const Status closed = co_await volume.backing_->retire();
  if (!closed.ok()) {
    log::warning("{}/{} last meta data write failed: {}", name_, volume.number(),
                 text(closed.fault()));
    // What it took of the peer may not be on media (E5).
    if (connection_) connection_->disk_lost();
  }
  // Writes that the peer has not made stable still hold its activity log.
  std::erase_if(volume.retired_disks_, [](const auto& old) { return old->forgotten(); });
  volume.undo_.reset();  // the file stays, growing, until the resync is repeated
  volume.retired_disks_.push_back(std::move(volume.backing_));
}

WriteOrdering Resource::write_ordering() const noexcept {
  WriteOrdering weakest = WriteOrdering::flush;
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    if (!volume->has_disk()) continue;
    weakest = weaker(weakest, replicator::write_ordering(volume->disk_options_));
  }
  return weakest;
}

// All at once: the slowest disk decides how long it takes, not their sum.
Task<bool> Resource::flush_disks() {
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    // One that is being detached is flushed by that.
    const bool leaving = volume->state_.disk == DiskState::failed ||
                         (volume->backing_ && volume->state_.disk == DiskState::diskless);
    if (leaving) co_await settled();
  }
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    if (!volume->has_disk() || !volume->disk_options_.disk_flushes) continue;
    if (sabotage(Sabotage::drop_barrier)) continue;
    volume->barrier_flush_.emplace(*volume->backing_);
    volume->backing_->flush(volume->barrier_flush_->op);
  }
  bool all = true;
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    if (!volume->barrier_flush_) continue;
    io::Op& op = volume->barrier_flush_->op;
    const std::int32_t flushed = co_await op;
    volume->barrier_flush_.reset();
    if (flushed >= 0) continue;
    volume->local_io_failed("flush", flushed, ByteRange());
    all = false;
  }
  co_return all;
}

// D5, G3: what the loss made necessary is on media before the next connection attempt.
Task<void> Resource::after_connection_loss() {
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    volume->resync_.reset();
    volume->retired_.clear();
    volume->retired_verifies_.clear();
    volume->peer_ = PeerVolume();
    if (!volume->has_disk()) continue;
    const Status bitmap = co_await volume->backing_->write_changed_bitmap_pages();
    if (!bitmap.ok()) local_disk_failed(*volume);
  }
  co_await settled();
  fence_after_loss();
}

Task<void> Resource::generations_settled() {
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    const Status settled = co_await volume->generation_settled();
    static_cast<void>(settled);  // without its disk a volume has none to tell
  }
}

void Resource::start_resync(Volume& volume, bool source) {
  retire_resync(volume);
  ++volume.peer_.resyncs;
  volume.resync_ = std::make_unique<Resync>(volume, *connection_,
                                            source ? Resync::Side::source : Resync::Side::target);
  volume.resync_->start(connection_->link_tasks_);
}

// An ended resync lives on until the tasks it started have seen that.
void Resource::retire_resync(Volume& volume) {
  if (!volume.resync_) return;
  volume.resync_->stop();
  std::erase_if(volume.retired_, [](const auto& old) { return old->idle(); });
  volume.retired_.push_back(std::move(volume.resync_));
}

void Resource::stop_resyncs() {
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    if (volume->resync_) volume->resync_->stop();
  }
}

void Resource::resync_may_be_done() {
  for (const std::unique_ptr<Volume>& volume : volumes_) {
    if (volume->resync_) volume->resync_->look_again();
  }
}

}  // namespace replicator
