#include "engine/flow/online_verify.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/sabotage.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

namespace {

constexpr Duration pace_step = Duration::milliseconds(100);
constexpr Duration extent_retry = Duration::milliseconds(10);
constexpr std::size_t asked_max = 512;      // blocks that are under way at a time
constexpr std::size_t answered_max = 2048;  // a kernel's max-buffers / 2, and as much again
// What the peer's result says, in the place of a block id.
constexpr std::uint64_t id_in_sync = 4711;
constexpr std::uint64_t id_out_of_sync = 4712;

}  // namespace

bool OnlineVerify::says_different(std::uint64_t block_id) noexcept {
  return __builtin_bswap64(block_id) == id_out_of_sync;
}

OnlineVerify::OnlineVerify(Volume& volume, Connection& connection, Side side, VerifyRange wanted)
    : volume_(volume),
      connection_(connection),
      side_(side),
      cursor_(volume.size(), wanted),
      pacer_(volume.pacing()),
      marks_(cursor_.total(), volume.resource().world().clock.now()) {
  blocks_.reserve(side == Side::asking ? asked_max : answered_max);
}

void OnlineVerify::start(io::Gate& tasks) {
  tasks.start(counted(pace()));
  if (side_ == Side::asking) tasks.start(counted(request_loop()));
}

Task<void> OnlineVerify::counted(Task<void> task) {
  ++tasks_;
  co_await task;
  --tasks_;
}

void OnlineVerify::stop() noexcept {
  stopping_ = true;
  tell(differing_.end());
  next_lock_.reset();
  blocks_.clear();
  progress_event_.notify_all();
  room.notify_all();
  if (tick_ != nullptr) volume_.resource().world().clock.wake(*tick_);
}

SyncProgress OnlineVerify::progress() const {
  SyncProgress progress = marks_.progress(volume_.resource().world().clock.now(), cursor_.left());
  progress.verify = true;
  progress.position_sector =
      side_ == Side::asking ? to_sector(cursor_.next()).value() : cursor_.reached_sector();
  if (side_ == Side::asking) progress.want_kib_per_second = pacer_.want_kib_per_second();
  return progress;
}

std::uint64_t OnlineVerify::resume_sector() const noexcept {
  if (cursor_.left() == 0) return 0;
  if (side_ == Side::answering) return cursor_.reached_sector();
  // Answers may overtake each other: whatever is still open comes again.
  ByteOffset lowest = cursor_.next();
  for (const Block& block : blocks_)
    lowest = std::min(lowest, block.range.begin);
  return to_sector(lowest).value();
}

std::uint64_t OnlineVerify::owed() const noexcept {
  const bool asking = side_ == Side::asking;
  const bool waiting = std::any_of(blocks_.begin(), blocks_.end(), [asking](const Block& block) {
    return block.answered != asking;
  });
  return waiting ? 1 + answers_ : 0;
}

Task<void> OnlineVerify::pace() {
  while (!stopping_) {
    if (side_ == Side::asking) {
      const bool application_io = volume_.application_io_seen();
      budget_blocks_ = pacer_.step(answered_blocks_, blocks_.size(), application_io);
      answered_blocks_ = 0;
      progress_event_.notify_all();
    }
    marks_.update(volume_.resource().world().clock.now(), cursor_.left());
    io::Op op;
    tick_ = &op;
    volume_.resource().world().clock.sleep(op, pace_step);
    co_await op;
    tick_ = nullptr;
  }
}

Task<void> OnlineVerify::request_loop() {
  while (!stopping_) {
    if (cursor_.all_asked() && blocks_.empty()) {
      co_await finish();
      break;
    }
    extent_busy_ = false;
    while (request_next()) {
    }
    if (extent_busy_) {
      // An application write is in doubt there; its epoch must end first.
      connection_.close_epoch();
      io::Op op;
      volume_.resource().world().clock.sleep(op, extent_retry);
      co_await op;
      continue;
    }
    if (stopping_) break;
    io::Event::Wait wait(progress_event_);
    co_await wait;
  }
}

// Asks for one block; false when nothing can be asked for now.
bool OnlineVerify::request_next() {
  if (stopping_ || budget_blocks_ == 0 || blocks_.size() >= asked_max || !volume_.has_disk()) {
    return false;
  }
  const std::optional<ByteRange> range = cursor_.peek();
  if (!range) return false;
  if (!sabotage(Sabotage::verify_unlocked) &&
      !volume_.backing()->try_lock_resync(*range, next_lock_)) {
    extent_busy_ = true;
    return false;
  }
  Block block;
  block.range = *range;
  block.lock = std::move(next_lock_);
  blocks_.push_back(std::move(block));
  cursor_.advance();
  --budget_blocks_;
  BlockRequest request;
  request.sector = to_sector(range->begin);
  request.block_id = syncer_block_id;
  request.bytes = static_cast<std::uint32_t>(range->length.value());
  connection_.link()->send(Socket::data, Packet::ov_request,
                           static_cast<std::uint16_t>(volume_.number()), request);
  return true;
}

OnlineVerify::Block* OnlineVerify::find(ByteRange block) noexcept {
  const auto found = std::find_if(blocks_.begin(), blocks_.end(),
                                  [&](const Block& each) { return each.range == block; });
  return found == blocks_.end() ? nullptr : &*found;
}

void OnlineVerify::drop(Block& block) noexcept {
  if (&block != &blocks_.back()) block = std::move(blocks_.back());
  blocks_.pop_back();
  progress_event_.notify_all();
  room.notify_all();
}

bool OnlineVerify::expects(ByteRange block) const noexcept {
  return side_ == Side::asking &&
         std::any_of(blocks_.begin(), blocks_.end(),
                     [&](const Block& each) { return each.range == block && !each.answered; });
}

Task<bool> OnlineVerify::read(ByteRange block, Bytes into) {
  if (!volume_.has_disk()) co_return false;
  io::Op op;
  ++volume_.local_pending_;
  volume_.backing()->read(op, block.begin, into);
  const std::int32_t moved = co_await op;
  --volume_.local_pending_;
  if (moved < 0) volume_.local_io_failed("verify read", moved, block);
  co_return moved >= 0;
}

Task<void> OnlineVerify::compare(ByteRange block, ReceivedDigest theirs) {
  ++tasks_;
  ++answers_;
  find(block)->answered = true;
  io::BufferPool::Buffer buffer =
      co_await volume_.resource().reply_buffers().take(block.length.value());
  bool readable = false;
  if (!stopping_) {
    const bool moved = co_await read(block, buffer.bytes());
    readable = moved;
  }
  if (!stopping_) {
    const BlockDigest& digest = connection_.digests().verify;
    const bool same = readable && digest && digest.matches(buffer.bytes(), theirs.view());
    settle(block, !same);
  }
  --tasks_;
}

void OnlineVerify::not_compared(ByteRange block) {
  ++answers_;
  find(block)->answered = true;
  settle(block, false);
}

// Asking: the result is known. Marked here first, then the peer is told, then writes may go on.
void OnlineVerify::settle(ByteRange block, bool differs) {
  note_result(block, differs);
  BlockAck ack;
  ack.sector = to_sector(block.begin);
  ack.block_id = __builtin_bswap64(differs ? id_out_of_sync : id_in_sync);
  ack.bytes = static_cast<std::uint32_t>(block.length.value());
  ack.seq_num = connection_.next_sequence(volume_);
  connection_.link()->send(Socket::meta, Packet::ov_result,
                           static_cast<std::uint16_t>(volume_.number()), ack);
  if (Block* found = find(block)) drop(*found);
}

void OnlineVerify::note_result(ByteRange block, bool differs) {
  if (differs) {
    volume_.mark_out_of_sync(block);
    tell(differing_.add(block));
  } else {
    tell(differing_.end());
  }
  cursor_.compared();
  ++answered_blocks_;
}

void OnlineVerify::tell(std::optional<ByteRange> run) const {
  if (!run) return;
  log::error("{}/{} Out of sync: start={}, size={} (sectors)", volume_.resource().name(),
             volume_.number(), to_sector(run->begin).value(), to_sectors(run->length).value());
}

bool OnlineVerify::has_room() const noexcept { return stopping_ || blocks_.size() < answered_max; }

// Everything that was written there before is stable on both sides; what comes now waits.
Task<bool> OnlineVerify::lock(ByteRange block, ResyncLock& lock) {
  while (!stopping_ && volume_.has_disk()) {
    if (sabotage(Sabotage::verify_unlocked)) co_return true;
    if (volume_.backing()->try_lock_resync(block, lock)) co_return true;
    connection_.close_epoch();
    io::Op op;
    volume_.resource().world().clock.sleep(op, extent_retry);
    co_await op;
  }
  co_return false;
}

Task<void> OnlineVerify::answer(BlockRequest request, ByteRange range) {
  ++tasks_;
  if (!begun_) {
    begun_ = true;
    VerifyRange wanted;
    // Before protocol 90 there is no start sector.
    if (connection_.agreed_version() >= 90) wanted.start = request.sector.value();
    cursor_ = VerifyCursor(volume_.size(), wanted);
    marks_ = SyncMarks(cursor_.total(), volume_.resource().world().clock.now());
    log::info("{}/{} Online Verify start sector: {}", volume_.resource().name(), volume_.number(),
              wanted.start);
  }
  Block block;
  block.range = range;
  blocks_.push_back(std::move(block));
  ResyncLock held;
  const bool locked = co_await lock(range, held);
  io::BufferPool::Buffer buffer;
  bool readable = false;
  if (locked) {
    io::BufferPool::Buffer taken =
        co_await volume_.resource().reply_buffers().take(range.length.value());
    buffer = std::move(taken);
    if (!stopping_) {
      const bool moved = co_await read(range, buffer.bytes());
      readable = moved;
    }
  }
  Block* found = stopping_ ? nullptr : find(range);
  if (found != nullptr) {
    found->lock = std::move(held);  // until the result is here
    found->answered = true;
    ReceivedDigest digest;  // zeroes say that the block can't be read
    digest.size = connection_.digests().verify.bytes();
    if (readable && digest.size != 0) {
      connection_.digests().verify.compute(buffer.bytes(), digest.bytes);
    }
    send_digest(request, digest.view());
  }
  --tasks_;
}

void OnlineVerify::send_digest(const BlockRequest& request, ConstBytes digest) {
  std::array<std::byte, block_request_bytes + digest_bytes_max> payload{};
  const std::size_t fixed = encode(request, payload);
  copy_bytes(Bytes(payload).subspan(fixed), digest);
  connection_.link()->send_bytes(Socket::data, Packet::ov_reply,
                                 static_cast<std::uint16_t>(volume_.number()),
                                 ConstBytes(payload).first(fixed + digest.size()));
}

bool OnlineVerify::result(ByteRange range, bool differs) {
  Block* block = find(range);
  if (side_ != Side::answering || block == nullptr || !block->answered) return false;
  ++answers_;
  note_result(range, differs);
  drop(*block);
  return true;
}

Task<void> OnlineVerify::finish() {
  if (finishing_) co_return;
  finishing_ = true;
  ++tasks_;
  tell(differing_.end());
  // The other side has seen every result of ours, and we every one of its.
  const bool alive = co_await connection_.ping_peer();
  if (alive && !stopping_) volume_.resource().verify_finished(volume_);
  --tasks_;
}

}  // namespace replicator
