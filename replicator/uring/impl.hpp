// Inside the reactor: requests, the ring, timers. Private to uring/; the only header that includes
// liburing.
#pragma once

#include <liburing.h>
#include <pthread.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "io/guarded_storage.hpp"
#include "uring/poll_policy.hpp"
#include "uring/reactor.hpp"

namespace replicator::uring {

// What a completion belongs to. Comes from a free list; its address is the ring's user data.
struct Request {
  using Completed = void (*)(Reactor::Impl& impl, Request& request, std::int32_t result);
  Completed completed = nullptr;
  io::Op* op = nullptr;
  void* owner = nullptr;
  Request* next_free = nullptr;
  // Transfers.
  int fd = -1;
  std::uint8_t opcode = 0;
  int flags = 0;  // RWF_ or FALLOC_FL_
  std::uint64_t offset = 0;
  std::byte* memory = nullptr;
  std::uint64_t length = 0;
  std::uint64_t moved = 0;
  std::array<std::uint64_t, 2> content{};  // of a command
  // Linked timeout.
  bool timed = false;
  __kernel_timespec patience{};
  bool wants_cancel = false;
};

struct Timer {
  std::int64_t when;
  std::uint64_t sequence;
  io::Op* op;
};

// Helper threads for blocking calls; results come back through an eventfd. Two crews: calls that
// may wait for anything, and starts of programs, which no device that stands still holds up: it may
// be the program that sets it going again. A few threads of each are there from the beginning,
// because later there may be no room; when all of a crew have something to do, one more is tried.
class BlockingPool {
 public:
  enum class Crew : std::uint8_t { calls, programs };
  static constexpr std::size_t threads_max = 32;  // of a crew

  static Result<std::unique_ptr<BlockingPool>> create();
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  void add(io::Op& op, std::function<void()> work, Crew crew);
  [[nodiscard]] int event_fd() const noexcept { return event_fd_; }
  std::vector<io::Op*> take_done();
  [[nodiscard]] std::size_t outstanding() const noexcept { return outstanding_; }

 private:
  struct Job {
    io::Op* op;
    std::function<void()> work;
  };
  struct Members {
    BlockingPool* pool = nullptr;
    std::condition_variable wake;
    std::deque<Job> jobs;
    std::size_t busy = 0;
    std::vector<pthread_t> threads;  // reactor thread only
  };
  explicit BlockingPool(int event_fd) noexcept;
  int one_more(Members& crew);
  void work_loop(Members& crew);
  int event_fd_;
  std::size_t outstanding_ = 0;  // reactor thread only
  std::mutex mutex_;
  std::array<Members, 2> crews_;
  std::vector<io::Op*> done_;
  bool stopping_ = false;
};

struct Reactor::Impl final : io::Backend {
  explicit Impl(const ReactorOptions& options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status set_up();
  Request& take(io::Op& op, Request::Completed completed);
  Request& take_free(Request::Completed completed);
  void give(Request& request) noexcept;
  io_uring_sqe* sqe();
  // Two entries that must be submitted together.
  void submit_timed(Request& request, Duration patience);
  void submit(Request& request) { submit_timed(request, Duration::forever()); }
  void prepare(io_uring_sqe& entry, Request& request) const;
  void cancel(Request& request);
  [[nodiscard]] int fixed_buffer(const std::byte* data, std::uint64_t length) const noexcept;

  void start(io::Op& op) noexcept { begin(op); }
  static void done(io::Op& op, std::int32_t result) noexcept { finish(op, result); }
  void forget(io::Op& op) noexcept override;

  void run(const std::function<bool()>& finished);
  void enter_kernel();
  unsigned reap();
  void fire_timers();
  void wait_for_completion();
  bool poll_a_while();
  void watch_blocking();
  [[nodiscard]] std::int64_t nanoseconds() const noexcept;

  void poll_readable(io::Op& op, int fd);
  void command(io::Op& op, int fd, std::uint32_t code, std::array<std::uint64_t, 2> content);
  Status start_blocking_threads();
  void run_blocking(io::Op& op, std::function<void()> work,
                    BlockingPool::Crew crew = BlockingPool::Crew::calls);
  void add_timer(io::Op& op, Instant when);
  void wake_timer(io::Op& op) noexcept;
  void sift_up(std::size_t index) noexcept;
  void sift_down(std::size_t index) noexcept;
  void remove_timer(std::size_t index) noexcept;

  ReactorOptions options;
  std::map<std::string, int, std::less<>> unix_listeners;  // the descriptor by the path
  io_uring ring{};
  bool ring_up = false;
  bool defer_taskrun = false;
  std::string features;
  io::RunQueue queue;
  io::BufferPool pool;
  std::vector<Bytes> arenas;
  std::vector<std::unique_ptr<Request[]>> blocks;
  Request* free_requests = nullptr;
  std::vector<Timer> timers;  // heap; Op::backend_data is the index
  std::uint64_t timer_sequence = 0;
  std::unique_ptr<BlockingPool> blocking;
  bool watching_blocking = false;
  bool stopping = false;
  PollPolicy poll_policy;
  unsigned reaped_before_wait = 0;

  std::unique_ptr<io::Storage> storage;
  std::unique_ptr<io::GuardedStorage> guarded_storage;
  std::unique_ptr<io::Network> network;
  std::unique_ptr<io::Clock> clock;
  std::unique_ptr<io::Entropy> entropy;
  std::unique_ptr<io::Helper> helper;
  std::unique_ptr<io::World> world;
};

std::unique_ptr<io::Storage> make_storage(Reactor::Impl& impl);
std::unique_ptr<io::Network> make_network(Reactor::Impl& impl);
std::unique_ptr<io::Clock> make_clock(Reactor::Impl& impl);
std::unique_ptr<io::Entropy> make_entropy();
std::unique_ptr<io::Helper> make_helper(Reactor::Impl& impl, const ReactorOptions& options);

}  // namespace replicator::uring
