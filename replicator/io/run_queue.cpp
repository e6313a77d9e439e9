#include "io/run_queue.hpp"

namespace replicator::io {

namespace {
thread_local RunQueue* current_ = nullptr;
}

RunQueue& RunQueue::current() noexcept {
  ensure(current_ != nullptr);
  return *current_;
}

RunQueue::Scope::Scope(RunQueue& queue) noexcept : previous_(current_) { current_ = &queue; }
RunQueue::Scope::~Scope() { current_ = previous_; }

bool RunQueue::run_one() {
  Waiter* next = ready_.pop_front();
  if (next == nullptr) return false;
  next->resume();
  return true;
}

void RunQueue::run_ready() {
  List<Waiter> batch;
  batch.splice_back(ready_);
  while (Waiter* next = batch.pop_front())
    next->resume();
}

}  // namespace replicator::io
