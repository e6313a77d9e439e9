#include "engine/flow/resync.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.hpp"
#include "engine/decide/version_rules.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

namespace {

constexpr Duration pace_step = Duration::milliseconds(100);
constexpr Duration extent_retry = Duration::milliseconds(10);
constexpr std::size_t unanswered_max = 64;  // requests that the source has yet to serve
constexpr std::size_t requests_max = 256;   // with those that wait for the flush
// One flush for so much, while no application waits for it: flushes are what a resync waits for
// most.
constexpr std::size_t flush_requests = 64;
constexpr std::uint64_t flush_bytes = 32U << 20U;
constexpr std::uint32_t steps_between_bitmap_writes = 20;  // 2 s

bool contains(const std::vector<ByteRange>& ranges, ByteRange range) {
  return std::find(ranges.begin(), ranges.end(), range) != ranges.end();
}

std::uint64_t blocks(ByteRange range) { return ceil_div(range.length.value(), block_bytes); }

}  // namespace

Resync::Resync(Volume& volume, Connection& connection, Side side)
    : volume_(volume),
      connection_(connection),
      side_(side),
      total_blocks_(volume.out_of_sync_blocks()),
      checksums_used_(side == Side::target && connection.asks_with_checksums(volume)),
      thin_bytes_(connection.thin_resync() ? thin_request_bytes(volume.rs_discard_granularity())
                                           : 0),
      pacer_(volume.pacing()),
      marks_(total_blocks_, volume.resource().world().clock.now()) {
  requests_.reserve(requests_max);
  written_.reserve(requests_max);
  flushing_.reserve(requests_max);
}

void Resync::start(io::Gate& tasks) {
  state_changed();  // it may begin paused
  tasks.start(counted(pace()));
  if (side_ == Side::source) {
    if (source_ends_resync(connection_.agreed_version(), total_blocks_ == 0)) {
      end_when_clean();
    }
    return;
  }
  tasks.start(counted(stabilize()));
  tasks.start(counted(request_loop()));
}

Task<void> Resync::counted(Task<void> task) {
  ++tasks_;
  co_await task;
  --tasks_;
}

void Resync::stop() noexcept {
  stopping_ = true;
  // Application writes need not wait any longer, except where a block is on its way to the disk
  // (E4).
  next_lock_.reset();
  std::erase_if(requests_, [this](const Request& request) {
    return !request.answered || contains(written_, request.range) ||
           contains(flushing_, request.range);
  });
  progress_event_.notify_all();
  written_event_.notify_all();
  if (tick_ != nullptr) volume_.resource().world().clock.wake(*tick_);
}

std::uint64_t Resync::left_blocks() const noexcept { return volume_.out_of_sync_blocks(); }

bool Resync::done() const noexcept { return requests_.empty() && left_blocks() <= failed_blocks_; }

SyncProgress Resync::progress() const {
  SyncProgress progress = marks_.progress(volume_.resource().world().clock.now(), left_blocks());
  progress.failed_blocks = failed_blocks_;
  progress.equal_blocks = equal_blocks_;
  if (side_ == Side::target) progress.in_flight_blocks = in_flight_blocks_;
  if (side_ == Side::target) progress.want_kib_per_second = pacer_.want_kib_per_second();
  return progress;
}

// Every 100 ms: feeds the pacer, keeps the progress marks and, now and then, saves progress on
// media.
Task<void> Resync::pace() {
  std::uint32_t steps = 0;
  while (!stopping_) {
    if (side_ == Side::target) {
      application_io_ = volume_.application_io_seen();
      budget_blocks_ = pacer_.step(answered_blocks_, in_flight_blocks_, application_io_);
      answered_blocks_ = 0;
      flush_due_ = true;
      written_event_.notify_all();
    }
    marks_.update(volume_.resource().world().clock.now(), left_blocks());
    progress_event_.notify_all();
    if (++steps % steps_between_bitmap_writes == 0 && volume_.has_disk()) {
      const Status written = co_await volume_.backing()->write_changed_bitmap_pages();
      if (!written.ok()) volume_.local_io_failed("bitmap", -written.error_number(), ByteRange());
    }
    if (stopping_) break;
    io::Op op;
    tick_ = &op;
    volume_.resource().world().clock.sleep(op, pace_step);
    co_await op;
    tick_ = nullptr;
  }
}

Task<void> Resync::request_loop() {
  if (checksums_used_) {
    const bool settled = co_await settle_cache();
    if (!settled) co_return;  // the disk is going
  }
  while (!stopping_) {
    if (done()) {
      co_await finish_target();
      break;
    }
    extent_busy_ = false;
    while (!stopping_ && unanswered_ < unanswered_max && requests_.size() < requests_max &&
           request_next()) {
    }
    if (stopping_ || done()) continue;
    if (extent_busy_) {
      // An application write is in doubt there; its epoch must end first.
      connection_.close_epoch();
      io::Op op;
      volume_.resource().world().clock.sleep(op, extent_retry);
      co_await op;
      continue;
    }
    io::Event::Wait wait(progress_event_);
    co_await wait;
  }
}

bool Resync::paused() const noexcept {
  const ConnectionState state = volume_.state().connection;
  return state == ConnectionState::paused_sync_s || state == ConnectionState::paused_sync_t;
}

// While it is paused nothing new is requested; what is under way arrives and is acknowledged.
void Resync::state_changed() {
  if (paused() == was_paused_) return;
  was_paused_ = !was_paused_;
  const Instant now = volume_.resource().world().clock.now();
  log::info("{}/{} {}", volume_.resource().name(), volume_.number(),
            was_paused_ ? "Resync suspended" : "Syncer continues.");
  if (was_paused_) {
    marks_.pause(now);
    // Nothing is on its way to that extent yet: writes need not wait there (L2).
    next_lock_.reset();
  } else {
    marks_.go_on(now);
  }
  progress_event_.notify_all();
}

// Sends one request; false when nothing can be requested now.
bool Resync::request_next() {
  if (budget_blocks_ == 0 || paused() || !volume_.has_disk()) return false;
  const Bitmap& bitmap = volume_.backing()->bitmap();
  std::uint64_t most = connection_.data_bytes_to_peer(volume_);
  if (thin_bytes_ != 0) most = std::min(most, thin_bytes_);
  if (pacer_.gives_way()) most = std::min(most, budget_blocks_ * block_bytes);
  const std::optional<ByteRange> range = next_resync_range(bitmap, position_, volume_.size(), most);
  if (!range) {
    // Start over for what was marked behind us, but only when no answer is outstanding.
    if (position_ != 0 && requests_.empty()) {
      position_ = 0;
      return true;
    }
    // Not searched again before that: the bitmap of a large disk takes its time.
    position_ = bitmap.size().value();
    return false;
  }
  // While it is only wanted, the lock already keeps new application writes out (L3).
  if (!volume_.backing()->try_lock_resync(*range, next_lock_)) {
    extent_busy_ = true;
    position_ = range->begin.value() / block_bytes;
    return false;
  }
  Request request;
  request.range = *range;
  request.lock = std::move(next_lock_);
  const std::uint64_t count = blocks(*range);
  position_ = range->begin.value() / block_bytes + count;
  budget_blocks_ -= std::min(budget_blocks_, count);
  in_flight_blocks_ += count;
  ++unanswered_;
  const bool thin = !checksums_used_ && thin_bytes_ != 0 && range->length.value() == thin_bytes_;
  request.thin = thin;
  requests_.push_back(std::move(request));
  if (checksums_used_) connection_.link_tasks_.start(ask_with_digest(*range));
  else connection_.request_resync(volume_, *range, thin);
  return true;
}

Resync::Request* Resync::find(ByteRange range) noexcept {
  for (Request& request : requests_) {
    if (request.range == range) return &request;
  }
  return nullptr;
}

bool Resync::expects(ByteRange range) const noexcept {
  return std::any_of(requests_.begin(), requests_.end(), [&](const Request& request) {
    return request.range == range && !request.answered;
  });
}

std::uint64_t Resync::owed() const noexcept {
  const bool waiting = std::any_of(requests_.begin(), requests_.end(),
                                   [](const Request& request) { return !request.answered; });
  return waiting || end_is_owed() ? 1 + answers_ : 0;
}

// Nothing is left, so the target has copied all, and its P_STATE ends the resync here. A data
// socket that is dead in that direction keeps it away while the meta socket answers pings (G7, L1).
// A resync without blocks may be waiting for the target's before-resync-target.
bool Resync::end_is_owed() const noexcept {
  return side_ == Side::source && volume_.state_.connection == ConnectionState::sync_source &&
         total_blocks_ != 0 && left_blocks() <= failed_blocks_;
}

void Resync::drop(Request& request) noexcept {
  const std::uint64_t count = blocks(request.range);
  in_flight_blocks_ -= count;
  answered_blocks_ += count;
  if (!request.answered) --unanswered_;
  if (&request != &requests_.back()) request = std::move(requests_.back());
  requests_.pop_back();
  progress_event_.notify_all();
}

Task<void> Resync::write(ByteRange range, io::BufferPool::Buffer data, bool zeroes) {
  ++tasks_;
  find(range)->answered = true;
  --unanswered_;
  ++answers_;
  // The next request need not wait for this one's flush.
  progress_event_.notify_all();
  io::RangeLock::Turn turn(volume_.incoming_writes_, range);
  co_await turn;
  if (volume_.keeps_undo(range)) co_await volume_.keep_old(range);
  std::int32_t moved = -ENODEV;
  if (volume_.has_disk()) {
    io::Op op;
    ++volume_.local_pending_;
    if (zeroes) volume_.backing()->write_zeroes(op, range, true);
    else volume_.backing()->write(op, range.begin, data.bytes(), io::Durability::cached);
    moved = co_await op;
    --volume_.local_pending_;
  }
  turn.release();
  data.reset();
  if (stopping_) {
    if (moved < 0) volume_.data_io_failed("resync write", moved, range);
    if (Request* request = find(range)) drop(*request);
    --tasks_;
    co_return;
  }
  if (moved >= 0) {
    written_.push_back(range);
    written_bytes_ += range.length.value();
    written_event_.notify_all();
    --tasks_;
    co_return;
  }
  volume_.data_io_failed("resync write", moved, range);
  connection_.send_block_ack(volume_, Packet::neg_ack, to_sector(range.begin),
                             static_cast<std::uint32_t>(range.length.value()), syncer_block_id);
  failed_blocks_ += blocks(range);
  if (Request* request = find(range)) drop(*request);
  --tasks_;
}

// Nothing more would come, or it is enough, or long enough, or an application may wait for a lock.
bool Resync::worth_a_flush() const noexcept {
  if (written_.empty()) return false;
  return written_.size() == requests_.size() || written_.size() >= flush_requests ||
         written_bytes_ >= flush_bytes || flush_due_ || application_io_;
}

// E3: one flush for everything written meanwhile, then the acks.
Task<void> Resync::stabilize() {
  while (!stopping_) {
    if (!worth_a_flush()) {
      io::Event::Wait wait(written_event_);
      co_await wait;
      continue;
    }
    if (!volume_.has_disk()) break;
    std::swap(written_, flushing_);
    written_bytes_ = 0;
    flush_due_ = false;
    const BackingDevice::Use use(*volume_.backing());
    io::Op op;
    volume_.backing()->flush(op);
    const std::int32_t flushed = co_await op;
    // Its locks are gone: the application may have written there since (E3).
    if (stopping_) break;
    if (flushed < 0) volume_.local_io_failed("resync flush", flushed, ByteRange());
    for (const ByteRange& range : flushing_)
      settle(range, flushed >= 0);
    flushing_.clear();
  }
}

void Resync::settle(ByteRange range, bool in_sync) {
  if (in_sync) volume_.clear_out_of_sync(range);
  else failed_blocks_ += blocks(range);
  connection_.send_block_ack(volume_, in_sync ? Packet::rs_write_ack : Packet::neg_ack,
                             to_sector(range.begin),
                             static_cast<std::uint32_t>(range.length.value()), syncer_block_id);
  if (Request* request = find(range)) drop(*request);
}

bool Resync::answered_without_data(Packet command, ByteRange range) {
  Request* request = find(range);
  if (request == nullptr || request->answered) return false;
  ++answers_;
  if (command == Packet::rs_is_in_sync) {
    volume_.clear_out_of_sync(range);
    equal_checksum(range);
  }
  if (command == Packet::neg_rs_dreply) failed_blocks_ += blocks(range);
  if (command == Packet::rs_cancel) position_ = 0;
  drop(*request);
  return true;
}

void Resync::read_failed(ByteRange range) noexcept { failed_blocks_ += blocks(range); }

bool Resync::acknowledged(Packet command, ByteRange range) {
  if (command == Packet::rs_write_ack) volume_.clear_out_of_sync(range);
  else if (command == Packet::neg_ack) failed_blocks_ += blocks(range);
  else return false;
  if (done()) progress_event_.notify_all();
  return true;
}

// docs/protocol.md#resync-end: the ping makes sure that the source has seen every ack of ours.
Task<void> Resync::finish_target() {
  const bool alive = co_await connection_.ping_peer();
  if (!alive) co_return;
  // The peer may already have agreed that this disk goes, Inconsistent. Ending UpToDate, it would
  // hold the generation in use without what is written from now on (G1).
  while (volume_.detach_asked_ && !stopping_) {
    io::Event::Wait decided(volume_.resource().changed);
    co_await decided;
  }
  if (stopping_) co_return;
  co_await volume_.resource().finish_resync_as_target(volume_, failed_blocks_ == 0);
}

void Resync::end_when_clean() {
  if (ending_) return;
  ending_ = true;
  connection_.link_tasks_.start(counted(finish_source()));
}

// Of nothing to copy the end is not told before version 95. A target whose handler still considers
// the resync must not be taken for UpToDate (G1); what it says of its state shows when it began,
// and a kernel that says nothing has had the time that kernels give each other.
Task<void> Resync::target_begun() {
  io::Clock& clock = volume_.resource().world().clock;
  const NetOptions& net = connection_.options();
  const Instant until = clock.now() + Duration::seconds(net.ping_interval_seconds) +
                        Duration::tenths(net.ping_timeout_tenths);
  while (!stopping_ && clock.now() < until) {
    const ConnectionState there = volume_.peer_.state.connection;
    if (is_syncing(there) || there == ConnectionState::connected) co_return;
    io::Op op;
    clock.sleep(op, extent_retry);
    co_await op;
  }
}

// With an old peer its last acknowledgement is the end. A newer one says that it is through, but a
// kernel does so as soon as it has written: what applications wrote last is clean here only when
// its epoch is stable.
Task<void> Resync::finish_source() {
  const bool silent_end = total_blocks_ == 0 && connection_.agreed_version() < 95;
  if (silent_end) co_await target_begun();
  while (!stopping_) {
    if (!done()) {
      io::Event::Wait wait(progress_event_);
      co_await wait;
      continue;
    }
    const bool alive = co_await connection_.ping_peer();
    if (!alive) co_return;
    if (stopping_ || !done()) continue;
    co_await volume_.resource().finish_resync_as_source(volume_);
    co_return;
  }
}

}  // namespace replicator
