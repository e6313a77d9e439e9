// The life of one application write, discard or write-zeroes, from acceptance to answer.
//   D2  the extent is in the durable activity log before anything is submitted
//   D5  that extent stays hot until the peer has the write on media (the hold moves to the transfer
//   log) E4  overlapping writes take turns, so both replicas apply them in one order E6  decided
//   once, from one view of the state D7  success only if one replica has it whole; what the other
//   lacks is marked
#include <algorithm>
#include <array>
#include <utility>

#include "base/sabotage.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/transfer_log.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

namespace {

// Longest zeroes at a time; a multiple of the resync extent.
constexpr std::uint64_t zeroes_piece_bytes = 16ULL << 20U;
// Zeroes as data.
constexpr std::size_t zero_data_bytes = 32U << 10U;
alignas(4096) constexpr std::array<std::byte, zero_data_bytes> zero_data{};

// Counts an application request while it is in the volume.
class Pending {
 public:
  Pending(std::uint32_t& count, io::Event& idle) noexcept : count_(count), idle_(idle) { ++count_; }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    if (--count_ == 0) idle_.notify_all();
  }

 private:
  std::uint32_t& count_;
  io::Event& idle_;
};

}  // namespace

Task<Status> Volume::write(ByteRange range, ConstBytes data, bool force_unit_access) {
  ensure(range.length.value() == data.size());
  Change request;
  request.kind = Kind::write;
  request.range = range;
  request.data = data;
  request.stable = force_unit_access;
  const Status status = co_await change(request);
  if (status.fault() != Fault::unsupported) co_return status;
  co_return co_await write_in_pieces(request);
}

// For a peer whose protocol version does not take it in one packet.
Task<Status> Volume::write_in_pieces(const Change& whole) {
  Change piece = whole;
  for (std::uint64_t done = 0; done < whole.data.size();) {
    const Connection* connection = resource_.connection();
    const std::uint64_t most =
        connection == nullptr ? data_bytes_max : connection->data_bytes_to_peer(*this);
    const std::uint64_t count = std::min<std::uint64_t>(most, whole.data.size() - done);
    piece.range = ByteRange(ByteOffset(whole.range.begin.value() + done), ByteCount(count));
    piece.data = whole.data.subspan(done, count);
    const Status status = co_await change(piece);
    if (status.fault() == Fault::unsupported) continue;  // meanwhile it takes even less
    if (!status.ok()) co_return status;
    done += count;
  }
  co_return Status();
}

Task<Status> Volume::discard(ByteRange range) { co_return co_await write_zeroes(range, true); }

Task<Status> Volume::write_zeroes(ByteRange range, bool may_unmap) {
  Change request;
  request.kind = Kind::zeroes;
  request.range = range;
  request.may_unmap = may_unmap;
  co_return co_await change_split(request);
}

// Discards and zeroes of any length, in pieces that fit one activity-log transaction.
Task<Status> Volume::change_split(const Change& whole) {
  const Status allowed = check(whole.range, true);
  if (!allowed.ok()) co_return allowed;
  Change piece = whole;
  ByteOffset at = whole.range.begin;
  while (at < whole.range.end()) {
    const Connection* connection = resource_.connection();
    const std::uint64_t most =
        connection == nullptr ? zeroes_piece_bytes : connection->zeroes_bytes_to_peer();
    const std::uint64_t piece_end =
        std::min(whole.range.end().value(), round_down(at.value(), most) + most);
    piece.range = ByteRange(at, ByteOffset(piece_end) - at);
    const Status status = co_await change(piece);
    if (status.fault() == Fault::unsupported) {
      const Status written = co_await write_zero_data(piece.range);
      if (!written.ok()) co_return written;
    } else if (!status.ok()) {
      co_return status;
    }
    at = ByteOffset(piece_end);
  }
  co_return Status();
}

// For a peer that knows neither discards nor zeroes (E8).
Task<Status> Volume::write_zero_data(ByteRange range) {
  Change piece;
  piece.kind = Kind::write;
  ByteOffset at = range.begin;
  while (at < range.end()) {
    const std::uint64_t count =
        std::min<std::uint64_t>((range.end() - at).value(), zero_data_bytes);
    piece.range = ByteRange(at, ByteCount(count));
    piece.data = ConstBytes(zero_data).first(count);
    const Status status = co_await write_in_pieces(piece);
    if (!status.ok()) co_return status;
    at = ByteOffset(at.value() + count);
  }
  co_return Status();
}

Task<Status> Volume::change(const Change& request) {
  const Status allowed = check(request.range, true);
  if (!allowed.ok() || request.range.empty()) co_return allowed;
  ++application_requests_;
  Pending pending(application_pending_, application_idle_);
  io::RangeLock::Turn turn(application_writes_, request.range);
  co_await turn;
  Retry retry;
  for (;;) {
    // The device may have become smaller meanwhile (P4).
    const Status still = check(request.range, true);
    if (!still.ok()) co_return still;
    const Status changed = co_await change_in_turn(request, retry);
    // Nobody had good data, and it is worth waiting for (on-no-data-accessible suspend-io).
    const bool suspended = changed.fault() == Fault::no_good_data && state_.suspended();
    if (!retry.again && !suspended) co_return changed;
    if (!retry.again) continue;
    // The peer's write may still be on its way to us.
    io::Op op;
    resource_.world().clock.sleep(op, Duration::milliseconds(1));
    co_await op;
  }
}

// A write of the peer that has come already is older than this one (E4).
Task<Status> Volume::cover_behind_peer(ByteRange range, ActivityHold& hold) {
  const bool made_anew = static_cast<bool>(hold);
  for (;;) {
    const Status covered = co_await cover_when_stable(range, hold);
    if (!covered.ok() || !incoming_writes_.any_overlap(range)) co_return covered;
    if (!made_anew) hold.reset();
    io::RangeLock::Turn behind(incoming_writes_, range);
    co_await behind;
  }
}

Task<Status> Volume::change_in_turn(const Change& request, Retry& retry) {
  retry.again = false;
  ActivityHold hold = std::move(retry.hold);
  if (keeps_undo(request.range)) co_await keep_old(request.range);
  const Status covered = co_await cover_behind_peer(request.range, hold);
  if (!covered.ok()) co_return covered;
  // From here to the submission nothing may suspend (E6).
  const Route route = route_write(state_);
  if (route == Route::refuse) co_return Status(Fault::no_good_data, "write");
  Connection* connection = resource_.connection();
  if (route == Route::mirror && !connection->can_send(*this, request)) {
    co_return Status(Fault::unsupported, "in one packet");  // the caller takes it apart
  }
  const Current decided = current();
  io::Op local;
  LocalWrite underway(*this, request.range, resource_.world().clock.now());
  if (route == Route::mirror) {
    MirroredWrite& entry = connection->mirror(*this, request, std::move(hold));
    underway.sent = &entry;
    const bool submitted = submit_local(local, request);
    co_return co_await finish_mirrored(local, submitted, decided, retry, underway, entry);
  }
  if (route == Route::announce) connection->announce_out_of_sync(*this, request.range);
  else mark_out_of_sync(request.range);
  const bool submitted = submit_local(local, request);
  const bool local_ok = co_await local_outcome(local, submitted, underway);
  const bool here = kept_here(local_ok, decided);
  co_return co_await answered(here, false);
}

Volume::Current Volume::current() const noexcept {
  Current now;
  now.here = state_.disk == DiskState::up_to_date;
  now.there = state_.peer_disk == DiskState::up_to_date;
  now.generation = generation_changes_;
  return now;
}

bool Volume::kept_here(bool done, Current decided) const noexcept {
  return done && (decided.here || state_.disk == DiskState::up_to_date);
}

// Current when it was sent is enough if the link went since, but not if that disk did, or is to be
// overwritten by a resync (D1).
bool Volume::kept_there(bool done, Current decided) const noexcept {
  if (!done || state_.peer_disk <= DiskState::inconsistent) return false;
  return decided.there || state_.peer_disk == DiskState::up_to_date;
}

Task<bool> Volume::local_outcome(io::Op& local, bool submitted, const LocalWrite& underway) {
  if (!submitted) co_return false;
  const std::int32_t moved = co_await local;
  --local_pending_;
  const ByteRange range = underway.range();
  write_times_.disk.add(resource_.world().clock.now() - underway.begun);
  if (moved < 0) {
    // Now, while the disk is still ours: its bitmap may take one last write.
    mark_out_of_sync(range);
    data_io_failed("write", moved, range);
  }
  co_return moved >= 0;
}

// Waits until the state lets application writes through, the activity log covers the range and a
// transfer log entry is free, all three at the same instant.
Task<Status> Volume::cover_when_stable(ByteRange range, ActivityHold& hold) {
  for (;;) {
    const Status ready = co_await wait_for_io();
    if (!ready.ok()) co_return ready;
    Connection* connection = resource_.connection();
    if (connection != nullptr && connection->relieve_congestion(*this)) continue;
    if (connection != nullptr && connection->log().full() && !announces(state_)) {
      connection->close_epoch();
      io::Event::Wait room(connection->log().room);
      co_await room;
      continue;
    }
    // A hold that was kept is not asked for again: a resync that waits for it would be in the way.
    if (hold && !hold.of(backing_.get())) hold.reset();
    if (!has_disk() || hold || backing_->try_cover(range, hold)) co_return Status();
    const BackingDevice* const disk = backing_.get();
    const Instant begun = resource_.world().clock.now();
    const Status covered = co_await backing_->cover(range, hold);
    write_times_.log.add(resource_.world().clock.now() - begun);
    const bool same_disk = backing_.get() == disk && has_disk();
    if (!covered.ok() && same_disk) {
      local_io_failed("activity log", -covered.error_number(), range);
      if (covered.fault() != Fault::io_error) co_return covered;
    }
    // Other things may have happened meanwhile: look at everything again, holding what we have.
    if (covered.ok() && accepts_io_now() && same_disk) {
      connection = resource_.connection();
      if (connection == nullptr || !connection->log().full() || announces(state_)) {
        co_return Status();
      }
    }
    hold = ActivityHold();
  }
}

bool Volume::submit_local(io::Op& op, const Change& request) {
  if (!has_disk()) return false;
  ++local_pending_;
  const io::Durability durability =
      request.stable ? io::Durability::stable : io::Durability::cached;
  switch (request.kind) {
    case Kind::write: backing_->write(op, request.range.begin, request.data, durability); break;
    case Kind::zeroes: backing_->write_zeroes(op, request.range, request.may_unmap); break;
  }
  return true;
}

Task<Status> Volume::finish_mirrored(io::Op& local, bool submitted, Current decided, Retry& retry,
                                     LocalWrite& underway, MirroredWrite& entry) {
  const bool local_ok = co_await local_outcome(local, submitted, underway);
  if (!local_ok && !sabotage(Sabotage::trust_what_was_sent))
    entry.terms.answer_at = WireProtocol::c;
  while (!entry.mark.sent()) {
    io::Event::Wait wait(entry.mark.done);
    co_await wait;
  }
  Connection& connection = *resource_.connection();
  while (entry.judge() == WriteVerdict::wait || entry.judge() == WriteVerdict::wait_for_barrier) {
    const bool only_barrier = entry.judge() == WriteVerdict::wait_for_barrier;
    if (only_barrier && connection.log().in_open_epoch(entry)) connection.close_epoch();
    io::Event::Wait wait(entry.answered);
    co_await wait;
  }
  // What was merely sent on a link that has failed since is unmirrored, whatever came of it (G3).
  const bool mirrored = entry.judge() == WriteVerdict::mirrored &&
                        (proven(entry.answer, entry.epoch_stable) || connection.established());
  retry.again = entry.judge() == WriteVerdict::again;
  if (retry.again && !sabotage(Sabotage::cool_before_retry)) retry.hold = std::move(entry.hold);
  --peer_pending_;
  underway.sent = nullptr;
  connection.log().finish(entry, local_ok);
  const bool here = kept_here(local_ok, decided);
  // This disk went on alone before it failed: without the write, and to overwrite the peer's (D1).
  const bool passed_by = generation_changes_ != decided.generation || generation_owed_;
  // A peer that is being resynced has it as well, and that lets the generation stand.
  const bool there = here ? mirrored : !passed_by && kept_there(mirrored, decided);
  co_return co_await answered(here, there);
}

// D7, G3, S3.
Task<Status> Volume::answered(bool here, bool there) {
  // A disk that is, or is to be, overwritten with what the peer has keeps nothing; nor does one
  // that went before the answer: a peer without the write may serve from here on (D1).
  const bool given_up = state_.disk <= DiskState::outdated;
  const bool kept = here && !given_up;
  if (!kept && !there) co_return Status(Fault::no_good_data, "write");
  if (!here && state_.disk <= DiskState::negotiating) peer_has_newer_ = true;
  const Status thaw = co_await thawed();
  if (!thaw.ok()) co_return thaw;
  if (there || sabotage(Sabotage::answer_before_generation)) co_return Status();
  co_return co_await generation_on_media();
}

}  // namespace replicator
