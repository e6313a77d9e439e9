#include "tls/stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace replicator::tls {

namespace {

constexpr std::size_t slices_expected = 1024;
constexpr Duration goodbye = Duration::seconds(1);
// A fatal alert, handshake_failure: what a plain peer finds where it expects an answer, so that it
// can tell its operator.
constexpr std::array<std::byte, 7> refusal = {std::byte{0x15}, std::byte{0x03}, std::byte{0x03},
                                              std::byte{0x00}, std::byte{0x02}, std::byte{0x02},
                                              std::byte{0x28}};

}  // namespace

TlsStream::TlsStream(std::unique_ptr<io::Stream> inner, std::shared_ptr<const Context> context,
                     Side side, io::Clock& clock)
    : inner_(std::move(inner)), clock_(clock), session_(std::move(context), side) {
  slices_.reserve(slices_expected);
  gathered_.resize(Session::record_bytes_max);
}

TlsStream::~TlsStream() = default;

Duration TlsStream::left(Instant deadline) const noexcept {
  const Duration rest = deadline - clock_.now();
  return rest > Duration() ? rest : Duration();
}

// More ciphertext from the peer.
Task<std::int32_t> TlsStream::fill(Duration patience) {
  io::Op op;
  const Bytes room = session_.input_room();
  inner_->receive(op, room, patience);
  const std::int32_t result = co_await op;
  if (result > 0) session_.received(static_cast<std::size_t>(result));
  co_return result;
}

// What the session has to say, to the peer.
Task<std::int32_t> TlsStream::drain(Duration patience) {
  std::int32_t result = 0;
  while (result >= 0 && session_.has_output()) {
    const ConstBytes output = session_.take_output();
    const io::IoSlice slice{output.data(), output.size()};
    const std::span<const io::IoSlice> slices(&slice, 1);
    io::Op op;
    inner_->send(op, slices, patience);
    result = co_await op;
  }
  co_return result;
}

Task<void> TlsStream::refuse_plain() {
  const io::IoSlice slice{refusal.data(), refusal.size()};
  const std::span<const io::IoSlice> slices(&slice, 1);
  io::Op op;
  inner_->send(op, slices, goodbye);
  co_await op;
  co_await wait_for_end();
}

// Closed at once, with something of the peer's unread, the connection would be reset, and the peer
// might never read why it was refused.
Task<void> TlsStream::wait_for_end() {
  std::array<std::byte, 512> unheard{};
  const Instant deadline = clock_.now() + goodbye;
  for (;;) {
    const Duration rest = left(deadline);
    if (rest == Duration()) co_return;
    io::Op op;
    const Bytes into(unheard);
    inner_->receive(op, into, rest);
    const std::int32_t result = co_await op;
    if (result <= 0) co_return;
  }
}

Task<Status> TlsStream::handshake(Instant deadline) {
  bool heard = false;
  for (;;) {
    const Session::Step step = session_.handshake();
    const Duration patience = left(deadline);
    const std::int32_t sent = co_await drain(patience);
    if (step == Session::Step::failed) {
      co_await wait_for_end();
      co_return Status(Fault::not_permitted, "TLS handshake");
    }
    if (step == Session::Step::closed) co_return Status(Fault::closed, "TLS handshake");
    if (sent < 0) co_return Status(Fault::io_error, "TLS handshake", -sent);
    if (step == Session::Step::done) break;
    const Duration rest = left(deadline);
    if (rest == Duration()) co_return Status(Fault::timed_out, "TLS handshake");
    const std::byte* const begin = session_.input_room().data();
    const std::int32_t got = co_await fill(rest);
    if (got == 0) co_return Status(Fault::closed, "TLS handshake");
    if (got == -ETIMEDOUT) co_return Status(Fault::timed_out, "TLS handshake");
    if (got < 0) co_return Status(Fault::io_error, "TLS handshake", -got);
    if (!heard && *begin != std::byte{0x15} && *begin != std::byte{0x16}) {
      co_await refuse_plain();
      co_return Status(Fault::incompatible, "not TLS");
    }
    heard = true;
  }
  loops_.start(receive_loop());
  loops_.start(send_loop());
  co_return Status();
}

void TlsStream::answer(io::Op*& op, std::int32_t result) noexcept {
  if (op == nullptr) return;
  finish(*std::exchange(op, nullptr), result);
}

void TlsStream::forget(io::Op& op) noexcept {
  if (receiving_ == &op) receiving_ = nullptr;
  if (sending_ == &op) sending_ = nullptr;
}

void TlsStream::receive(io::Op& op, Bytes into, Duration patience) {
  ensure(receiving_ == nullptr && !into.empty());
  begin(op);
  receiving_ = &op;
  into_ = into;
  receive_patience_ = patience;
  receive_asked_.notify_all();
}

Task<void> TlsStream::receive_loop() {
  for (;;) {
    if (receiving_ == nullptr) {
      io::Event::Wait wait(receive_asked_);
      co_await wait;
      continue;
    }
    const std::int32_t result = co_await receive_some(into_, receive_patience_);
    answer(receiving_, result);
  }
}

// Each piece of a record counts as a sign of life, as each piece of plain text would.
Task<std::int32_t> TlsStream::receive_some(Bytes into, Duration patience) {
  for (;;) {
    std::size_t count = 0;
    switch (session_.read(into, count)) {
      case Session::Step::done: co_return static_cast<std::int32_t>(count);
      case Session::Step::closed: co_return 0;
      case Session::Step::failed: co_return -EPROTO;
      case Session::Step::needs_more: break;
    }
    const std::int32_t got = co_await fill(patience);
    if (got <= 0) co_return got;
  }
}

void TlsStream::send(io::Op& op, std::span<const io::IoSlice> slices, Duration patience) {
  ensure(sending_ == nullptr);
  begin(op);
  sending_ = &op;
  slices_.assign(slices.begin(), slices.end());
  slice_ = 0;
  slice_offset_ = 0;
  send_patience_ = patience;
  send_asked_.notify_all();
}

Task<void> TlsStream::send_loop() {
  for (;;) {
    if (sending_ == nullptr) {
      io::Event::Wait wait(send_asked_);
      co_await wait;
      continue;
    }
    const std::int32_t result = co_await send_all(send_patience_);
    answer(sending_, result);
  }
}

Task<std::int32_t> TlsStream::send_all(Duration patience) {
  std::size_t total = 0;
  for (const io::IoSlice& slice : slices_)
    total += slice.size;
  while (slice_ < slices_.size()) {
    if (!encrypt_some()) co_return -EPROTO;
    const std::int32_t sent = co_await drain(patience);
    if (sent < 0) co_return sent;
  }
  co_return static_cast<std::int32_t>(total);
}

// One round: as many records as the session has room for.
bool TlsStream::encrypt_some() {
  while (slice_ < slices_.size() && session_.write_room() != 0) {
    const ConstBytes plain = next_plain();
    std::size_t count = 0;
    if (!session_.write(plain, count)) return false;
    consume(count);
  }
  return true;
}

// The next record's content: where it lies, or gathered from short slices.
ConstBytes TlsStream::next_plain() {
  const io::IoSlice& first = slices_[slice_];
  const std::size_t rest = first.size - slice_offset_;
  if (rest >= Session::record_bytes_max || slice_ + 1 == slices_.size()) {
    return {first.data + slice_offset_, std::min(rest, Session::record_bytes_max)};
  }
  std::size_t filled = 0;
  std::size_t offset = slice_offset_;
  for (std::size_t at = slice_; at < slices_.size() && filled < gathered_.size(); ++at) {
    const io::IoSlice& slice = slices_[at];
    const std::size_t count = std::min(slice.size - offset, gathered_.size() - filled);
    copy_bytes(Bytes(gathered_).subspan(filled), ConstBytes(slice.data + offset, count));
    filled += count;
    offset = 0;
  }
  return ConstBytes(gathered_).first(filled);
}

void TlsStream::consume(std::size_t count) noexcept {
  while (slice_ < slices_.size()) {
    const std::size_t rest = slices_[slice_].size - slice_offset_;
    if (count < rest) {
      slice_offset_ += count;
      return;
    }
    count -= rest;
    ++slice_;
    slice_offset_ = 0;
  }
}

void TlsStream::shutdown() noexcept { inner_->shutdown(); }

}  // namespace replicator::tls
