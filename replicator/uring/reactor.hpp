// The real world on one thread: one io_uring, the thread's run queue, timers, and helper threads
// for the few system calls that block. Each turn completes everything that is done, runs all ready
// coroutines and then enters the kernel once. While requests come in quick succession it looks for
// completions a short while before it blocks (docs/decisions/polling.md). An Op that is destroyed
// in flight is our bug: the process stops.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "io/buffer_pool.hpp"
#include "io/datagram.hpp"
#include "io/io.hpp"
#include "io/run_queue.hpp"
#include "io/task.hpp"

namespace replicator::uring {

struct ReactorOptions {
  std::uint32_t entries = 512;
  std::size_t buffer_bytes = 6U << 20U;  // frontends' arena, registered with the kernel
  bool poll = true;
  std::string helper = "/sbin/drbdadm";  // empty: no handler is ever called
  Duration helper_patience = Duration::seconds(600);
  // A listening unix socket that this process was started with: listen() at its path takes it.
  std::string inherited_path;
  int inherited_listener = -1;
};

class Reactor {
 public:
  // Fault::unsupported with one clear line in `where` when io_uring can't be used.
  static Result<std::unique_ptr<Reactor>> create(const ReactorOptions& options);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  [[nodiscard]] io::World& world() noexcept;
  [[nodiscard]] io::BufferPool& buffers() noexcept;
  // Memory that disk transfers should use without mapping it each time. Before the first transfer.
  Status register_memory(Bytes arena);

  // Runs until stop() or until `finished` says so (asked once a turn).
  void run(const std::function<bool()>& finished);
  void run() {
    run([] { return false; });
  }
  void stop() noexcept;
  // Runs the loop until the task is done; for main programs and tests. A stop() meanwhile is for
  // the next run().
  template <class T>
  T run_task(Task<T> task) {
    start_task(task);
    bool stopped = false;
    while (!task.done()) {
      run([&task] { return task.done(); });
      stopped = stopped || !task.done();
    }
    if (stopped) stop();
    return task.take();
  }

  // Lives no longer than the reactor.
  std::unique_ptr<io::DatagramNetwork> datagrams();

  // The unix socket that listens at the path, for a successor; -1 when there is none.
  [[nodiscard]] int listener_at(const std::string& path) const noexcept;
  // A connected socket that was made elsewhere; takes the descriptor over.
  std::unique_ptr<io::Stream> adopt(int socket);

  // A command to the driver behind the descriptor, with what fits into a submission entry.
  // Completes with the driver's result.
  void command(io::Op& op, int fd, std::uint32_t code, std::array<std::uint64_t, 2> content);
  // Completes with 0 (or -errno) when the descriptor can be read.
  void poll_readable(io::Op& op, int fd);
  // Of an operation of poll_readable() in flight: it completes with -ECANCELED, or its result.
  void stop_polling(io::Op& op);
  // To be called once where a failure can be dealt with; threads take over properties of their
  // maker. Otherwise the first run_blocking() does it, and must succeed.
  Status start_blocking_threads();
  // Runs `work` on a helper thread; completes with 0 when it has returned.
  void run_blocking(io::Op& op, std::function<void()> work);

  // One line for the log: which kernel features are used.
  [[nodiscard]] const std::string& features() const noexcept;

  struct Impl;

 private:
  explicit Reactor(std::unique_ptr<Impl> impl);
  template <class T>
  void start_task(Task<T>& task) {
    const io::RunQueue::Scope scope(queue());
    task.start();
  }
  io::RunQueue& queue() noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace replicator::uring
