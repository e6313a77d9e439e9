// Runs a function that may block (mount, open, ioctl) on a helper thread of the reactor and waits
// for its result. The function and what it refers to belong to the caller until then.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "io/task.hpp"
#include "uring/reactor.hpp"

namespace replicator::shim {

template <class Function>
Task<std::invoke_result_t<Function>> off_thread(uring::Reactor& reactor, Function function) {
  std::optional<std::invoke_result_t<Function>> result;
  std::function<void()> work = [&result, &function] { result.emplace(function()); };
  io::Op done;
  reactor.run_blocking(done, std::move(work));
  co_await done;
  co_return std::move(*result);
}

}  // namespace replicator::shim
