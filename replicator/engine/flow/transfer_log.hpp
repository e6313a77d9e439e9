// Mirrored writes between submission and the peer's barrier ack.
//   D5  until the barrier ack of its epoch a write is in doubt: its extents stay hot, and when the
//       connection is lost its range is marked out of sync, even if it was write-acked
//   E6  an entry exists exactly for the writes that were sent as data
//   P6  a fixed number of entries; when all are in use, writers wait
// One log per connection, shared by all volumes (docs/protocol.md#writes-and-epochs).
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/list.hpp"
#include "engine/decide/write_answer.hpp"
#include "engine/flow/backing_device.hpp"
#include "engine/flow/send_queue.hpp"
#include "io/sync.hpp"

namespace replicator {

class Volume;

struct MirroredWrite : ListNode {
  Volume* volume = nullptr;
  ByteRange range;
  ActivityHold hold;
  SendMark mark;
  Instant sent;
  std::uint64_t block_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t disks_lost = 0;  // of the volume, when the write was made
  WriteTerms terms;
  PeerAnswer answer = PeerAnswer::pending;
  bool owned = false;         // the write's coroutine still uses the entry
  bool local_ok = false;      // meaningful once not owned
  bool epoch_stable = false;  // barrier-acked
  bool outdone = false;       // the peer was told of a later write there instead of being sent it
  io::Event answered;         // anything that judge() depends on, except the mark

  [[nodiscard]] WriteVerdict judge() const noexcept {
    return judge_write(terms, answer, mark.handed_over(), epoch_stable);
  }
};

class TransferLog {
 public:
  // Epochs are counted in 64 bits; their numbers on the wire, 32, begin again within days.
  explicit TransferLog(std::uint32_t capacity, std::uint64_t first_epoch = 1);
  TransferLog(const TransferLog&) = delete;
  TransferLog& operator=(const TransferLog&) = delete;

  [[nodiscard]] bool full() const noexcept { return free_.size() == 0; }
  // A new entry in the current epoch; not full(). The hold moves in. Owned until finish().
  MirroredWrite& add(Volume& volume, ByteRange range, ActivityHold hold, WriteTerms terms);

  // The peer's word about one write. Null when it means nothing to us (unknown id, wrong range,
  // already answered): a protocol error of the peer.
  MirroredWrite* answer(std::uint64_t block_id, Volume& volume, ByteRange range, PeerAnswer answer);

  // A write to `range` is announced to the peer, not sent: what is under way there clears no bits
  // any more (E3). False when nothing is.
  bool outdo(const Volume& volume, ByteRange range) noexcept;

  // The owner has answered the write. What the peer still says of it decides about the bitmap.
  void finish(MirroredWrite& entry, bool local_ok);

  // Writes in the epoch that a barrier sent now would close.
  [[nodiscard]] std::uint32_t open_writes() const noexcept { return open_writes_; }
  [[nodiscard]] bool in_open_epoch(const MirroredWrite& entry) const noexcept {
    return entry.epoch == current_epoch_;
  }
  // Closes the epoch; open_writes() > 0. Returns the number to send in P_BARRIER.
  std::uint32_t close_epoch();
  // False: does not match the oldest closed epoch, or a write of it lacks the answer it was
  // promised. Epochs in which a write lost a conflict may be left out: a kernel that decides so
  // never acknowledges them, but has made them stable before it took up what came after.
  bool barrier_ack(std::uint32_t number, std::uint32_t set_size);
  // The oldest closed epoch, when it may be one of those and waits for nothing but its barrier ack;
  // 0: there is none.
  [[nodiscard]] std::uint64_t unacknowledgeable() noexcept;
  // One of the writes that it waits for the barrier ack of.
  [[nodiscard]] const MirroredWrite* one_of(std::uint64_t epoch) noexcept;
  // The peer has answered what was sent behind the barrier of this epoch.
  void prove(std::uint64_t epoch);
  [[nodiscard]] bool awaits_answer(std::uint64_t block_id) noexcept;

  // Flush: a ticket for everything added so far, and whether it is stable on the peer.
  [[nodiscard]] std::uint64_t ticket() const noexcept { return epochs_closed_; }
  [[nodiscard]] bool stable(std::uint64_t ticket) const noexcept { return epochs_acked_ >= ticket; }
  // The oldest write that the peer has not made stable: its block id; 0 when there is none.
  [[nodiscard]] std::uint64_t oldest_in_doubt() noexcept;
  // It has all the answers that it waits for, except the barrier's.
  [[nodiscard]] bool oldest_is_answered() noexcept;
  [[nodiscard]] bool quiet() const noexcept { return closed_.empty() && open_writes_ == 0; }
  io::Event epoch_acked;  // also signalled by lose_all()
  io::Event room;

  // The connection is gone: marks every in-doubt range in its volume's bitmap, answers `lost` to
  // those that wait, forgets epochs. `generation()` changes.
  void lose_all();
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  [[nodiscard]] std::uint32_t entries_in_use() const noexcept { return in_use_; }
  [[nodiscard]] std::uint32_t epochs_in_flight() const noexcept {
    return static_cast<std::uint32_t>(closed_.size()) + 1;
  }

 private:
  struct Epoch {
    std::uint64_t number;
    std::uint32_t writes;
    bool conflict;  // a write of it lost one
  };
  [[nodiscard]] bool all_answered(const Epoch& epoch) noexcept;
  void end_oldest();
  MirroredWrite* find(std::uint64_t block_id) noexcept;
  MirroredWrite* oldest() noexcept;
  void release(MirroredWrite& entry);
  void settle(MirroredWrite& entry);
  // The peer did not write it: it is in no epoch any more.
  void withdraw(MirroredWrite& entry);
  void drop_empty_epochs();

  std::vector<MirroredWrite> slots_;
  std::vector<std::uint32_t> reuse_;  // per slot: how often it was used, part of the block id
  std::vector<std::uint32_t> free_;
  List<MirroredWrite> log_;  // oldest first
  std::deque<Epoch> closed_;
  std::uint64_t current_epoch_;
  std::uint32_t open_writes_ = 0;
  bool open_conflict_ = false;
  std::uint64_t proven_ = 0;  // the last epoch that was
  std::uint32_t in_use_ = 0;
  std::uint64_t epochs_closed_ = 0;
  std::uint64_t epochs_acked_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace replicator
