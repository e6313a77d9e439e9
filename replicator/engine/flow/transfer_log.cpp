#include "engine/flow/transfer_log.hpp"

#include <utility>

#include "base/sabotage.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

namespace {

std::uint32_t on_the_wire(std::uint64_t epoch) noexcept {
  return static_cast<std::uint32_t>(epoch);
}

}  // namespace

TransferLog::TransferLog(std::uint32_t capacity, std::uint64_t first_epoch)
    : slots_(capacity), reuse_(capacity, 0), current_epoch_(first_epoch) {
  free_.reserve(capacity);
  for (std::uint32_t index = capacity; index > 0; --index)
    free_.push_back(index - 1);
}

MirroredWrite& TransferLog::add(Volume& volume, ByteRange range, ActivityHold hold,
                                WriteTerms terms) {
  ensure(!free_.empty());
  const std::uint32_t index = free_.back();
  free_.pop_back();
  ++in_use_;
  MirroredWrite& entry = slots_[index];
  entry.volume = &volume;
  entry.range = range;
  entry.hold = std::move(hold);
  entry.mark.reset();
  entry.block_id = (std::uint64_t{++reuse_[index]} << 32U) | (index + 1);
  entry.epoch = current_epoch_;
  entry.disks_lost = volume.disks_lost();
  entry.outdone = false;
  entry.terms = terms;
  entry.answer = PeerAnswer::pending;
  entry.owned = true;
  entry.local_ok = false;
  entry.epoch_stable = false;
  log_.push_back(entry);
  volume.begin_doubt(range);
  ++open_writes_;
  return entry;
}

MirroredWrite* TransferLog::find(std::uint64_t block_id) noexcept {
  const std::uint64_t index = (block_id & 0xffffffffULL) - 1;
  if (index >= slots_.size()) return nullptr;
  MirroredWrite& entry = slots_[index];
  return entry.linked() && entry.block_id == block_id ? &entry : nullptr;
}

MirroredWrite* TransferLog::answer(std::uint64_t block_id, Volume& volume, ByteRange range,
                                   PeerAnswer answer) {
  MirroredWrite* entry = find(block_id);
  if (entry == nullptr || entry->volume != &volume || !(entry->range == range)) return nullptr;
  const bool open = entry->answer == PeerAnswer::pending ||
                    (entry->answer == PeerAnswer::received && answer != PeerAnswer::received);
  if (!open || entry->epoch_stable) return nullptr;
  entry->answer = answer;
  if (sabotage(Sabotage::release_hold_at_ack)) entry->hold.reset();
  if (answer == PeerAnswer::refused) volume.mark_out_of_sync(range);
  if (answer == PeerAnswer::superseded || answer == PeerAnswer::retry) withdraw(*entry);
  entry->answered.notify_all();
  return entry;
}

void TransferLog::withdraw(MirroredWrite& entry) {
  entry.epoch_stable = true;
  if (entry.epoch == current_epoch_) {
    --open_writes_;
    open_conflict_ = true;
    return;
  }
  for (Epoch& epoch : closed_) {
    if (epoch.number != entry.epoch) continue;
    --epoch.writes;
    epoch.conflict = true;
  }
  drop_empty_epochs();
}

// Nobody acknowledges an epoch without writes.
void TransferLog::drop_empty_epochs() {
  while (!closed_.empty() && closed_.front().writes == 0) {
    closed_.pop_front();
    ++epochs_acked_;
    epoch_acked.notify_all();
  }
}

MirroredWrite* TransferLog::oldest() noexcept {
  for (MirroredWrite* entry = log_.first(); entry != nullptr; entry = log_.next(*entry)) {
    if (!entry->epoch_stable) return entry;
  }
  return nullptr;
}

std::uint64_t TransferLog::oldest_in_doubt() noexcept {
  const MirroredWrite* const entry = oldest();
  return entry != nullptr ? entry->block_id : 0;
}

bool TransferLog::oldest_is_answered() noexcept {
  const MirroredWrite* const entry = oldest();
  return entry != nullptr && answered_as_promised(entry->terms, entry->answer);
}

void TransferLog::finish(MirroredWrite& entry, bool local_ok) {
  ensure(entry.owned && entry.mark.sent());
  entry.owned = false;
  entry.local_ok = local_ok;
  if (!local_ok) entry.volume->mark_out_of_sync(entry.range);
  if (entry.epoch_stable || entry.answer == PeerAnswer::lost) release(entry);
}

std::uint32_t TransferLog::close_epoch() {
  ensure(open_writes_ > 0);
  closed_.push_back(Epoch{current_epoch_, open_writes_, open_conflict_});
  open_writes_ = 0;
  open_conflict_ = false;
  ++epochs_closed_;
  return on_the_wire(current_epoch_++);
}

bool TransferLog::all_answered(const Epoch& epoch) noexcept {
  std::uint32_t seen = 0;
  MirroredWrite* entry = log_.first();
  for (; entry != nullptr && entry->epoch <= epoch.number; entry = log_.next(*entry)) {
    if (entry->epoch != epoch.number || entry->epoch_stable) continue;
    if (!answered_as_promised(entry->terms, entry->answer)) return false;
    ++seen;
  }
  return seen == epoch.writes;
}

void TransferLog::end_oldest() {
  const std::uint64_t number = closed_.front().number;
  MirroredWrite* entry = log_.first();
  while (entry != nullptr && entry->epoch <= number) {
    MirroredWrite* next = log_.next(*entry);
    if (entry->epoch == number && !entry->epoch_stable) {
      entry->epoch_stable = true;
      if (entry->owned) entry->answered.notify_all();
      else release(*entry);
    }
    entry = next;
  }
  closed_.pop_front();
  ++epochs_acked_;
  epoch_acked.notify_all();
}

bool TransferLog::barrier_ack(std::uint32_t number, std::uint32_t set_size) {
  // Proven otherwise, and acknowledged late.
  const auto since_proven = static_cast<std::int32_t>(number - on_the_wire(proven_));
  if (proven_ != 0 && since_proven <= 0) return true;
  const auto acknowledged = [&](const Epoch& epoch) { return on_the_wire(epoch.number) == number; };
  std::size_t at = 0;
  while (at < closed_.size() && !acknowledged(closed_[at]) && closed_[at].conflict)
    ++at;
  if (at == closed_.size() || !acknowledged(closed_[at]) || closed_[at].writes != set_size) {
    return false;
  }
  for (std::size_t i = 0; i <= at; ++i) {
    if (!all_answered(closed_[i])) return false;
  }
  for (std::size_t i = 0; i <= at; ++i)
    end_oldest();
  drop_empty_epochs();
  proven_ = 0;  // acknowledgements come in order
  return true;
}

std::uint64_t TransferLog::unacknowledgeable() noexcept {
  if (closed_.empty() || !closed_.front().conflict || !all_answered(closed_.front())) return 0;
  return closed_.front().number;
}

const MirroredWrite* TransferLog::one_of(std::uint64_t epoch) noexcept {
  MirroredWrite* entry = log_.first();
  while (entry != nullptr && (entry->epoch != epoch || entry->epoch_stable))
    entry = log_.next(*entry);
  return entry;
}

void TransferLog::prove(std::uint64_t epoch) {
  if (unacknowledgeable() != epoch) return;
  proven_ = epoch;
  end_oldest();
  drop_empty_epochs();
}

bool TransferLog::awaits_answer(std::uint64_t block_id) noexcept {
  const MirroredWrite* const entry = find(block_id);
  return entry != nullptr && entry->answer == PeerAnswer::pending;
}

bool TransferLog::outdo(const Volume& volume, ByteRange range) noexcept {
  bool any = false;
  for (MirroredWrite* entry = log_.first(); entry != nullptr; entry = log_.next(*entry)) {
    if (entry->volume != &volume || !entry->range.overlaps(range)) continue;
    entry->outdone = true;
    any = true;
  }
  return any;
}

// What the fate of the write means for the bitmap, once both sides are known.
void TransferLog::settle(MirroredWrite& entry) {
  if (!entry.local_ok || !entry.epoch_stable || entry.answer != PeerAnswer::written_in_sync) return;
  // E3: on media on both sides, unless a later write has only been announced, or one of the disks
  // went and took it along.
  if (entry.outdone || entry.disks_lost != entry.volume->disks_lost()) return;
  entry.volume->clear_out_of_sync(entry.range);
}

void TransferLog::release(MirroredWrite& entry) {
  settle(entry);
  entry.volume->end_doubt(entry.range);
  entry.unlink();
  entry.hold = ActivityHold();
  entry.volume = nullptr;
  --in_use_;
  free_.push_back(static_cast<std::uint32_t>(entry.block_id & 0xffffffffULL) - 1);
  room.notify_all();
}

void TransferLog::lose_all() {
  ++generation_;
  MirroredWrite* entry = log_.first();
  while (entry != nullptr) {
    MirroredWrite* next = log_.next(*entry);
    if (!entry->epoch_stable) {
      Volume& volume = sabotage(Sabotage::mark_first_volume)
                           ? *entry->volume->resource().volumes().front()
                           : *entry->volume;
      if (!sabotage(Sabotage::forget_mark_on_loss)) volume.mark_out_of_sync(entry->range);
      entry->answer = PeerAnswer::lost;
      if (entry->owned) entry->answered.notify_all();
      else release(*entry);
    }
    entry = next;
  }
  closed_.clear();
  if (open_writes_ > 0) ++current_epoch_;
  open_writes_ = 0;
  open_conflict_ = false;
  proven_ = 0;
  epochs_acked_ = epochs_closed_;
  epoch_acked.notify_all();
}

}  // namespace replicator
