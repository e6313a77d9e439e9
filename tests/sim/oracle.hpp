// What must be readable: a register per sector. Every written sector carries (sector, writer,
// sequence, check), so that a read tells which write it saw. The oracle keeps for each sector all
// writes with the times of their invocation and answer, what flushes guaranteed, and what reads
// observed.
//
// A value is a violation when there is evidence that newer content existed, and the evidence still
// binds:
//   - a write that began after the value's write had ended was answered before the read began;
//   - a read that ended before this one began saw newer content, unless that came from a write
//   which was
//     never answered and whose node died: what was read then need not have reached the other node.
// Evidence from before a power cut of the disk that is read (or of the disk it was resynced from)
// binds only when a flush that was answered covers it (D1, D3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "base/units.hpp"
#include "tests/sim/image.hpp"

namespace replicator::sim {

enum class ChangeKind : std::uint8_t { data, zeroes, anything };  // anything: after a discard

using WriteId = std::uint32_t;
inline constexpr WriteId initial_content = 0;  // zeroes
inline constexpr WriteId new_storage = 1;      // anything: nobody has written there yet

void stamp_sector(Bytes sector, std::uint64_t number, std::uint32_t writer, WriteId id);

class Oracle {
 public:
  // The first `zeroed` sectors begin as zeroes; what the device may grow by holds anything.
  Oracle(std::uint64_t sectors, std::uint64_t zeroed);

  // A write, discard or zeroing begins; returns its id.
  WriteId begin_write(ByteRange range, ChangeKind kind, std::uint32_t writer, Instant now);
  // Fills the buffer with the stamps of this write.
  void stamp(WriteId id, Bytes data) const;
  // Answered; `ok` false: outcome unknown. A stable write is flushed by its answer.
  void end_write(WriteId id, bool ok, bool stable, Instant now);
  // Writes of a node that died: they may have happened, and will not happen any more.
  void node_died(std::uint32_t writer, Instant now);
  // A flush that began at `began` was answered: what was answered before is guaranteed, except what
  // a power cut may have taken from the disk already. Of several writers each flushes what it
  // wrote.
  void flushed(Instant began, Instant weak_since, std::uint32_t writer);

  // Checks a finished read; empty when it is right, else what is wrong. `weak_since`: the last
  // power cut that may have taken unflushed writes from the disk that answered (Instant(-1): none).
  std::string check_read(ByteRange range, ConstBytes data, Instant began, Instant now,
                         Instant weak_since);
  // The same for the whole disk at rest, without a read: what a new Primary would serve.
  std::string check_image(const Image& image, Instant now, Instant weak_since);

  // Two nodes write, and read each what its own disk holds. Where their writes meet, a read may see
  // any of them, or neither yet; what remains when all is quiet is one that no later one followed.
  void several_writers() noexcept { several_writers_ = true; }
  // They are apart: what one of them reads proves nothing to the other.
  void divide() noexcept { divided_ = true; }
  void unite(Instant now) noexcept {
    divided_ = false;
    united_since_ = now;
  }
  // A declared loss of what one writer was answered from `since` on: it may be there or not.
  void disown(std::uint32_t writer, Instant since);

  // A declared loss: the administrator chose this image; what it holds is the truth from now on.
  void adopt(const Image& image, Instant now);

  [[nodiscard]] std::uint64_t writes() const noexcept { return writes_.size() - 2; }
  [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
  [[nodiscard]] std::uint64_t sectors_checked() const noexcept { return sectors_checked_; }
  [[nodiscard]] const std::vector<std::uint64_t>& touched() const noexcept { return touched_; }

  static constexpr Instant strong() noexcept { return Instant(-1); }

 private:
  static constexpr std::uint32_t none = ~0U;
  struct Write {
    ByteRange range;
    Instant invoked;
    Instant ended = Instant::never();
    std::uint32_t writer = 0;
    ChangeKind kind = ChangeKind::data;
    bool answered = false;
    bool flushed = false;
  };
  struct Version {
    WriteId write;
    std::uint32_t next;
    Instant first_seen = Instant::never();
    Instant last_seen = Instant(-1);
    Instant dead_since = Instant::never();  // seen, then something else was seen:
    std::uint32_t replaced_by = none;
  };
  struct Register {
    std::uint32_t first = none;  // versions, newest invocation first
    std::uint32_t seen = none;   // version last observed
  };

  // A read that saw this write proves something: the write is still going on, or no power cut
  // excuses its loss.
  static bool binding(const Write& write, Instant weak_since) noexcept {
    if (write.ended == Instant::never()) return true;
    return write.answered && (write.flushed || write.invoked > weak_since);
  }
  std::string check_sector(std::uint64_t sector, ConstBytes content, Instant began, Instant now,
                           Instant weak_since, bool is_read);
  [[nodiscard]] bool matches(const Version& version, std::uint64_t sector,
                             ConstBytes content) const noexcept;
  // The write that proves this version overwritten, or none.
  [[nodiscard]] WriteId evidence_against(const Register& reg, const Version& version, Instant began,
                                         Instant weak_since, bool is_read) const noexcept;
  // Writes of two nodes to this sector met in time, and this was one of them.
  [[nodiscard]] bool contested(const Register& reg, const Write& write) const noexcept;
  void observe(Register& reg, std::uint32_t version, Instant began, Instant now);
  Register& touch(std::uint64_t sector);
  [[nodiscard]] std::string explain(std::uint64_t sector, ConstBytes content, WriteId saw,
                                    WriteId evidence) const;

  std::uint64_t zeroed_;
  std::vector<Register> registers_;
  std::vector<Version> versions_;
  std::vector<Write> writes_;
  std::vector<WriteId> unflushed_;  // answered, not yet covered by a flush
  std::vector<WriteId> open_;
  std::vector<std::uint64_t> touched_;
  std::uint64_t answered_ = 0;
  bool several_writers_ = false;
  bool divided_ = false;
  Instant united_since_ = strong();
  std::uint64_t sectors_checked_ = 0;
};

}  // namespace replicator::sim
