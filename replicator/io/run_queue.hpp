// Coroutines that are ready to go on. Whatever completes something puts the waiter here instead of
// resuming it in place, so nothing of ours is re-entered from inside a submit call and stacks stay
// shallow. One queue a thread: the reactor or the simulated world that runs on the thread owns it.
#pragma once

#include <coroutine>

#include "base/list.hpp"

namespace replicator::io {

// One suspended coroutine, as a node that lives in its frame. When the frame is destroyed the node
// unlinks itself from the run queue or from whatever list of waiters it is on.
class Waiter : public ListNode {
 public:
  void bind(std::coroutine_handle<> handle) noexcept { handle_ = handle; }
  [[nodiscard]] bool bound() const noexcept { return static_cast<bool>(handle_); }
  void resume() {
    const std::coroutine_handle<> handle = handle_;
    handle_ = nullptr;
    handle.resume();
  }

 private:
  std::coroutine_handle<> handle_;
};

class RunQueue {
 public:
  // The queue of the running thread; there must be one.
  static RunQueue& current() noexcept;

  // Makes this the thread's queue for the lifetime of the object.
  class Scope {
   public:
    explicit Scope(RunQueue& queue) noexcept;
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    RunQueue* previous_;
  };

  void post(Waiter& waiter) noexcept { ready_.push_back(waiter); }
  [[nodiscard]] bool empty() const noexcept { return ready_.empty(); }
  // Resumes the oldest ready coroutine; false when there is none.
  bool run_one();
  // Resumes those that are ready now, and none that become ready meanwhile: a coroutine that is
  // always ready keeps nobody from the outside world (L1).
  void run_ready();
  // Until nothing is ready.
  void run_all() {
    while (run_one()) {
    }
  }

 private:
  List<Waiter> ready_;
};

}  // namespace replicator::io
