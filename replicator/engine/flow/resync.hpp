// One resync of one volume, on either side, from SyncSource/SyncTarget until it ends or the link
// fails.
//   E3  the target clears its bits and acknowledges only after a flush: what the source then clears
//   is on
//       both media
//   E4  resync data and application writes to one block are applied in order of arrival; the source
//       reads a block only while no application write to its extent is in doubt
//   L3  ends under continuous application writes: their ranges become clean as they are mirrored
//   S5  the target stays Inconsistent until the end is on media
// Normative: docs/protocol.md#resync.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.hpp"
#include "engine/decide/pacing.hpp"
#include "engine/decide/progress.hpp"
#include "engine/flow/backing_device.hpp"
#include "engine/flow/connection.hpp"
#include "engine/status.hpp"
#include "io/buffer_pool.hpp"

namespace replicator {

class Volume;

class Resync {
 public:
  enum class Side : std::uint8_t { source, target };

  // The counters start from the volume's bitmap as it is now.
  Resync(Volume& volume, Connection& connection, Side side);
  Resync(const Resync&) = delete;
  Resync& operator=(const Resync&) = delete;

  // Target: starts requesting. Source: only keeps count. Tasks run in `tasks` and hold no reference
  // to this object once stop() was called and the gate is empty.
  void start(io::Gate& tasks);
  void stop() noexcept;
  // No task of this resync runs any more.
  [[nodiscard]] bool idle() const noexcept { return tasks_ == 0; }

  [[nodiscard]] Side side() const noexcept { return side_; }
  [[nodiscard]] SyncProgress progress() const;
  [[nodiscard]] std::uint64_t failed_blocks() const noexcept { return failed_blocks_; }

  // Target: data for a range that was requested; false when nobody asked for it.
  bool expects(ByteRange range) const noexcept;
  Task<void> write(ByteRange range, io::BufferPool::Buffer data, bool zeroes);
  // Target: the source could not (neg_rs_dreply, rs_cancel) or need not (rs_is_in_sync) send it.
  bool answered_without_data(Packet command, ByteRange range);

  // What the peer owes: changes whenever it answers; 0 when that is nothing.
  [[nodiscard]] std::uint64_t owed() const noexcept;

  // Target: this range was asked for with P_RS_THIN_REQ.
  [[nodiscard]] bool asked_thin(ByteRange range) const noexcept;

  // Checksums are compared on both sides only with what is on media: one flush for everything that
  // was written before this resync. False: it failed.
  Task<bool> settle_cache();
  // Counts for the line at the end.
  void checksums_used() noexcept { checksums_used_ = true; }
  void equal_checksum(ByteRange range) noexcept;
  void tell_checksums() const;

  // Source.
  void read_failed(ByteRange range) noexcept;
  // All is acknowledged: the target may have ended the resync, which its next P_STATE will tell.
  [[nodiscard]] bool target_may_be_done() const noexcept { return side_ == Side::source && done(); }
  // … and this node's meta data know of that possibility.
  [[nodiscard]] bool end_noted() const noexcept { return end_noted_; }
  void note_end() noexcept { end_noted_ = true; }
  bool acknowledged(Packet command, ByteRange range);
  // The target is through, and some blocks are still marked here: the end comes when they are not.
  void end_when_clean();
  // Something changed that may let the target finish.
  void look_again() noexcept { progress_event_.notify_all(); }
  // The volume's state did: the sync may be paused or go on.
  void state_changed();

 private:
  [[nodiscard]] bool end_is_owed() const noexcept;
  struct Request {
    ByteRange range;
    ResyncLock lock;
    bool answered = false;
    bool thin = false;
  };
  Task<void> request_loop();
  Task<void> pace();
  Task<void> stabilize();
  Task<void> finish_target();
  Task<void> finish_source();
  Task<void> target_begun();
  Task<void> counted(Task<void> task);
  bool request_next();
  Task<void> ask_with_digest(ByteRange range);
  void send_digest(ByteRange range, ConstBytes data);
  [[nodiscard]] bool paused() const noexcept;
  [[nodiscard]] bool worth_a_flush() const noexcept;
  void settle(ByteRange range, bool in_sync);
  Request* find(ByteRange range) noexcept;
  void drop(Request& request) noexcept;
  [[nodiscard]] bool done() const noexcept;
  [[nodiscard]] std::uint64_t left_blocks() const noexcept;

  Volume& volume_;
  Connection& connection_;
  Side side_;
  std::uint32_t tasks_ = 0;
  bool end_noted_ = false;
  bool stopping_ = false;
  bool ending_ = false;  // the source ends the resync by itself
  std::uint64_t total_blocks_;
  bool checksums_used_ = false;
  std::uint64_t equal_blocks_ = 0;
  std::uint64_t thin_bytes_;  // of a request that may be answered without data; 0: none
  bool settling_ = false;
  bool settled_ = false;
  io::Event cache_settled_;
  std::uint64_t failed_blocks_ = 0;
  std::uint64_t position_ = 0;       // bit to look from
  std::uint64_t budget_blocks_ = 0;  // may be requested before the next step of the pacer
  std::uint64_t in_flight_blocks_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t answered_blocks_ = 0;  // since the last step
  bool extent_busy_ = false;
  bool was_paused_ = false;
  bool application_io_ = false;      // seen in the last step of the pacer
  bool flush_due_ = false;           // a step has passed since the last flush
  std::size_t unanswered_ = 0;       // of requests_
  std::uint64_t written_bytes_ = 0;  // of written_
  ResyncPacer pacer_;
  SyncMarks marks_;
  ResyncLock next_lock_;            // of the extent that is waited for
  std::vector<Request> requests_;   // requested and not settled
  std::vector<ByteRange> written_;  // in the disk's cache, waiting for the flush
  std::vector<ByteRange> flushing_;
  io::Event progress_event_;
  io::Event written_event_;
  io::Op* tick_ = nullptr;
};

}  // namespace replicator
