#include "io/sync.hpp"

namespace replicator::io {

Gate::Detached::promise_type::promise_type(Gate& g, Task<void>& /*task*/) noexcept : gate(g) {
  gate.members_.push_back(*this);
  ++gate.count_;
}

Gate::Detached::promise_type::~promise_type() {
  if (--gate.count_ == 0) gate.emptied_.notify_all();
}

Gate::Detached Gate::run(Gate& /*gate*/, Task<void> task) { co_await task; }

void Gate::start(Task<void> task) { run(*this, std::move(task)); }

Task<void> Gate::close() {
  while (count_ != 0) {
    Event::Wait wait(emptied_);
    co_await wait;
  }
}

Gate::~Gate() {
  while (Detached::promise_type* member = members_.pop_front()) {
    std::coroutine_handle<Detached::promise_type>::from_promise(*member).destroy();
  }
}

}  // namespace replicator::io
