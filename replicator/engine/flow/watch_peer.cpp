// The peer answers pings and yet owes an answer: one socket is dead in one direction, or the peer
// is stuck. What it owes is watched, and after ko-count times the timeout the connection is given
// up (L2, L4), so that requests are decided without the peer and a new connection is tried.
#include "base/log.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/online_verify.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"

namespace replicator {

namespace {

constexpr Duration watch_step = Duration::seconds(1);

// In these states the next step is the peer's, and application I/O may be waiting for it.
bool handshake_goes_on(ConnectionState state) {
  return state == ConnectionState::wf_report_params || state == ConnectionState::wf_bitmap_s ||
         state == ConnectionState::wf_bitmap_t || state == ConnectionState::wf_sync_uuid ||
         state == ConnectionState::starting_sync_s || state == ConnectionState::starting_sync_t;
}

// One kind of answer that is owed: 0 when none is, else a number that changes with each step
// forward.
class Debt {
 public:
  bool overdue(std::uint64_t owed, Instant now, Duration patience) noexcept {
    if (owed != owed_) {
      owed_ = owed;
      since_ = now;
    }
    return owed_ != 0 && now - since_ > patience;
  }

 private:
  std::uint64_t owed_ = 0;
  Instant since_;
};

}  // namespace

std::uint64_t Connection::owed_read() const noexcept {
  std::uint64_t oldest = 0;
  for (const PendingRead* read : pending_reads_) {
    if (read == nullptr || read->done) continue;
    if (oldest == 0 || read->block_id < oldest) oldest = read->block_id;
  }
  return oldest;
}

std::uint64_t Connection::owed_step() const noexcept {
  if (in_handler_ != 0) return 0;  // the step is ours
  for (const std::unique_ptr<Volume>& volume : resource_.volumes()) {
    if (handshake_goes_on(volume->state().connection)) {
      return 1 + link_->data_reader.received_bytes();
    }
  }
  return 0;
}

std::uint64_t Connection::owed_resync() const noexcept {
  std::uint64_t owed = 0;
  for (const std::unique_ptr<Volume>& volume : resource_.volumes()) {
    if (volume->resync_) owed += volume->resync_->owed();
    if (volume->verify_) owed += volume->verify_->owed();
  }
  return owed;
}

Task<void> Connection::watch_peer() {
  Debt write;
  Debt read;
  Debt reply;
  Debt step;
  Debt resync;
  while (established_) {
    const Duration patience = send_patience();
    const Instant now = resource_.world().clock.now();
    const bool late_write = write.overdue(log_.oldest_in_doubt(), now, patience);
    const bool late_read = read.overdue(owed_read(), now, patience);
    const bool late_reply = reply.overdue(link_->reply_owed(), now, patience);
    const bool late_step = step.overdue(owed_step(), now, patience);
    const bool late_resync = resync.overdue(owed_resync(), now, patience);
    if (!patience.is_forever() &&
        (late_write || late_read || late_reply || late_step || late_resync)) {
      const char* const owed = late_write && log_.oldest_is_answered() ? "answer a P_BARRIER"
                               : late_write || late_read               ? "finish a request"
                               : late_reply                            ? "answer a state change"
                               : late_step ? "take its step of the handshake"
                                           : "go on with the resync";
      log::warning(
          "{} connection: Remote failed to {} within {}ms > ko-count ({}) * timeout ({} * "
          "0.1s)",
          resource_.name(), owed, patience.milliseconds(), options_.ko_count,
          options_.timeout_tenths);
      fail(ConnectionState::timeout, "the peer did not answer in time");
      break;
    }
    io::Op op;
    watch_sleep_ = &op;
    resource_.world().clock.sleep(op, watch_step);
    co_await op;
    watch_sleep_ = nullptr;
  }
}

}  // namespace replicator
