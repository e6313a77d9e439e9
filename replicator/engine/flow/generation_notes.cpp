// What is told to the generation journal, and the report of this node's side of a split brain. No
// decision depends on either.
#include "engine/decide/handshake.hpp"
#include "engine/flow/resource.hpp"
#include "undo/undo_store.hpp"

namespace replicator {

namespace {

constexpr std::uint64_t kib = 1024;

PeerAccount account_of(const Uuids& peer, WallTime time) {
  PeerAccount account;
  account.time = time;
  account.generations.current = peer.current;
  account.generations.bitmap = peer.bitmap;
  account.generations.history[0] = peer.history[0];
  account.generations.history[1] = peer.history[1];
  account.dirty_blocks = peer.dirty_bits;
  account.crashed_primary = (peer.flags & uuid_flag_crashed_primary) != 0;
  return account;
}

UndoTerms undo_terms(const DiskOptions& options, UndoStore* store) {
  UndoTerms terms;
  terms.on = options.undo && store != nullptr;
  terms.max_kib = options.undo_max_size_sectors / 2;
  if (store == nullptr) return terms;
  const UndoStore::Space space = store->last_space();
  const std::uint64_t reserve = space.total.value() / 100 * options.undo_min_free_percent;
  if (space.free.value() > reserve) terms.room_kib = (space.free.value() - reserve) / kib;
  return terms;
}

}  // namespace

void Resource::note_generation(Volume& volume, GenerationCause cause) {
  if (!volume.backing_) return;
  const GenerationSet& own = volume.backing_->superblock().generations;
  GenerationNote note;
  note.time = world_.clock.wall_time();
  note.cause = cause;
  note.before = cause == GenerationCause::attached ? own : volume.noted_generations_;
  note.after = own;
  note.role = volume.state_.role;
  note.connected = volume.state_.connection >= ConnectionState::connected;
  note.dirty_blocks = volume.out_of_sync_blocks();
  const bool of_handshake = cause >= GenerationCause::split_brain_found &&
                            cause <= GenerationCause::split_brain_solved_by_hand;
  if (of_handshake || cause == GenerationCause::peer_told) note.peer = volume.told_;
  volume.noted_generations_ = own;
  if (generation_journal_ != nullptr) generation_journal_->note(name_, volume.number(), note);
}

void Resource::note_state_change(Volume& volume, const VolumeState& before) {
  constexpr ConnectionState connected = ConnectionState::connected;
  const VolumeState& now = volume.state_;
  if (before.role != now.role) {
    const bool primary = now.role == Role::primary;
    note_generation(volume,
                    primary ? GenerationCause::became_primary : GenerationCause::became_secondary);
  }
  const bool was = before.connection >= connected;
  const bool is = now.connection >= connected;
  if (was == is) return;
  // What the peer said when they met says nothing of what it does when they part again.
  if (is) volume.told_.reset();
  if (is) link_ = LinkReport();
  link_.connected = world_.clock.wall_time();
  note_generation(volume, is ? GenerationCause::connected : GenerationCause::connection_lost);
}

void Resource::peer_told_generations(Volume& volume, const Uuids& peer) {
  // Later ones follow from what both do while they are connected.
  if (volume.state_.connection != ConnectionState::wf_report_params) return;
  volume.told_ = account_of(peer, world_.clock.wall_time());
  note_generation(volume, GenerationCause::peer_told);
}

void Resource::note_split_brain(Volume& volume, const SyncDecision& decision) {
  if (decision.outcome == SyncDecision::Outcome::refuse) {
    if (decision.split_brain) note_generation(volume, GenerationCause::split_brain_found);
  } else if (decision.solved_by_policy) {
    note_generation(volume, GenerationCause::split_brain_solved_by_policy);
  } else if (decision.solved_by_hand) {
    note_generation(volume, GenerationCause::split_brain_solved_by_hand);
  }
}

NodeReport Resource::report() const {
  NodeReport report;
  report.resource = name_;
  report.time = world_.clock.wall_time();
  report.running = true;
  if (connection_) report.peer_name = connection_->peer_name();
  for (const std::unique_ptr<Volume>& each : volumes_) {
    VolumeReport volume;
    volume.volume = each->number_;
    volume.minor = each->minor_;
    volume.size_kib = each->size_.value() / kib;
    volume.state = each->state_;
    volume.told = each->told_;
    volume.undo = undo_terms(each->disk_options_, undo_store_);
    if (each->backing_) {
      volume.has_meta_data = true;
      volume.crashed_primary = each->crashed_primary_;
      volume.generations = each->backing_->superblock().generations;
      volume.marked_blocks = each->out_of_sync_blocks();
    }
    report.volumes.push_back(std::move(volume));
  }
  return report;
}

}  // namespace replicator
