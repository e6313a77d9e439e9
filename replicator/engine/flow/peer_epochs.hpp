// The peer's writes between two barriers, counted by the receiver over all volumes. One epoch is
// open; closed ones are there only while nothing orders epochs (WriteOrdering::none), and end in
// order.
//   E5  an epoch is acknowledged after all of its writes, and after those before it
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "base/list.hpp"
#include "base/units.hpp"
#include "protocol/packets.hpp"

namespace replicator {

class Volume;

class PeerEpochs {
 public:
  // A range that a write made clean: its bits are cleared when the epoch is on media (E3).
  struct InSync {
    Volume* volume;
    ByteRange range;
    std::uint32_t disks_lost;  // by then; since another loss it counts no more
  };
  struct Epoch {
    std::uint32_t size = 0;
    std::uint32_t active = 0;
    std::uint32_t number = 0;  // of its barrier, once closed
    std::uint32_t withdrawn = 0;
    std::uint32_t undecided = 0;  // of those, by writers that may not know it yet
    std::vector<InSync> in_sync;
  };

  // A write that has been received and not been answered; lives as long as that.
  class UnderWay : public ListNode {
   public:
    UnderWay(PeerEpochs& epochs, const Volume& volume, ByteRange range) noexcept
        : volume_(&volume), range_(range) {
      epochs.under_way_.push_back(*this);
    }
    // The peer has announced a later write there.
    [[nodiscard]] bool outdone() const noexcept { return outdone_; }

   private:
    friend class PeerEpochs;
    const Volume* volume_;
    ByteRange range_;
    bool outdone_ = false;
  };

  PeerEpochs() : epochs_(1) {}

  // The peer has written there without sending it: nothing from before makes it clean (E3).
  void outdo(const Volume& volume, ByteRange range) noexcept {
    for (UnderWay* write = under_way_.first(); write != nullptr; write = under_way_.next(*write)) {
      if (write->volume_ == &volume && write->range_.overlaps(range)) write->outdone_ = true;
    }
    for (Epoch& epoch : epochs_) {
      std::erase_if(epoch.in_sync, [&](const InSync& item) {
        return item.volume == &volume && item.range.overlaps(range);
      });
    }
  }

  // A write of the open epoch that was refused counts in its size.
  void refused() noexcept { ++epochs_.back().size; }
  // One that is under way, until ended(). The reference stays valid until then.
  Epoch& begin() {
    Epoch& open = epochs_.back();
    ++open.size;
    ++open.active;
    ++active_;
    return open;
  }
  void ended(Epoch& epoch) noexcept {
    --epoch.active;
    --active_;
  }

  // It lost against a write of our own and is not counted; ended() is still to come, and decided()
  // when the writer is known to have heard of it.
  static void withdraw(Epoch& epoch) noexcept {
    --epoch.size;
    ++epoch.withdrawn;
    ++epoch.undecided;
  }
  static void decided(Epoch& epoch) noexcept { --epoch.undecided; }

  // A barrier without writes before it, not even such that were withdrawn.
  [[nodiscard]] bool open_is_unused() const noexcept {
    return open_is_empty() && epochs_.back().withdrawn == 0;
  }
  [[nodiscard]] bool open_is_empty() const noexcept { return epochs_.back().size == 0; }
  // Writes in all epochs.
  [[nodiscard]] std::uint32_t active() const noexcept { return active_; }
  [[nodiscard]] bool any_unacknowledged() const noexcept {
    return epochs_.size() > 1 || !open_is_empty();
  }
  [[nodiscard]] std::size_t closed() const noexcept { return epochs_.size() - 1; }

  void close(std::uint32_t number) {
    epochs_.back().number = number;
    epochs_.emplace_back();
  }
  // The oldest closed epoch if all of its writes have ended, else null.
  Epoch* complete() noexcept {
    const Epoch& oldest = epochs_.front();
    const bool done = closed() != 0 && oldest.active == 0 && oldest.undecided == 0;
    return done ? &epochs_.front() : nullptr;
  }
  // Acknowledged: gone.
  void drop_front() noexcept { epochs_.pop_front(); }

  // The connection is gone; no write is under way any more.
  void reset() {
    epochs_.clear();
    epochs_.emplace_back();
  }

 private:
  std::list<Epoch> epochs_;  // oldest first, the last one is open
  List<UnderWay> under_way_;
  std::uint32_t active_ = 0;
};

}  // namespace replicator
