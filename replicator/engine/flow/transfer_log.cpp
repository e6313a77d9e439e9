#include "engine/flow/transfer_log.hpp"

#include <utility>

#include "base/sabotage.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

TransferLog::TransferLog(std::uint32_t capacity) : slots_(capacity), reuse_(capacity, 0) {
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
    return;
  }
  for (Epoch& epoch : closed_) {
    if (epoch.number == entry.epoch) --epoch.writes;
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
  closed_.push_back(Epoch{current_epoch_, open_writes_});
  open_writes_ = 0;
  ++epochs_closed_;
  return current_epoch_++;
}

bool TransferLog::barrier_ack(std::uint32_t number, std::uint32_t set_size) {
  if (closed_.empty() || closed_.front().number != number || closed_.front().writes != set_size) {
    return false;
  }
  std::uint32_t seen = 0;
  for (MirroredWrite* entry = log_.first(); seen < set_size; entry = log_.next(*entry)) {
    if (entry == nullptr) return false;
    if (entry->epoch != number || entry->epoch_stable) continue;
    if (!answered_as_promised(entry->terms, entry->answer)) return false;
    ++seen;
  }
  MirroredWrite* entry = log_.first();
  while (seen > 0) {
    MirroredWrite* next = log_.next(*entry);
    if (entry->epoch == number && !entry->epoch_stable) {
      entry->epoch_stable = true;
      --seen;
      if (entry->owned) entry->answered.notify_all();
      else release(*entry);
    }
    entry = next;
  }
  closed_.pop_front();
  ++epochs_acked_;
  epoch_acked.notify_all();
  drop_empty_epochs();
  return true;
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
  epochs_acked_ = epochs_closed_;
  epoch_acked.notify_all();
}

}  // namespace replicator
