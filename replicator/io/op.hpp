// A place for one operation. Starting and waiting are separate steps, so independent work overlaps:
//     disk.write(local, ...);  link.send(remote, ...);  co_await local;  co_await remote;
// The backend is given the address of the Op, therefore it can be neither copied nor moved. An Op
// may be used again once it was awaited. Every await is `co_await name;`, which is inside the safe
// subset.
#pragma once

#include <coroutine>
#include <cstdint>

#include "io/run_queue.hpp"

namespace replicator::io {

class Op;

// Told at once that an operation has completed, for operations that stand for another one. The Op
// may be used again, or go away, from inside.
class Relay {
 public:
  virtual void completed(Op& op, std::int32_t result) noexcept = 0;

 protected:
  ~Relay() = default;
};

// What the reactor and the simulator have in common. `forget` answers the question "what if the
// owner of a pending Op goes away": the simulator drops the event, the reactor aborts the process.
class Backend {
 public:
  virtual void forget(Op& op) noexcept = 0;

 protected:
  ~Backend() = default;
  void begin(Op& op) noexcept;
  // Result: bytes moved or another value >= 0, or -errno. Puts the waiter on the run queue.
  static void finish(Op& op, std::int32_t result) noexcept;
  // Lets go of one that will never complete.
  static void drop(Op& op) noexcept;
};

class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op() {
    if (backend_ != nullptr) backend_->forget(*this);
  }
  [[nodiscard]] bool in_flight() const noexcept { return backend_ != nullptr; }
  [[nodiscard]] bool await_ready() const noexcept { return backend_ == nullptr; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_.bind(waiter); }
  std::int32_t await_resume() const noexcept { return result_; }
  // Whom to tell instead of a waiting coroutine.
  void relay_to(Relay& relay) noexcept { relay_ = &relay; }

  // For backends only: a place for whatever they need to find the operation again.
  std::uint64_t backend_data = 0;
  void* backend_pointer = nullptr;

 private:
  friend class Backend;
  Backend* backend_ = nullptr;  // set while in flight
  Waiter waiter_;
  Relay* relay_ = nullptr;
  std::int32_t result_ = 0;
};

inline void Backend::begin(Op& op) noexcept {
  ensure(op.backend_ == nullptr);
  op.backend_ = this;
  op.result_ = 0;
}

inline void Backend::finish(Op& op, std::int32_t result) noexcept {
  ensure(op.backend_ != nullptr);
  op.backend_ = nullptr;
  op.result_ = result;
  if (op.relay_ != nullptr) return op.relay_->completed(op, result);
  if (op.waiter_.bound()) RunQueue::current().post(op.waiter_);
}

inline void Backend::drop(Op& op) noexcept { op.backend_ = nullptr; }

}  // namespace replicator::io
