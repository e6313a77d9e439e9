// One replicated volume: the block device that frontends use, on top of the local disk with its
// meta data and the peer. Owned by its Resource and used only on the resource's thread.
//   S4  only a Primary serves; openers are counted and keep the role
//   E6  each write is mirrored or recorded as out of sync, decided once, without a suspension point
//       between the decision and the submission
//   D3  a flush is answered after the local disk and the peer's barrier acks
//   G3  a new data generation is on media before the first unmirrored write is answered
//   E9  reads come only from a replica that is current for those blocks
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/list.hpp"
#include "engine/config.hpp"
#include "engine/decide/pacing.hpp"
#include "engine/decide/route.hpp"
#include "engine/decide/verify.hpp"
#include "engine/flow/backing_device.hpp"
#include "engine/flow/send_queue.hpp"
#include "engine/generation_journal.hpp"
#include "engine/status.hpp"
#include "io/block_device.hpp"
#include "io/sync.hpp"
#include "protocol/packet.hpp"
#include "protocol/packets.hpp"
#include "protocol/states.hpp"
#include "undo/undo_format.hpp"

namespace replicator {

class Resource;
class Connection;
class Resync;
class OnlineVerify;
class UndoLog;
struct MirroredWrite;
struct HandshakeSide;
struct SyncDecision;

// What the peer told us about this volume on the current connection.
struct PeerVolume {
  std::optional<Uuids> uuids;
  bool uuids_during_change = false;  // they came while the peer judged a change of ours
  std::optional<Sizes> sizes;
  VolumeState state;  // last P_STATE, in the peer's own view
  bool state_known = false;
  std::uint32_t sequence = 0;          // of data packets and block acks we sent
  std::uint32_t highest_sequence = 0;  // … and of those that have come
  bool consider_resync = false;
  std::uint32_t resyncs = 0;    // begun on this connection
  std::uint32_t exchanges = 0;  // of bitmaps, offered on this connection
  bool resize_pending = false;  // the device grew here: its answer starts the resync
  std::uint64_t disk_sectors_sent = 0;
  bool state_sent = false;          // our first P_STATE is out, the handshake is in progress
  bool we_discard = false;          // --discard-my-data, until this volume's handshake is done
  bool knows_it_is_behind = false;  // while we are Ahead
  bool only_new_storage = false;    // is what the coming resync copies
  bool grew_in_verify = false;      // its new storage is copied afterwards
};

class Volume final : public io::BlockDevice {
 public:
  Volume(Resource& resource, std::uint32_t number, std::uint32_t minor);
  ~Volume() override;

  // io::BlockDevice
  [[nodiscard]] io::BlockLimits limits() const noexcept override;
  Status open(bool for_writing) override;
  void close(bool for_writing) noexcept override;
  Task<Status> read(ByteRange range, Bytes into) override;
  Task<Status> write(ByteRange range, ConstBytes data, bool force_unit_access) override;
  Task<Status> flush() override;
  Task<Status> discard(ByteRange range) override;
  Task<Status> write_zeroes(ByteRange range, bool may_unmap) override;

  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint32_t minor() const noexcept { return minor_; }
  [[nodiscard]] const VolumeState& state() const noexcept { return state_; }
  [[nodiscard]] bool is_open() const noexcept { return openers_ != 0; }
  [[nodiscard]] ByteCount size() const noexcept { return size_; }
  [[nodiscard]] BackingDevice* backing() const noexcept { return backing_.get(); }
  [[nodiscard]] bool has_disk() const noexcept {
    return backing_ != nullptr && state_.disk > DiskState::failed;
  }
  Resource& resource() noexcept { return resource_; }
  [[nodiscard]] const DiskOptions& disk_options() const noexcept { return disk_options_; }
  [[nodiscard]] std::uint32_t rs_discard_granularity() const noexcept {
    return disk_options_.rs_discard_granularity;
  }
  [[nodiscard]] const BackingConfig& backing_config() const noexcept { return backing_config_; }

  // The bitmap; no effect without a disk.
  void mark_out_of_sync(ByteRange range);
  void clear_out_of_sync(ByteRange range);
  [[nodiscard]] std::uint64_t out_of_sync_blocks() const noexcept;
  // Mirrored writes that the peer has not made stable.
  void begin_doubt(ByteRange range) noexcept { in_doubt_sectors_ += sectors_of(range); }
  [[nodiscard]] std::uint32_t disks_lost() const noexcept { return disks_lost_; }
  void end_doubt(ByteRange range) noexcept { in_doubt_sectors_ -= sectors_of(range); }

  [[nodiscard]] VolumeStatus status() const;
  [[nodiscard]] const WriteTimes& write_times() const noexcept { return write_times_; }

 private:
  friend class Resource;
  friend class Connection;
  friend class Resync;
  friend class OnlineVerify;

  // A discard is carried out as zeroes that may unmap: both replicas end equal (E8).
  enum class Kind : std::uint8_t { write, zeroes };
  struct Change {
    Kind kind = Kind::write;
    ByteRange range;
    ConstBytes data;         // write only
    bool stable = false;     // force unit access
    bool may_unmap = false;  // zeroes only
  };

  Status resync_answer(Packet command, ByteRange range);
  Status verify_not_answered(ByteRange range);
  [[nodiscard]] PacingOptions pacing() const noexcept;
  // Application I/O since the last call?
  bool application_io_seen() noexcept;

  // The write path; write, discard and write_zeroes differ only in what is submitted.
  Task<Status> change(const Change& change);
  // A write of the application that the peer has been sent and not decided about, or that is on its
  // way to the disk here.
  class LocalWrite : public ListNode {
   public:
    LocalWrite(Volume& volume, ByteRange range, Instant now) noexcept
        : begun(now), volume_(volume), range_(range) {
      volume_.local_writes_.push_back(*this);
    }
    LocalWrite(const LocalWrite&) = delete;
    LocalWrite& operator=(const LocalWrite&) = delete;
    ~LocalWrite() {
      unlink();
      if (volume_.local_write_ended_.has_waiters()) volume_.local_write_ended_.notify_all();
    }
    [[nodiscard]] ByteRange range() const noexcept { return range_; }
    const Instant begun;
    // What the peer was sent, as long as it may be looked at.
    const MirroredWrite* sent = nullptr;

   private:
    Volume& volume_;
    ByteRange range_;
  };
  // The peer's write came first, and this one is to be made anew. What the first attempt wrote here
  // the peer lacks: its extents stay hot until then (E2, E4).
  struct Retry {
    bool again = false;
    ActivityHold hold;
  };
  Task<Status> change_in_turn(const Change& change, Retry& retry);
  Task<Status> cover_behind_peer(ByteRange range, ActivityHold& hold);
  Task<Status> cover_when_stable(ByteRange range, ActivityHold& hold);
  bool submit_local(io::Op& op, const Change& change);
  Task<bool> local_outcome(io::Op& local, bool submitted, const LocalWrite& underway);
  // Whose disk is UpToDate, when a request is decided.
  struct Current {
    bool here;
    bool there;
    std::uint64_t generation;  // how many have begun
  };
  [[nodiscard]] Current current() const noexcept;
  // What only an Inconsistent disk has would be overwritten by its resync (S6).
  [[nodiscard]] bool kept_here(bool done, Current decided) const noexcept;
  [[nodiscard]] bool kept_there(bool done, Current decided) const noexcept;
  Task<Status> finish_mirrored(io::Op& local, bool submitted, Current decided, Retry& retry,
                               LocalWrite& underway, MirroredWrite& entry);
  Task<Status> answered(bool here, bool there);
  Task<Status> change_split(const Change& change);
  Task<Status> write_zero_data(ByteRange range);
  Task<Status> write_in_pieces(const Change& change);
  [[nodiscard]] Status check(ByteRange range, bool writing) const noexcept;
  static std::uint64_t sectors_of(ByteRange range) noexcept {
    return range.length.value() / sector_bytes;
  }
  // Waits while application I/O is held back; refuses when it can't be served any more.
  [[nodiscard]] bool accepts_io_now() const noexcept;
  Task<Status> wait_for_io();
  // S3: waits while I/O is suspended; an error when it will never go on.
  Task<Status> thawed();
  Task<Status> read_when_possible(ByteRange range, Bytes into);
  Task<Status> read_somewhere(ByteRange range, Bytes into);
  [[nodiscard]] bool balances_to_peer(ByteRange range) noexcept;
  Task<Status> read_in_turn_from_peer(ByteRange range, Bytes into);
  Task<Status> read_local(ByteRange range, Bytes into);
  Task<Status> read_from_peer(ByteRange range, Bytes into);
  Task<Status> flush_both();
  Task<void> peer_knows_it_is_behind();
  Task<Status> flush_until_known();
  [[nodiscard]] bool in_sync(ByteRange range) const noexcept;
  // The disk can't be relied upon: it is detached.
  void local_io_failed(const char* what, std::int32_t error, ByteRange range);
  // Of data: on-io-error says what follows. With pass_on the range is marked, and the disk is kept
  // and Inconsistent.
  void data_io_failed(const char* what, std::int32_t error, ByteRange range);
  // Undo of a victim's resync (volume_undo.cpp). The decision is noted; before the generations
  // change the file is there; nothing is overwritten before its old content is on media in the
  // file, as long as that takes it.
  void note_undo(const SyncDecision& decision, const HandshakeSide& mine,
                 const HandshakeSide& theirs);
  Task<void> prepare_undo();
  [[nodiscard]] bool keeps_undo(ByteRange range) const noexcept;
  Task<void> keep_old(ByteRange range);
  Task<void> finish_undo();
  // G3 (volume_generation.cpp). Done when the current generation identifier is on media, or when
  // there is no disk; for what only this disk has taken, an error in that case.
  Task<Status> generation_settled();
  Task<Status> generation_on_media();
  // A generation that never got on media goes with the disk: nothing was answered in it.
  void disk_went() noexcept;
  void generations_read() noexcept;

  Resource& resource_;
  std::uint32_t number_;
  std::uint32_t minor_;
  VolumeState state_;
  VolumeState attach_state_;  // what attaching alone would make of the disk (Negotiating)
  ByteCount size_;
  std::unique_ptr<BackingDevice> backing_;
  std::vector<std::unique_ptr<BackingDevice>>
      retired_disks_;                 // given back; something still refers to them
  BackingDevice* opening_ = nullptr;  // while an attach reads its meta data
  BackingConfig backing_config_;
  DiskOptions disk_options_;
  // Of an Inconsistent disk: what the bitmap leaves out is good, since the peer's has been merged.
  bool marks_known_ = false;
  std::uint64_t exposed_uuid_ = 0;
  bool peer_has_newer_ = false;  // the application wrote through the peer, without a disk here
  bool crashed_primary_ = false;
  // How often one of the two disks went. What was found equal before that says nothing of writes
  // that only one of them took since (E3).
  std::uint32_t disks_lost_ = 0;
  // Writes of a peer without a disk. As long as their marks are not on media, the log counts (E2).
  std::uint64_t only_copies_ = 0;
  std::uint64_t only_copies_marked_ = 0;  // on media
  std::uint64_t only_copies_underway_ = 0;
  bool io_error_to_report_ = false;       // the handler local-io-error has not been called yet
  bool detach_asked_ = false;             // the peer has been asked whether this disk may go
  bool generation_owed_ = false;          // a new current UUID waits until I/O resumes
  std::uint64_t generation_changes_ = 0;  // rotations in memory …
  std::uint64_t generation_stable_ = 0;   // … and how many of them are on media
  struct Unsettled {
    std::uint64_t current = 0;
    GenerationSet before;
  };
  std::optional<Unsettled> unsettled_;  // of the disk that went
  PeerVolume peer_;
  std::optional<PeerAccount> told_;  // by the peer since they were last connected; for people
  GenerationSet noted_generations_;  // as the journal knows them
  std::uint64_t dirty_bits_sent_ = 0;
  bool role_settled_ = false;  // "was Primary" is on media, the former one's writes are done
  std::uint64_t application_requests_ = 0;
  std::uint64_t application_seen_ = 0;
  std::unique_ptr<Resync> resync_;
  std::vector<std::unique_ptr<Resync>> retired_;  // ended; their last tasks may still run
  VerifyRange verify_wanted_;                     // start: where the next online verify goes on
  std::unique_ptr<OnlineVerify> verify_;
  std::vector<std::unique_ptr<OnlineVerify>> retired_verifies_;
  std::optional<UndoHeader> undo_wanted_;  // by the last handshake
  std::unique_ptr<UndoLog> undo_;          // as long as it grows, or would

  std::uint32_t openers_ = 0;
  std::uint32_t block_bytes_at_open_ = 512;  // who has it open aligns to that
  std::uint32_t writing_openers_ = 0;
  // The oldest one that overlaps, or that overlaps and of which the peer has said nothing yet.
  [[nodiscard]] const LocalWrite* local_write_in(ByteRange range) noexcept;
  [[nodiscard]] const LocalWrite* undecided_write_in(ByteRange range) noexcept;
  List<LocalWrite> local_writes_;
  io::Event local_write_ended_;
  io::RangeLock application_writes_;
  io::RangeLock incoming_writes_;  // peer writes and resync writes, in order of arrival (E4)
  std::uint32_t application_pending_ = 0;
  io::Event application_idle_;
  std::uint32_t local_pending_ = 0;
  // One of the flushes of Resource::flush_disks().
  struct BarrierFlush {
    explicit BarrierFlush(BackingDevice& device) : use(device) {}
    BackingDevice::Use use;
    io::Op op;
  };
  std::optional<BarrierFlush> barrier_flush_;
  std::uint32_t peer_pending_ = 0;
  std::uint32_t peer_unacknowledged_ = 0;
  std::uint64_t in_doubt_sectors_ = 0;
  bool read_turn_there_ = false;
  WriteTimes write_times_;
  std::uint64_t net_sent_ = 0;  // bytes
  std::uint64_t net_received_ = 0;
};

}  // namespace replicator
