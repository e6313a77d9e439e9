// The reader: from bytes to requests in slots, with back-pressure.
#include "frontend/nbd/connection.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace replicator::nbd {

Task<void> Connection::read_requests() {
  for (;;) {
    while (held_) {
      io::Event::Wait wait(resumed_);
      co_await wait;
    }
    if (left_) co_return;
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
      io::Event::Wait wait(environment_.share.released);
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

// Null when too much is in flight; the share's `released` tells when to try again.
Slot* Connection::take_slot(std::uint32_t memory) {
  if (in_flight_ == environment_.limits.requests_in_flight) return nullptr;
  PayloadShare& share = environment_.share;
  if (memory != 0 && share.used != 0 && share.used + memory > share.budget) return nullptr;
  Slot* slot = free_.pop_front();
  if (slot == nullptr) {
    slots_.push_back(std::make_unique<Slot>());
    slot = slots_.back().get();
    gate_.start(work(*slot));
  }
  ++in_flight_;
  share.used += memory;
  slot->reserved = memory;
  return slot;
}

// Null when the connection is lost.
Task<Slot*> Connection::wait_for_slot(std::uint32_t memory) {
  while (!broken_) {
    Slot* slot = take_slot(memory);
    if (slot != nullptr) co_return slot;
    io::Event::Wait wait(environment_.share.released);
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
  environment_.share.used -= slot.reserved;
  slot.reserved = 0;
  free_.push_front(slot);
  --in_flight_;
  environment_.share.released.notify_all();
  if (stopping_ && in_flight_ == 0) cut();
}

}  // namespace replicator::nbd
