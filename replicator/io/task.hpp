// Task<T>: a lazily started coroutine with one waiter. Statement forms allowed around co_await are
// listed in docs/decisions/coroutine-subset.md; `make lint` greps for the others.
// A child that finishes at once does not suspend its parent (await_suspend returns false), so a
// loop of a million ready awaits uses constant stack with either compiler at any optimisation
// level.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/ensure.hpp"
#include "io/frame_pool.hpp"

namespace replicator::io {

template <class T>
class Task;

namespace detail {

class PromiseBase {
 public:
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept {
    release_frame(frame, bytes);
  }

  struct Final {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      const std::coroutine_handle<> waiter = self.promise().waiter_;
      if (waiter) waiter.resume();  // may destroy *self's frame; nothing of it is used afterwards
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] Final final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  void wait(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }

 private:
  std::coroutine_handle<> waiter_;
};

template <class T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  void return_value(T value) { value_.emplace(std::move(value)); }
  T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task() noexcept = default;
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { destroy(); }

  // Runs it up to its first suspension; for Gate and for tests. Afterwards await or poll done().
  void start() {
    ensure(handle_ && !started_);
    started_ = true;
    handle_.resume();
  }
  [[nodiscard]] bool done() const noexcept { return handle_ && handle_.done(); }
  // The value of a task that is done.
  T take() {
    ensure(done());
    return handle_.promise().take();
  }

  [[nodiscard]] bool await_ready() const noexcept { return started_ && handle_.done(); }
  bool await_suspend(std::coroutine_handle<> waiter) {
    if (!started_) {
      started_ = true;
      handle_.resume();
      if (handle_.done()) return false;
    }
    handle_.promise().wait(waiter);
    return true;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  void destroy() noexcept {
    if (handle_) handle_.destroy();
    handle_ = nullptr;
  }
  std::coroutine_handle<promise_type> handle_;
  bool started_ = false;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace replicator::io

namespace replicator {
using io::Task;
}
