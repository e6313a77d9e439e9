#include "metadata/activity_log.hpp"

#include <algorithm>
#include <bit>

#include "base/ensure.hpp"

namespace replicator {

namespace {
constexpr std::uint32_t extents_per_resync_extent =
    static_cast<std::uint32_t>(resync_extent_bytes / extent_bytes);
}

ActivityLog::ActivityLog(std::uint32_t slots) : slots_(slots) {
  const std::size_t buckets = std::bit_ceil(std::size_t{slots} * 4);
  index_.assign(buckets, none);
  index_mask_ = buckets - 1;
  planned_.reserve(al_updates_max);
  evicted_.reserve(al_updates_max);
  kept_.reserve(slots);
  wanted_.reserve(256);
  transaction_.context.reserve(al_context_max);
  transaction_.updates.reserve(al_updates_max);
  // Free slots are handed out from the highest index downwards.
  for (std::uint32_t slot = 0; slot < slots; ++slot)
    link_oldest(slot);
}

std::size_t ActivityLog::home(std::uint32_t extent) const noexcept {
  return static_cast<std::size_t>((extent * 0x9e3779b97f4a7c15ULL) >> 32U) & index_mask_;
}

std::uint32_t ActivityLog::find(std::uint32_t extent) const noexcept {
  for (std::size_t at = home(extent);; at = (at + 1) & index_mask_) {
    const std::uint32_t slot = index_[at];
    if (slot == none) return none;
    if (slots_[slot].extent == extent) return slot;
  }
}

void ActivityLog::index_insert(std::uint32_t extent, std::uint32_t slot) noexcept {
  std::size_t at = home(extent);
  while (index_[at] != none)
    at = (at + 1) & index_mask_;
  index_[at] = slot;
}

// Linear probing without tombstones: what follows moves up.
void ActivityLog::index_erase(std::uint32_t extent) noexcept {
  std::size_t at = home(extent);
  while (slots_[index_[at]].extent != extent)
    at = (at + 1) & index_mask_;
  std::size_t hole = at;
  for (;;) {
    at = (at + 1) & index_mask_;
    if (index_[at] == none) break;
    const std::size_t wants = home(slots_[index_[at]].extent);
    const bool between = hole <= at ? (hole < wants && wants <= at) : (hole < wants || wants <= at);
    if (between) continue;
    index_[hole] = index_[at];
    hole = at;
  }
  index_[hole] = none;
}

void ActivityLog::unlink(std::uint32_t slot) noexcept {
  Slot& s = slots_[slot];
  if (s.newer != none) slots_[s.newer].older = s.older;
  else newest_ = s.older;
  if (s.older != none) slots_[s.older].newer = s.newer;
  else oldest_ = s.newer;
  s.newer = none;
  s.older = none;
}

void ActivityLog::link_newest(std::uint32_t slot) noexcept {
  Slot& s = slots_[slot];
  s.older = newest_;
  s.newer = none;
  if (newest_ != none) slots_[newest_].newer = slot;
  newest_ = slot;
  if (oldest_ == none) oldest_ = slot;
}

void ActivityLog::link_oldest(std::uint32_t slot) noexcept {
  Slot& s = slots_[slot];
  s.newer = oldest_;
  s.older = none;
  if (oldest_ != none) slots_[oldest_].older = slot;
  oldest_ = slot;
  if (newest_ == none) newest_ = slot;
}

bool ActivityLog::hot(std::uint32_t extent) const noexcept {
  const std::uint32_t slot = find(extent);
  return slot != none && !slots_[slot].planned;
}

bool ActivityLog::wanted(std::uint32_t resync_extent) const noexcept {
  return std::any_of(wanted_.begin(), wanted_.end(),
                     [&](const Wanted& w) { return w.extent == resync_extent; });
}

bool ActivityLog::blocked_by_resync(std::uint32_t first, std::uint32_t last) const noexcept {
  if (wanted_.empty()) return false;
  for (std::uint32_t e = first / extents_per_resync_extent; e <= last / extents_per_resync_extent;
       ++e) {
    if (wanted(e)) return true;
  }
  return false;
}

bool ActivityLog::try_hold(std::uint32_t first, std::uint32_t last) noexcept {
  if (blocked_by_resync(first, last)) return false;
  for (std::uint32_t extent = first; extent <= last; ++extent) {
    if (!hot(extent)) return false;
  }
  for (std::uint32_t extent = first; extent <= last; ++extent)
    hold(find(extent));
  return true;
}

void ActivityLog::release(std::uint32_t first, std::uint32_t last) noexcept {
  for (std::uint32_t extent = first; extent <= last; ++extent) {
    const std::uint32_t slot = find(extent);
    ensure(slot != none && slots_[slot].holds > 0);
    let_go(slot);
  }
}

void ActivityLog::hold(std::uint32_t slot) noexcept {
  if (slots_[slot].holds++ != 0) return;
  unlink(slot);  // held slots are on no list: they can't be evicted
  ++held_;
}

void ActivityLog::let_go(std::uint32_t slot) noexcept {
  if (--slots_[slot].holds != 0) return;
  link_newest(slot);
  --held_;
}

void ActivityLog::keep(std::uint32_t slot) noexcept {
  Slot& s = slots_[slot];
  if (s.planned || s.kept) return;
  s.kept = true;
  hold(slot);
  kept_.push_back(slot);
}

void ActivityLog::keep_no_more() noexcept {
  for (const std::uint32_t slot : kept_) {
    slots_[slot].kept = false;
    let_go(slot);
  }
  kept_.clear();
}

bool ActivityLog::plan(std::uint32_t extent, bool& settled) {
  settled = true;
  if (const std::uint32_t known = find(extent); known != none) {
    keep(known);
    return false;
  }
  settled = false;
  if (oldest_ == none || planned_.size() >= al_updates_max) return false;
  const std::uint32_t slot = oldest_;
  unlink(slot);
  Slot& s = slots_[slot];
  const std::uint32_t before = s.extent;
  if (before != al_extent_free) {
    index_erase(before);
    evicted_.push_back(before);
  }
  s.extent = extent;
  s.planned = true;
  index_insert(extent, slot);
  planned_.push_back(Planned{slot, extent, before});
  settled = true;
  return true;
}

const AlTransaction& ActivityLog::transaction() noexcept {
  AlTransaction& t = transaction_;
  t.context.clear();
  t.updates.clear();
  t.number = number_;
  t.context_size = static_cast<std::uint16_t>(slots_.size());
  t.context_start_slot = static_cast<std::uint16_t>(context_start_);
  const std::size_t end =
      std::min<std::size_t>(slots_.size(), std::size_t{context_start_} + al_context_max);
  for (std::size_t slot = context_start_; slot < end; ++slot) {
    t.context.push_back(slots_[slot].extent);
  }
  for (const Planned& p : planned_) {
    t.updates.push_back(AlUpdate{static_cast<std::uint16_t>(p.slot), p.extent});
    // The context is the state before the updates.
    if (p.slot >= context_start_ && p.slot < end) t.context[p.slot - context_start_] = p.before;
  }
  return t;
}

void ActivityLog::commit() noexcept {
  for (const Planned& p : planned_) {
    slots_[p.slot].planned = false;
    link_newest(p.slot);
  }
  planned_.clear();
  evicted_.clear();
  keep_no_more();
  ++number_;
  context_start_ += al_context_max;
  if (context_start_ >= slots_.size()) context_start_ = 0;
}

// The transaction's fate on media is unknown: neither the old nor the new extents count as hot.
void ActivityLog::abandon() noexcept {
  for (const Planned& p : planned_) {
    index_erase(p.extent);
    slots_[p.slot].extent = al_extent_free;
    slots_[p.slot].planned = false;
    link_oldest(p.slot);
  }
  planned_.clear();
  evicted_.clear();
  keep_no_more();
  ++number_;
}

void ActivityLog::want_resync(std::uint32_t resync_extent) {
  for (Wanted& w : wanted_) {
    if (w.extent == resync_extent) {
      ++w.count;
      return;
    }
  }
  wanted_.push_back(Wanted{resync_extent, 1});
}

void ActivityLog::unwant_resync(std::uint32_t resync_extent) noexcept {
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    if (wanted_[i].extent != resync_extent) continue;
    if (--wanted_[i].count == 0) {
      wanted_[i] = wanted_.back();
      wanted_.pop_back();
    }
    return;
  }
}

bool ActivityLog::resync_free(std::uint32_t resync_extent) const noexcept {
  const std::uint32_t first = resync_extent * extents_per_resync_extent;
  for (std::uint32_t extent = first; extent < first + extents_per_resync_extent; ++extent) {
    const std::uint32_t slot = find(extent);
    if (slot != none && slots_[slot].holds > 0) return false;
  }
  return true;
}

}  // namespace replicator
