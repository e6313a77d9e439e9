#include "frontend/nbd/connection.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace replicator::nbd {

namespace {

constexpr std::uint32_t largest_piece = 1U << 20U;
// What the protocol lets a client read without fragmentation.
constexpr std::uint32_t smallest_piece = 64U << 10U;

std::uint64_t size_of(const io::BlockLimits& limits) noexcept {
  return round_down(limits.size.value(), limits.block_bytes);
}

Session session_of(const io::BlockLimits& limits) noexcept {
  Session session;
  session.size = size_of(limits);
  session.block_bytes = limits.block_bytes;
  session.piece_bytes = std::min(limits.maximum_bytes, largest_piece);
  session.writable = limits.writable;
  ensure(session.piece_bytes >= smallest_piece);
  ensure(session.piece_bytes % session.block_bytes == 0);
  return session;
}

Export export_of(const io::BlockLimits& limits) noexcept {
  Export facts;
  facts.size = size_of(limits);
  facts.minimum_block = limits.block_bytes;
  facts.preferred_block = std::max(limits.preferred_bytes, limits.block_bytes);
  facts.writable = limits.writable;
  return facts;
}

const char* refusal(const Status& status) noexcept {
  if (status.fault() == Fault::read_only) return "the volume is not Primary on this node";
  return text(status.fault());
}

}  // namespace

Connection::Connection(const Environment& environment, std::unique_ptr<io::Stream> stream)
    : environment_(environment),
      stream_(std::move(stream)),
      input_(environment.limits.receive_bytes),
      replies_(environment.limits.requests_in_flight) {
  ensure(environment.limits.requests_in_flight >= 2);
  ensure(environment.limits.receive_bytes >= std::size_t{4} * small_write);
  slots_.reserve(environment.limits.requests_in_flight);
}

Task<void> Connection::run() {
  const bool agreed = co_await negotiate();
  if (agreed) {
    gate_.start(watch_client());
    Task<void> transmission = transmit();
    co_await transmission;
  }
  if (device_open_) environment_.device.close(session_.writable);
  log::debug("nbd {}: a client has left", environment_.export_name);
}

Task<void> Connection::run_without_handshake() {
  session_ = session_of(environment_.device.limits());
  Task<void> transmission = transmit();
  co_await transmission;
}

Task<void> Connection::transmit() {
  gate_.start(write_replies());
  Task<void> reading = read_requests();
  co_await reading;
  Task<void> finishing = finish_requests();
  co_await finishing;
}

void Connection::resized() noexcept { session_.size = size_of(environment_.device.limits()); }

void Connection::release() noexcept {
  held_ = false;
  resumed_.notify_all();
}

void Connection::leave() noexcept {
  left_ = true;
  cut();
  release();
}

void Connection::stop() noexcept {
  stopping_ = true;
  if (in_flight_ == 0) cut();
}

// ---- negotiation

Task<bool> Connection::negotiate() {
  constexpr std::size_t window_bytes = 16384;
  OptionNegotiation negotiation(environment_.export_name);
  const Instant deadline = environment_.clock.now() + environment_.limits.handshake;
  for (;;) {
    if (!negotiation.output().empty()) {
      const io::IoSlice slice = {negotiation.output().data(), negotiation.output().size()};
      const Duration patience = deadline - environment_.clock.now();
      io::Op op;
      stream_->send(op, std::span(&slice, 1), patience);
      const std::int32_t sent = co_await op;
      if (sent < 0) co_return false;
      negotiation.output_sent();
    }
    const OptionNegotiation::Next next = negotiation.next();
    if (next == OptionNegotiation::Next::transmit) co_return true;
    if (next == OptionNegotiation::Next::close) co_return false;
    if (next == OptionNegotiation::Next::open) {
      open(negotiation);
    } else if (next == OptionNegotiation::Next::describe) {
      describe(negotiation);
    } else if (!input_.unread().empty()) {
      input_.consume(negotiation.feed(input_.unread()));
    } else {
      const Duration patience = deadline - environment_.clock.now();
      if (patience <= Duration()) co_return false;
      io::Op op;
      stream_->receive(op, input_.room().first(window_bytes), patience);
      const std::int32_t count = co_await op;
      if (count <= 0) co_return false;
      input_.filled(static_cast<std::size_t>(count));
    }
  }
}

void Connection::open(OptionNegotiation& negotiation) {
  const io::BlockLimits limits = environment_.device.limits();
  const Status opened = environment_.device.open(limits.writable);
  if (!opened.ok()) {
    log::info("nbd {}: a client was refused: {}", environment_.export_name, refusal(opened));
    negotiation.refuse(OptionReply::error_policy, refusal(opened));
    return;
  }
  device_open_ = true;
  session_ = session_of(limits);
  session_.structured = negotiation.structured();
  session_.allocation = negotiation.allocation();
  replies_.set_structured(session_.structured);
  negotiation.answer(export_of(limits));
  log::debug("nbd {}: a client was let in", environment_.export_name);
}

// Must say the same that opening would say, so it opens; but holds nothing afterwards.
void Connection::describe(OptionNegotiation& negotiation) {
  const io::BlockLimits limits = environment_.device.limits();
  const Status opened = environment_.device.open(limits.writable);
  if (!opened.ok()) {
    negotiation.refuse(OptionReply::error_policy, refusal(opened));
    return;
  }
  environment_.device.close(limits.writable);
  negotiation.answer(export_of(limits));
}

// ---- replies out

Task<void> Connection::write_replies() {
  for (;;) {
    if (replies_.empty()) {
      if (closing_) co_return;
      io::Event::Wait wait(work_for_writer_);
      co_await wait;
      continue;
    }
    const std::span<const io::IoSlice> slices = replies_.take();
    if (!broken_ && !slices.empty()) {
      ++sends_;
      sending_ = true;
      io::Op op;
      stream_->send(op, slices);
      const std::int32_t sent = co_await op;
      sending_ = false;
      if (sent < 0) break_off();
    }
    batch_done();
  }
}

// Ends the connection of a client that leaves its replies unread, and with them our memory. One
// look now and then costs less than a deadline for every send.
Task<void> Connection::watch_client() {
  while (!closing_) {
    const std::uint64_t seen = sends_;
    environment_.clock.sleep(watch_, environment_.limits.unread_replies);
    co_await watch_;
    if (closing_) co_return;
    if (sending_ && sends_ == seen && !broken_) {
      log::warning("nbd {}: a client does not read its replies, closing", environment_.export_name);
      break_off();
    }
  }
}

void Connection::batch_done() noexcept {
  for (Slot* slot : replies_.taken()) {
    if (slot->final_part) release(*slot);
    else start(*slot);
  }
}

// Nothing that is sent from now on would be understood, or arrive.
void Connection::break_off() noexcept {
  broken_ = true;
  environment_.share.released.notify_all();
  cut();
}

// The client sends no more: what is in flight is still carried out and answered.
Task<void> Connection::finish_requests() {
  while (in_flight_ != 0) {
    io::Event::Wait wait(environment_.share.released);
    co_await wait;
  }
  closing_ = true;
  work_for_writer_.notify_all();
  environment_.clock.wake(watch_);
  for (const std::unique_ptr<Slot>& slot : slots_) {
    slot->retire = true;
    start(*slot);
  }
  Task<void> closing = gate_.close();
  co_await closing;
}

}  // namespace replicator::nbd
