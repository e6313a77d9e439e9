// One online verify of one volume, on either side, from VerifyS/VerifyT until it ends, is broken
// off, or the link fails. VerifyS asks block by block; VerifyT answers with digests; VerifyS
// compares and tells the result. What differs is marked on both sides and repaired by the next
// resync.
//   E2  a block that differs is marked here before the peer is told
//   E4  both sides read a block under the lock of its resync extent: no application write is in
//       doubt there, so that a write under way is never taken for a difference
//   P6  a bounded number of blocks is under way
// Normative: docs/protocol.md#online-verify.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/decide/pacing.hpp"
#include "engine/decide/progress.hpp"
#include "engine/decide/verify.hpp"
#include "engine/flow/backing_device.hpp"
#include "engine/status.hpp"
#include "io/sync.hpp"
#include "protocol/digest.hpp"
#include "protocol/packets.hpp"

namespace replicator {

class Connection;
class Volume;

class OnlineVerify {
 public:
  enum class Side : std::uint8_t { asking, answering };

  // `wanted` is the asking side's; the other one learns the start from the first request.
  OnlineVerify(Volume& volume, Connection& connection, Side side, VerifyRange wanted);
  OnlineVerify(const OnlineVerify&) = delete;
  OnlineVerify& operator=(const OnlineVerify&) = delete;

  // Tasks run in `tasks` and hold no reference to this object once stop() was called and it is
  // idle().
  void start(io::Gate& tasks);
  void stop() noexcept;
  [[nodiscard]] bool idle() const noexcept { return tasks_ == 0; }

  [[nodiscard]] Side side() const noexcept { return side_; }
  [[nodiscard]] SyncProgress progress() const;
  [[nodiscard]] std::uint64_t start_sector() const noexcept { return cursor_.start_sector(); }
  // Where the next run goes on; 0 when this one reached the end of the device.
  [[nodiscard]] std::uint64_t resume_sector() const noexcept;
  [[nodiscard]] std::uint64_t left_blocks() const noexcept { return cursor_.left(); }
  [[nodiscard]] std::uint64_t compared_blocks() const noexcept {
    return cursor_.total() - cursor_.left();
  }
  // This block is under way.
  [[nodiscard]] bool knows(ByteRange block) noexcept { return find(block) != nullptr; }
  // The block id of P_OV_RESULT.
  static bool says_different(std::uint64_t block_id) noexcept;
  // Changes whenever the peer answers; 0 when it owes nothing.
  [[nodiscard]] std::uint64_t owed() const noexcept;

  // Asking: the peer's digest of a block that was asked for; false when nobody asked for it.
  [[nodiscard]] bool expects(ByteRange block) const noexcept;
  Task<void> compare(ByteRange block, ReceivedDigest theirs);
  // Asking: the peer cannot read the block.
  void not_compared(ByteRange block);

  // Answering: one more request may be taken; else wait for `room`.
  [[nodiscard]] bool has_room() const noexcept;
  io::Event room;
  Task<void> answer(BlockRequest request, ByteRange block);
  // Answering: what the peer found; false when that block was not answered.
  bool result(ByteRange block, bool differs);

  // The last result is known, or the peer says that it stopped: ends the run once.
  Task<void> finish();

 private:
  struct Block {
    ByteRange range;
    ResyncLock lock;
    bool answered = false;  // the digest was sent or received
  };
  Task<void> counted(Task<void> task);
  Task<void> request_loop();
  Task<void> pace();
  Task<bool> read(ByteRange block, Bytes into);
  Task<bool> lock(ByteRange block, ResyncLock& lock);
  bool request_next();
  void send_digest(const BlockRequest& request, ConstBytes digest);
  void settle(ByteRange block, bool differs);
  void note_result(ByteRange block, bool differs);
  void tell(std::optional<ByteRange> run) const;
  Block* find(ByteRange block) noexcept;
  void drop(Block& block) noexcept;

  Volume& volume_;
  Connection& connection_;
  Side side_;
  std::uint32_t tasks_ = 0;
  bool stopping_ = false;
  bool finishing_ = false;
  bool begun_ = false;
  VerifyCursor cursor_;
  DifferingRun differing_;
  std::uint64_t budget_blocks_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t answered_blocks_ = 0;  // since the last step of the pacer
  bool extent_busy_ = false;
  ResyncPacer pacer_;
  SyncMarks marks_;
  ResyncLock next_lock_;       // of the extent that is waited for
  std::vector<Block> blocks_;  // under way
  io::Event progress_event_;
  io::Op* tick_ = nullptr;
};

}  // namespace replicator
