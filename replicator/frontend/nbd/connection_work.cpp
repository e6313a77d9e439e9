// Carrying out requests, one coroutine for each slot.
#include "frontend/nbd/connection.hpp"

#include <algorithm>
#include <utility>

namespace replicator::nbd {

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
      do {
        slot.buffer = environment_.pool.try_take(slot.request.length);
        if (!slot.buffer) {
          io::BufferPool::Buffer buffer = co_await environment_.pool.take(slot.request.length);
          slot.buffer = std::move(buffer);
        }
        const Bytes into = slot.buffer.bytes();
        const Status result = co_await device.read(range, into);
        status = result;
      } while (status.fault() == Fault::memory_held);
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
    if (status.fault() == Fault::memory_held) {
      slot.buffer.reset();
      io::BufferPool::Buffer other = co_await environment_.pool.take(session_.piece_bytes);
      slot.buffer = std::move(other);
      continue;
    }
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

}  // namespace replicator::nbd
