// The activity log in memory: which 4 MiB extents are hot, in which slots, how often each is held;
// and the 16 MiB resync extents that exclude application writes. Pure bookkeeping: the transaction
// is written by the backing device between plan() and commit().
//   D2  an extent is hot only after commit()
//   D4  only extents without holds are evicted
//   E4  a resync extent is held only while none of its four extents is
// Allocation happens in the constructor only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/units.hpp"
#include "metadata/activity_log_format.hpp"

namespace replicator {

class ActivityLog {
 public:
  explicit ActivityLog(std::uint32_t slots);

  [[nodiscard]] std::uint32_t slots() const noexcept {
    return static_cast<std::uint32_t>(slots_.size());
  }
  [[nodiscard]] bool hot(std::uint32_t extent) const noexcept;
  // Takes a hold on each extent of [first, last]; all or nothing. False when one is cold or lies in
  // a resync extent that is wanted or held.
  bool try_hold(std::uint32_t first, std::uint32_t last) noexcept;
  void release(std::uint32_t first, std::uint32_t last) noexcept;
  // Does a resync stand in the way (as opposed to a cold extent)?
  [[nodiscard]] bool blocked_by_resync(std::uint32_t first, std::uint32_t last) const noexcept;

  // Reserves a slot for a cold extent; adds to the transaction being planned. False: already
  // planned or hot (nothing to do) with `settled` true, or no slot can be evicted with `settled`
  // false. A hot one is kept until commit() or abandon(): else the next extent of the same request
  // could take its slot, and the request would wait for a release that nobody owes.
  bool plan(std::uint32_t extent, bool& settled);
  [[nodiscard]] std::uint32_t planned() const noexcept {
    return static_cast<std::uint32_t>(planned_.size());
  }
  [[nodiscard]] const std::vector<std::uint32_t>& evicted() const noexcept { return evicted_; }
  // The block to write for what is planned; the number advances at commit().
  // In memory of the log's own, taken once: writes may wait for it. Valid until the next call.
  [[nodiscard]] const AlTransaction& transaction() noexcept;
  void commit() noexcept;
  void abandon() noexcept;
  // Ends a plan that led to no transaction.
  void keep_no_more() noexcept;

  // Resync extents. A wanted or held one stops new holds on its extents.
  void want_resync(std::uint32_t resync_extent);
  void unwant_resync(std::uint32_t resync_extent) noexcept;
  [[nodiscard]] bool resync_free(std::uint32_t resync_extent) const noexcept;

  [[nodiscard]] std::uint32_t held() const noexcept { return held_; }

 private:
  static constexpr std::uint32_t none = ~0U;
  struct Slot {
    std::uint32_t extent = al_extent_free;
    std::uint32_t holds = 0;
    std::uint32_t newer = none;  // LRU list of slots without holds, and all hot ones
    std::uint32_t older = none;
    bool planned = false;
    bool kept = false;
  };
  struct Planned {
    std::uint32_t slot;
    std::uint32_t extent;
    std::uint32_t before;
  };
  [[nodiscard]] std::uint32_t find(std::uint32_t extent) const noexcept;
  void index_insert(std::uint32_t extent, std::uint32_t slot) noexcept;
  void index_erase(std::uint32_t extent) noexcept;
  [[nodiscard]] std::size_t home(std::uint32_t extent) const noexcept;
  void unlink(std::uint32_t slot) noexcept;
  void link_newest(std::uint32_t slot) noexcept;
  void link_oldest(std::uint32_t slot) noexcept;
  void hold(std::uint32_t slot) noexcept;
  void let_go(std::uint32_t slot) noexcept;
  void keep(std::uint32_t slot) noexcept;
  [[nodiscard]] bool wanted(std::uint32_t resync_extent) const noexcept;

  std::vector<Slot> slots_;
  std::uint32_t newest_ = none;
  std::uint32_t oldest_ = none;
  std::vector<std::uint32_t> index_;  // open addressing: slot numbers
  std::size_t index_mask_ = 0;
  std::vector<Planned> planned_;
  std::vector<std::uint32_t> kept_;  // slots
  AlTransaction transaction_;
  std::vector<std::uint32_t> evicted_;
  struct Wanted {
    std::uint32_t extent;
    std::uint32_t count;
  };
  std::vector<Wanted> wanted_;
  std::uint32_t held_ = 0;
  std::uint32_t number_ = 0;
  std::uint32_t context_start_ = 0;
};

}  // namespace replicator
