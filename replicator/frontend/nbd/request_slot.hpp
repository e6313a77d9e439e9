// One of a connection's bounded number of requests in flight (P6): what was asked, the memory it
// works with, the answer. A slot is taken when a request is parsed and free again when its reply
// has left, therefore a client that does not read its replies stops being read from. Each slot
// keeps one coroutine (Connection::work) for as long as the connection lives: a request costs a
// wake-up, not a frame.
#pragma once

#include <coroutine>
#include <cstdint>

#include "base/list.hpp"
#include "frontend/nbd/wire.hpp"
#include "io/buffer_pool.hpp"
#include "io/run_queue.hpp"

namespace replicator::nbd {

enum class Answer : std::uint8_t {
  done,         // nothing but success or an error
  data,         // the payload of a read, whole
  first_piece,  // the head of a read's simple reply and the first part of its payload
  next_piece,   // more of that payload
  chunk,        // a part of a structured read; the read's own slot ends the reply
  status,       // of blocks
  nothing,      // a part of a split write: only its parent is answered
};

struct Slot : ListNode {
  Request request;  // of a part: the part's own range
  Error error = Error::none;
  const char* message = "";
  Answer answer = Answer::done;
  bool retire = false;     // the coroutine ends instead of working
  bool final_part = true;  // the slot is free when this part of the reply has left

  // A request larger than one piece is carried out in parts, each in a slot of its own. The first
  // error of any part is the answer (D7).
  Slot* parent = nullptr;
  std::uint32_t parts = 0;

  io::BufferPool::Buffer buffer;
  std::uint32_t payload = 0;   // bytes of `buffer` that leave with the reply
  std::uint32_t reserved = 0;  // of the volume's payload budget

  // The slot's coroutine waits here for work, and for a part of its reply to have left.
  struct Turn {
    io::Waiter& waiter;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiter.bind(handle); }
    void await_resume() const noexcept {}
  };
  io::Waiter waiter;

  void assign(const Request& work) noexcept {
    request = work;
    error = Error::none;
    message = "";
    answer = Answer::done;
    final_part = true;
    parent = nullptr;
    parts = 0;
    payload = 0;
  }
  // The first error stays.
  void fail(Error why, const char* text) noexcept {
    if (error != Error::none) return;
    error = why;
    message = text;
  }
};

}  // namespace replicator::nbd
