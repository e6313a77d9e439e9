#include "frontend/nbd/connection.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace replicator::nbd {

namespace {

// Writes up to this size are copied out of the receive buffer, which costs less than receiving head
// and payload one by one; larger ones are received in place.
constexpr std::uint32_t small_write = 64U << 10U;
constexpr std::uint32_t largest_piece = 1U << 20U;
// What the protocol lets a client read without fragmentation.
constexpr std::uint32_t smallest_piece = 64U << 10U;

Session session_of(const io::BlockLimits& limits, const OptionNegotiation& negotiation) noexcept {
  Session session;
  session.size = round_down(limits.size.value(), limits.block_bytes);
  session.block_bytes = limits.block_bytes;
  session.piece_bytes = std::min(limits.maximum_bytes, largest_piece);
  session.writable = limits.writable;
  session.structured = negotiation.structured();
  session.allocation = negotiation.allocation();
  ensure(session.piece_bytes >= smallest_piece);
  ensure(session.piece_bytes % session.block_bytes == 0);
  return session;
}

Export export_of(const io::BlockLimits& limits) noexcept {
  Export facts;
  facts.size = round_down(limits.size.value(), limits.block_bytes);
  facts.minimum_block = limits.block_bytes;
  facts.preferred_block = std::max(limits.preferred_bytes, limits.block_bytes);
  facts.writable = limits.writable;
  return facts;
}

const char* refusal(const Status& status) noexcept {
  if (status.fault() == Fault::read_only) return "the volume is not Primary on this node";
  return text(status.fault());
}

ByteRange range_of(const Request& request) noexcept {
  return {ByteOffset(request.offset), ByteCount(request.length)};
}

Request part_of(const Request& whole, std::uint32_t begin, std::uint32_t length) noexcept {
  Request part = whole;
  part.offset += begin;
  part.length = length;
  return part;
}

}  // namespace

Connection::Connection(const Environment& environment, std::unique_ptr<io::Stream> stream)
    : environment_(environment),
      stream_(std::move(stream)),
      input_(environment.limits.receive_bytes),
      replies_(environment.limits.requests_in_flight),
      payload_budget_(environment.pool.arena().size() / 4) {
  ensure(environment.limits.requests_in_flight >= 2);
  ensure(environment.limits.receive_bytes >= std::size_t{4} * small_write);
  slots_.reserve(environment.limits.requests_in_flight);
}

Task<void> Connection::run() {
  const bool agreed = co_await negotiate();
  if (agreed) {
    gate_.start(write_replies());
    gate_.start(watch_client());
    Task<void> reading = read_requests();
    co_await reading;
    Task<void> finishing = finish_requests();
    co_await finishing;
  }
  if (device_open_) environment_.device.close(session_.writable);
  log::debug("nbd {}: a client has left", environment_.export_name);
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
  session_ = session_of(limits, negotiation);
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

// ---- requests in

Task<void> Connection::read_requests() {
  for (;;) {
    Request request;
    Verdict verdict;
    const Step step = take_requests(request, verdict);
    if (step == Step::end) co_return;
    if (step == Step::receive) {
      io::Op op;
      stream_->receive(op, window());
      const std::int32_t count = co_await op;
      if (count <= 0) co_return;
      input_.filled(static_cast<std::size_t>(count));
    } else if (step == Step::wait_for_slot) {
      io::Event::Wait wait(slot_released_);
      co_await wait;
      if (broken_) co_return;
    } else if (step == Step::wait_for_memory) {
      io::BufferPool::Buffer buffer = co_await environment_.pool.take(request.length);
      spare_ = std::move(buffer);
    } else {
      const bool whole = co_await transfer_parts(request, verdict);
      if (!whole) co_return;
    }
  }
}

// Starts every request that is complete in the input. Stops at one that has to wait: it is parsed
// again when it can go on.
Connection::Step Connection::take_requests(Request& request, Verdict& verdict) {
  for (;;) {
    const ConstBytes unread = input_.unread();
    if (unread.size() < request_bytes) return Step::receive;
    if (!parse_request(unread, request)) {
      log::warning("nbd {}: not a request, closing", environment_.export_name);
      return Step::end;
    }
    if (request.command == Command::disconnect) return Step::end;
    verdict = validate(request, session_);
    if (verdict.close) {
      log::warning("nbd {}: {}, closing", environment_.export_name, verdict.why);
      return Step::end;
    }
    if (stopping_) verdict = Verdict{Error::shutdown, "the server is stopping"};
    const std::uint32_t payload = request.command == Command::write ? request.length : 0;
    large_writes_ = payload > small_write;
    const bool split = request.command == Command::read && request.length > session_.piece_bytes &&
                       session_.structured && verdict.error == Error::none;
    if (large_writes_ || split) return Step::transfer_parts;
    if (unread.size() < request_bytes + payload) return Step::receive;
    Step blocked = Step::end;
    if (!dispatch(request, verdict, unread.subspan(request_bytes, payload), blocked)) {
      return blocked;
    }
    input_.consume(request_bytes + payload);
  }
}

// False when it is `blocked`.
bool Connection::dispatch(const Request& request, const Verdict& verdict, ConstBytes payload,
                          Step& blocked) {
  const bool refused = verdict.error != Error::none;
  const bool writes = request.command == Command::write && !refused;
  std::uint32_t memory = 0;
  if (writes) {
    memory = request.length;
    if (!spare_) spare_ = environment_.pool.try_take(memory);
    blocked = Step::wait_for_memory;
    if (!spare_) return false;
  } else if (request.command == Command::read && !refused) {
    memory = std::min(request.length, session_.piece_bytes);
  }
  Slot* slot = take_slot(memory);
  blocked = Step::wait_for_slot;
  if (slot == nullptr) return false;
  slot->assign(request);
  if (writes) {
    slot->buffer = std::move(spare_);
    copy_bytes(slot->buffer.bytes(), payload);
  }
  if (refused) {
    slot->fail(verdict.error, verdict.why);
    finish(*slot);
  } else if (request.command == Command::block_status) {
    slot->answer = Answer::status;
    finish(*slot);
  } else {
    start(*slot);
  }
  return true;
}

// After a large write another one is likely: only its head is received then, so that its payload
// can go straight to its place.
Bytes Connection::window() noexcept {
  const Bytes room = input_.room();
  const std::size_t unread = input_.unread().size();
  if (large_writes_ && unread < request_bytes) return room.first(request_bytes - unread);
  return room;
}

Task<bool> Connection::transfer_parts(Request request, Verdict verdict) {
  input_.consume(request_bytes);
  if (verdict.error != Error::none) co_return co_await refuse_large_write(request, verdict);
  if (request.command == Command::read) co_return co_await split_read(request);
  co_return co_await receive_large_write(request);
}

// False: the payload did not arrive, or the connection is lost.
Task<bool> Connection::refuse_large_write(Request request, Verdict verdict) {
  Slot* const slot = co_await wait_for_slot(0);
  if (slot == nullptr) co_return false;
  slot->assign(request);
  slot->fail(verdict.error, verdict.why);
  std::uint32_t left = request.length;
  bool whole = true;
  while (left > 0 && whole) {
    const auto ready =
        static_cast<std::uint32_t>(std::min<std::size_t>(left, input_.unread().size()));
    input_.consume(ready);
    left -= ready;
    if (left == 0) break;
    const Bytes room = input_.room();
    io::Op op;
    stream_->receive(op, room.first(std::min<std::size_t>(left, room.size())));
    const std::int32_t count = co_await op;
    whole = count > 0;
    if (whole) input_.filled(static_cast<std::size_t>(count));
  }
  finish(*slot);
  co_return whole;
}

Task<bool> Connection::receive_large_write(Request request) {
  const bool split = request.length > session_.piece_bytes;
  Slot* parent = nullptr;
  if (split) {
    Slot* const slot = co_await begin_parts(request);
    if (slot == nullptr) co_return false;
    parent = slot;
  }
  bool whole = true;
  for (std::uint32_t begin = 0; begin < request.length && whole;) {
    const std::uint32_t length = std::min(session_.piece_bytes, request.length - begin);
    Slot* const slot = co_await wait_for_slot(length);
    whole = slot != nullptr;
    if (!whole) break;
    slot->assign(part_of(request, begin, length));
    io::BufferPool::Buffer buffer = co_await environment_.pool.take(length);
    slot->buffer = std::move(buffer);
    const Bytes into = slot->buffer.bytes();
    const bool received = co_await receive_payload(into);
    whole = received;
    if (!whole) {
      release(*slot);
      break;
    }
    slot->parent = parent;
    if (parent != nullptr) ++parent->parts;
    start(*slot);
    begin += length;
  }
  if (parent != nullptr) end_part(*parent);
  co_return whole;
}

Task<bool> Connection::receive_payload(Bytes into) {
  const std::size_t ready = std::min(into.size(), input_.unread().size());
  copy_bytes(into, input_.unread().first(ready));
  input_.consume(ready);
  std::size_t done = ready;
  while (done < into.size()) {
    io::Op op;
    stream_->receive(op, into.subspan(done));
    const std::int32_t count = co_await op;
    if (count <= 0) co_return false;
    done += static_cast<std::size_t>(count);
  }
  co_return true;
}

// A structured reply may come in chunks, in any order: each part is read and sent on its own.
Task<bool> Connection::split_read(Request request) {
  Slot* const parent = co_await begin_parts(request);
  if (parent == nullptr) co_return false;
  bool going = true;
  for (std::uint32_t begin = 0; begin < request.length;) {
    const std::uint32_t length = std::min(session_.piece_bytes, request.length - begin);
    Slot* const slot = co_await wait_for_slot(length);
    going = slot != nullptr;
    if (!going) break;
    slot->assign(part_of(request, begin, length));
    slot->parent = parent;
    ++parent->parts;
    start(*slot);
    begin += length;
  }
  end_part(*parent);
  co_return going;
}

// ---- slots

// Null when too much is in flight; slot_released_ tells when to try again.
Slot* Connection::take_slot(std::uint32_t memory) {
  if (in_flight_ == environment_.limits.requests_in_flight) return nullptr;
  if (payload_bytes_ != 0 && payload_bytes_ + memory > payload_budget_) return nullptr;
  Slot* slot = free_.pop_front();
  if (slot == nullptr) {
    slots_.push_back(std::make_unique<Slot>());
    slot = slots_.back().get();
    gate_.start(work(*slot));
  }
  ++in_flight_;
  payload_bytes_ += memory;
  slot->reserved = memory;
  return slot;
}

// Null when the connection is lost.
Task<Slot*> Connection::wait_for_slot(std::uint32_t memory) {
  while (!broken_) {
    Slot* slot = take_slot(memory);
    if (slot != nullptr) co_return slot;
    io::Event::Wait wait(slot_released_);
    co_await wait;
  }
  co_return nullptr;
}

// The slot that will answer a request whose parts are carried out in other slots. It counts the
// reader as one part, until the reader calls end_part().
Task<Slot*> Connection::begin_parts(const Request& request) {
  Slot* const parent = co_await wait_for_slot(0);
  if (parent == nullptr) co_return nullptr;
  parent->assign(request);
  parent->parts = 1;
  co_return parent;
}

void Connection::start(Slot& slot) noexcept { io::RunQueue::current().post(slot.waiter); }

void Connection::release(Slot& slot) noexcept {
  slot.buffer.reset();
  payload_bytes_ -= slot.reserved;
  slot.reserved = 0;
  free_.push_front(slot);
  --in_flight_;
  slot_released_.notify_all();
  if (stopping_ && in_flight_ == 0) cut();
}

// ---- carrying out

Task<void> Connection::work(Slot& slot) {
  io::BlockDevice& device = environment_.device;
  for (;;) {
    Slot::Turn turn(slot.waiter);
    co_await turn;
    if (slot.retire) co_return;
    const ByteRange range = range_of(slot.request);
    const Command command = slot.request.command;
    const bool stable = (slot.request.flags & flag_fua) != 0;
    Status status;
    if (command == Command::read) {
      if (slot.request.length > session_.piece_bytes) {
        Task<void> streaming = stream_read(slot);
        co_await streaming;
        continue;
      }
      slot.buffer = environment_.pool.try_take(slot.request.length);
      if (!slot.buffer) {
        io::BufferPool::Buffer buffer = co_await environment_.pool.take(slot.request.length);
        slot.buffer = std::move(buffer);
      }
      const Bytes into = slot.buffer.bytes();
      const Status result = co_await device.read(range, into);
      status = result;
    } else if (command == Command::write) {
      const ConstBytes data = slot.buffer.bytes();
      const Status result = co_await device.write(range, data, stable);
      status = result;
    } else if (command == Command::flush) {
      const Status result = co_await device.flush();
      status = result;
    } else if (command == Command::trim) {
      const Status result = co_await device.discard(range);
      // A trim is a hint: a device that cannot do it has done what was asked.
      if (result.fault() != Fault::unsupported) status = result;
    } else {
      const bool may_unmap = (slot.request.flags & flag_no_hole) == 0;
      const Status result = co_await device.write_zeroes(range, may_unmap);
      status = result;
    }
    const bool flush_too = stable && (command == Command::trim || command == Command::write_zeroes);
    if (flush_too && status.ok()) {
      const Status result = co_await device.flush();
      status = result;
    }
    conclude(slot, status);
  }
}

void Connection::conclude(Slot& slot, const Status& status) {
  const Error error = error_of(status, slot.request.command);
  const bool reads = slot.request.command == Command::read;
  Slot* parent = slot.parent;
  if (error != Error::none) {
    (parent != nullptr ? *parent : slot).fail(error, text(status.fault()));
  } else if (reads) {
    slot.payload = slot.request.length;
    slot.answer = parent != nullptr ? Answer::chunk : Answer::data;
  }
  if (parent == nullptr) return finish(slot);
  if (slot.answer == Answer::chunk) {
    finish(slot);
  } else {
    release(slot);
  }
  end_part(*parent);
}

// A large read answered by a simple reply: piece after piece through one buffer, with the other
// replies held back meanwhile. Taking no more memory on the way is what makes it safe to hold them.
Task<void> Connection::stream_read(Slot& slot) {
  const Request whole = slot.request;
  io::BufferPool::Buffer buffer = co_await environment_.pool.take(session_.piece_bytes);
  slot.buffer = std::move(buffer);
  for (std::uint32_t begin = 0; begin < whole.length;) {
    slot.payload = std::min(session_.piece_bytes, whole.length - begin);
    const ByteRange range = range_of(part_of(whole, begin, slot.payload));
    const Bytes into = slot.buffer.bytes().first(slot.payload);
    const Status status = co_await environment_.device.read(range, into);
    if (!status.ok()) {
      slot.payload = 0;
      // Once the head has said "success", closing is the only way left to say that it is not so.
      if (begin == 0) slot.fail(error_of(status, whole.command), text(status.fault()));
      else break_off();
      break;
    }
    if (begin == 0) {
      while (replies_.held()) {
        io::Event::Wait wait(hold_released_);
        co_await wait;
      }
      replies_.hold_for(slot);
    }
    slot.answer = begin == 0 ? Answer::first_piece : Answer::next_piece;
    begin += slot.payload;
    if (begin == whole.length) break;
    slot.final_part = false;
    finish(slot);
    Slot::Turn turn(slot.waiter);
    co_await turn;
    slot.final_part = true;
    if (broken_) {
      slot.payload = 0;
      break;
    }
  }
  finish(slot);
  if (replies_.held_by(slot)) {
    replies_.release_hold();
    hold_released_.notify_all();
  }
}

void Connection::finish(Slot& slot) {
  replies_.push(slot);
  work_for_writer_.notify_one();
}

// A part of the request is done; after the last one the request is answered.
void Connection::end_part(Slot& parent) {
  if (--parent.parts == 0) finish(parent);
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
  slot_released_.notify_all();
  cut();
}

// The client sends no more: what is in flight is still carried out and answered.
Task<void> Connection::finish_requests() {
  while (in_flight_ != 0) {
    io::Event::Wait wait(slot_released_);
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
