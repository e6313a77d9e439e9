// Waiting for each other, on one thread: Event, Gate, Semaphore, RangeLock. All wake-ups go through
// the run queue. Waiters live in coroutine frames; destroying a frame takes it off every list, and
// a RangeLock::Turn or Semaphore unit held by it is given back.
#pragma once

#include <coroutine>
#include <cstdint>
#include <utility>

#include "base/list.hpp"
#include "base/units.hpp"
#include "io/run_queue.hpp"
#include "io/task.hpp"

namespace replicator::io {

// Wakes everybody who waits now. Usage: while (!condition) { Event::Wait wait(event); co_await
// wait; }
class Event {
 public:
  class Wait {
   public:
    explicit Wait(Event& event) noexcept : event_(event) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept {
      waiter_.bind(handle);
      event_.waiters_.push_back(waiter_);
    }
    void await_resume() const noexcept {}

   private:
    Event& event_;
    Waiter waiter_;
  };
  void notify_all() noexcept {
    while (Waiter* waiter = waiters_.pop_front())
      RunQueue::current().post(*waiter);
  }
  void notify_one() noexcept {
    if (Waiter* waiter = waiters_.pop_front()) RunQueue::current().post(*waiter);
  }
  [[nodiscard]] bool has_waiters() const noexcept { return !waiters_.empty(); }

 private:
  List<Waiter> waiters_;
};

// Lets other ready coroutines run first.
class Yield {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    waiter_.bind(handle);
    RunQueue::current().post(waiter_);
  }
  void await_resume() const noexcept {}

 private:
  Waiter waiter_;
};

// Owns background tasks. `close()` waits until all have ended; the destructor destroys the frames
// that are left (the simulator's power cut). Declare it after everything its tasks refer to.
class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  // Takes the task and runs it up to its first suspension.
  void start(Task<void> task);
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  // Waits until nothing is inside. Tasks inside may start new ones meanwhile.
  Task<void> close();

 private:
  // The detached frame that runs one task; its promise is the node by which the gate finds it.
  struct Detached {
    struct promise_type : ListNode {
      promise_type(Gate& gate, Task<void>& task) noexcept;
      ~promise_type();
      static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
      static void operator delete(void* frame, std::size_t bytes) noexcept {
        release_frame(frame, bytes);
      }
      Detached get_return_object() const noexcept { return {}; }
      [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
      [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
      Gate& gate;
    };
  };
  static Detached run(Gate& gate, Task<void> task);
  List<Detached::promise_type> members_;
  Event emptied_;
  std::uint32_t count_ = 0;
};

// Counts units; waiters are served in order.
class Semaphore {
 public:
  explicit Semaphore(std::uint64_t units) noexcept : free_(units) {}

  class Take {
   public:
    Take(Semaphore& semaphore, std::uint64_t units) noexcept
        : semaphore_(semaphore), units_(units) {}
    Take(const Take&) = delete;
    Take& operator=(const Take&) = delete;
    ~Take() {
      if (held_) semaphore_.give(units_);
    }
    [[nodiscard]] bool await_ready() noexcept {
      if (!semaphore_.queue_.empty() || semaphore_.free_ < units_) return false;
      semaphore_.free_ -= units_;
      held_ = true;
      return true;
    }
    void await_suspend(std::coroutine_handle<> handle) noexcept {
      node_.waiter.bind(handle);
      node_.take = this;
      semaphore_.queue_.push_back(node_);
    }
    void await_resume() const noexcept {}

   private:
    friend class Semaphore;
    struct Node : ListNode {
      Waiter waiter;
      Take* take = nullptr;
    };
    Semaphore& semaphore_;
    std::uint64_t units_;
    bool held_ = false;
    Node node_;
  };

  [[nodiscard]] std::uint64_t available() const noexcept { return free_; }
  void give(std::uint64_t units) noexcept {
    free_ += units;
    serve();
  }

 private:
  void serve() noexcept {
    while (!queue_.empty() && queue_.front().take->units_ <= free_) {
      Take::Node* node = queue_.pop_front();
      free_ -= node->take->units_;
      node->take->held_ = true;
      RunQueue::current().post(node->waiter);
    }
  }
  std::uint64_t free_;
  List<Take::Node> queue_;
};

// Overlapping ranges take turns, in order of arrival (E4). A Turn holds its range from construction
// of the wait until it is destroyed or released.
class RangeLock {
 public:
  class Turn : public ListNode {
   public:
    Turn(RangeLock& lock, ByteRange range) noexcept : lock_(lock), range_(range) {
      lock_.turns_.push_back(*this);
      blockers_ = lock_.count_overlaps_before(*this);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { release(); }
    void release() noexcept {
      if (!linked()) return;
      lock_.wake_after(*this);
      unlink();
    }
    [[nodiscard]] bool await_ready() const noexcept { return blockers_ == 0; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiter_.bind(handle); }
    void await_resume() const noexcept {}
    [[nodiscard]] const ByteRange& range() const noexcept { return range_; }

   private:
    friend class RangeLock;
    RangeLock& lock_;
    ByteRange range_;
    std::uint32_t blockers_ = 0;
    Waiter waiter_;
  };

  [[nodiscard]] bool any_overlap(const ByteRange& range) noexcept {
    for (Turn* turn = turns_.first(); turn != nullptr; turn = turns_.next(*turn)) {
      if (turn->range_.overlaps(range)) return true;
    }
    return false;
  }
  [[nodiscard]] bool empty() const noexcept { return turns_.empty(); }

 private:
  std::uint32_t count_overlaps_before(Turn& mine) noexcept {
    std::uint32_t count = 0;
    for (Turn* turn = turns_.first(); turn != &mine; turn = turns_.next(*turn)) {
      if (turn->range_.overlaps(mine.range_)) ++count;
    }
    return count;
  }
  void wake_after(Turn& done) noexcept {
    for (Turn* turn = turns_.next(done); turn != nullptr; turn = turns_.next(*turn)) {
      if (!turn->range_.overlaps(done.range_)) continue;
      ensure(turn->blockers_ > 0);
      if (--turn->blockers_ == 0 && turn->waiter_.bound()) RunQueue::current().post(turn->waiter_);
    }
  }
  List<Turn> turns_;
};

}  // namespace replicator::io
