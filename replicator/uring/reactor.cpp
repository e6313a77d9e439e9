#include "uring/reactor.hpp"

#include <fmt/core.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/log.hpp"
#include "uring/impl.hpp"

namespace replicator::uring {

namespace {

constexpr std::size_t requests_per_block = 256;
constexpr std::uint64_t ignored = 0;  // user data of timeouts and cancels
// One completion often makes a handful of coroutines ready one after the other, which cost one turn
// together. Then the kernel has its turn, whatever is ready.
constexpr int rounds_in_a_turn = 8;
// Flushes, discards and what else blocks, of all disks: otherwise a few that hang hold up the rest
// (L2). The kernel makes as many threads as there are operations, and its own limit is four a CPU.
constexpr unsigned kernel_workers = 512;

int io_uring_disabled_setting() {
  std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re");
  if (file == nullptr) return 0;
  int value = 0;
  if (std::fscanf(file, "%d", &value) != 1) value = 0;
  std::fclose(file);
  return value;
}

}  // namespace

Reactor::Reactor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reactor::~Reactor() = default;

Result<std::unique_ptr<Reactor>> Reactor::create(const ReactorOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  const Status status = impl->set_up();
  if (!status.ok()) return tl::unexpected(status);
  return std::unique_ptr<Reactor>(new Reactor(std::move(impl)));
}

io::World& Reactor::world() noexcept { return *impl_->world; }
io::BufferPool& Reactor::buffers() noexcept { return impl_->pool; }
io::RunQueue& Reactor::queue() noexcept { return impl_->queue; }
const std::string& Reactor::features() const noexcept { return impl_->features; }
void Reactor::run(const std::function<bool()>& finished) { impl_->run(finished); }
void Reactor::stop() noexcept { impl_->stopping = true; }

int Reactor::listener_at(const std::string& path) const noexcept {
  const auto found = impl_->unix_listeners.find(path);
  return found == impl_->unix_listeners.end() ? -1 : found->second;
}

Status Reactor::register_memory(Bytes arena) {
  Impl& impl = *impl_;
  impl.arenas.push_back(arena);
  std::vector<iovec> vectors;
  for (const Bytes& each : impl.arenas)
    vectors.push_back(iovec{each.data(), each.size()});
  if (impl.arenas.size() > 1) io_uring_unregister_buffers(&impl.ring);
  const int result =
      io_uring_register_buffers(&impl.ring, vectors.data(), static_cast<unsigned>(vectors.size()));
  if (result == 0) return Status();
  impl.arenas.clear();  // transfers then map their memory each time
  return Status(Fault::not_permitted, "register buffers (RLIMIT_MEMLOCK?)", -result);
}

void Reactor::poll_readable(io::Op& op, int fd) { impl_->poll_readable(op, fd); }

void Reactor::stop_polling(io::Op& op) {
  if (op.in_flight()) impl_->cancel(*static_cast<Request*>(op.backend_pointer));
}

void Reactor::command(io::Op& op, int fd, std::uint32_t code,
                      std::array<std::uint64_t, 2> content) {
  impl_->command(op, fd, code, content);
}

void Reactor::run_blocking(io::Op& op, std::function<void()> work) {
  impl_->run_blocking(op, std::move(work));
}

void Reactor::Impl::poll_readable(io::Op& op, int fd) {
  start(op);
  Request& request = take(op, [](Impl& impl, Request& r, std::int32_t result) {
    io::Op& waiting = *r.op;
    impl.give(r);
    Impl::done(waiting, result < 0 ? result : 0);
  });
  op.backend_pointer = &request;
  request.fd = fd;
  request.opcode = IORING_OP_POLL_ADD;
  submit(request);
}

void Reactor::Impl::command(io::Op& op, int fd, std::uint32_t code,
                            std::array<std::uint64_t, 2> content) {
  start(op);
  Request& request = take(op, [](Impl& impl, Request& r, std::int32_t result) {
    io::Op& waiting = *r.op;
    impl.give(r);
    Impl::done(waiting, result);
  });
  request.fd = fd;
  request.opcode = IORING_OP_URING_CMD;
  request.offset = code;
  request.content = content;
  submit(request);
}

Status Reactor::start_blocking_threads() { return impl_->start_blocking_threads(); }

Status Reactor::Impl::start_blocking_threads() {
  if (blocking) return Status();
  Result<std::unique_ptr<BlockingPool>> threads = BlockingPool::create();
  if (!threads) return threads.error();
  blocking = std::move(*threads);
  return Status();
}

void Reactor::Impl::run_blocking(io::Op& op, std::function<void()> work, BlockingPool::Crew crew) {
  const Status started = start_blocking_threads();
  ensure(started.ok());
  start(op);
  blocking->add(op, std::move(work), crew);
  watch_blocking();
}

Reactor::Impl::Impl(const ReactorOptions& o) : options(o), pool(o.buffer_bytes) {}

Reactor::Impl::~Impl() {
  blocking.reset();
  if (ring_up) io_uring_queue_exit(&ring);
}

Status Reactor::Impl::set_up() {
  const int disabled = io_uring_disabled_setting();
  if (disabled == 2) {
    return Status(Fault::unsupported,
                  "io_uring is disabled by the sysctl kernel.io_uring_disabled=2; set it to 0 "
                  "(sysctl -w kernel.io_uring_disabled=0)");
  }
  const struct {
    unsigned flags;
    const char* name;
  } attempts[] = {
      {IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
           IORING_SETUP_DEFER_TASKRUN,
       "single-issuer defer-taskrun"},
      {IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN, "coop-taskrun"},
      {IORING_SETUP_CLAMP, "plain"},
  };
  int result = 0;
  for (const auto& attempt : attempts) {
    io_uring_params params{};
    params.flags = attempt.flags | IORING_SETUP_CQSIZE;
    params.cq_entries = options.entries * 8;
    result = io_uring_queue_init_params(options.entries, &ring, &params);
    if (result == 0) {
      ring_up = true;
      defer_taskrun = (attempt.flags & IORING_SETUP_DEFER_TASKRUN) != 0;
      features = attempt.name;
      break;
    }
    if (result != -EINVAL) break;
  }
  if (!ring_up) {
    return Status(
        Fault::unsupported,
        result == -ENOSYS
            ? "this kernel has no io_uring; Linux 5.11 or later with CONFIG_IO_URING is needed"
            : "io_uring can't be set up: a seccomp profile or the sysctl "
              "kernel.io_uring_disabled forbids it",
        -result);
  }
  // Without it a wait with a limit would need a request of its own.
  if ((ring.features & IORING_FEAT_EXT_ARG) == 0) {
    return Status(Fault::unsupported,
                  "this kernel's io_uring is too old; Linux 5.11 or later is needed");
  }
  storage = make_storage(*this);
  guarded_storage = std::make_unique<io::GuardedStorage>(*storage);
  network = make_network(*this);
  clock = make_clock(*this);
  entropy = make_entropy();
  helper = make_helper(*this, options);
  world =
      std::make_unique<io::World>(io::World{*guarded_storage, *network, *clock, *entropy, *helper});
  arenas.push_back(pool.arena());
  iovec vector{pool.arena().data(), pool.arena().size()};
  const int registered = io_uring_register_buffers(&ring, &vector, 1);
  if (registered != 0) arenas.clear();
  features += registered == 0 ? ", registered buffers" : ", no registered buffers";
  unsigned workers[2] = {kernel_workers, 0};
  const int limited = io_uring_register_iowq_max_workers(&ring, workers);  // since Linux 5.15
  if (limited == 0) features += fmt::format(", {} workers", kernel_workers);
  return Status();
}

Request& Reactor::Impl::take_free(Request::Completed completed) {
  if (free_requests == nullptr) {
    blocks.push_back(std::make_unique<Request[]>(requests_per_block));
    for (std::size_t i = 0; i < requests_per_block; ++i) {
      blocks.back()[i].next_free = free_requests;
      free_requests = &blocks.back()[i];
    }
  }
  Request& request = *free_requests;
  free_requests = request.next_free;
  request = Request();
  request.completed = completed;
  return request;
}

Request& Reactor::Impl::take(io::Op& op, Request::Completed completed) {
  Request& request = take_free(completed);
  request.op = &op;
  return request;
}

void Reactor::Impl::give(Request& request) noexcept {
  request.next_free = free_requests;
  free_requests = &request;
}

io_uring_sqe* Reactor::Impl::sqe() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring);
  while (entry == nullptr) {
    io_uring_submit(&ring);
    entry = io_uring_get_sqe(&ring);
  }
  return entry;
}

int Reactor::Impl::fixed_buffer(const std::byte* data, std::uint64_t length) const noexcept {
  for (std::size_t i = 0; i < arenas.size(); ++i) {
    const std::byte* begin = arenas[i].data();
    if (data >= begin && data + length <= begin + arenas[i].size()) return static_cast<int>(i);
  }
  return -1;
}

void Reactor::Impl::submit_timed(Request& request, Duration patience) {
  request.timed = !patience.is_forever();
  if (request.timed && io_uring_sq_space_left(&ring) < 2) io_uring_submit(&ring);
  io_uring_sqe* entry = sqe();
  prepare(*entry, request);
  io_uring_sqe_set_data(entry, &request);
  if (!request.timed) return;
  entry->flags |= IOSQE_IO_LINK;
  request.patience.tv_sec = patience.nanoseconds() / 1000000000;
  request.patience.tv_nsec = patience.nanoseconds() % 1000000000;
  io_uring_sqe* limit = sqe();
  io_uring_prep_link_timeout(limit, &request.patience, 0);
  io_uring_sqe_set_data64(limit, ignored);
}

void Reactor::Impl::cancel(Request& request) {
  request.wants_cancel = true;
  io_uring_sqe* entry = sqe();
  io_uring_prep_cancel(entry, &request, 0);
  io_uring_sqe_set_data64(entry, ignored);
}

void Reactor::Impl::forget(io::Op& /*op*/) noexcept {
  ensure(false && "an operation was destroyed in flight");
}

std::int64_t Reactor::Impl::nanoseconds() const noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

unsigned Reactor::Impl::reap() {
  unsigned count = 0;
  unsigned head = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring, head, cqe) {
    ++count;
    if (cqe->user_data == ignored) continue;
    auto& request = *static_cast<Request*>(io_uring_cqe_get_data(cqe));
    request.completed(*this, request, cqe->res);
  }
  io_uring_cq_advance(&ring, count);
  return count;
}

void Reactor::Impl::run(const std::function<bool()>& finished) {
  const io::RunQueue::Scope scope(queue);
  for (;;) {
    fire_timers();
    for (int round = 0; round < rounds_in_a_turn && !queue.empty(); ++round)
      queue.run_ready();
    if (stopping || finished()) break;
    enter_kernel();
  }
  stopping = false;
}

// Submits what is queued and takes what has completed. Waits if that is nothing, and nothing is
// ready.
void Reactor::Impl::enter_kernel() {
  const bool busy = !queue.empty();
  if (busy || io_uring_sq_ready(&ring) != 0 || io_uring_cq_ready(&ring) != 0) {
    if (defer_taskrun) io_uring_submit_and_get_events(&ring);
    else io_uring_submit(&ring);
  }
  const unsigned reaped = reap();
  reaped_before_wait += reaped;
  if (reaped == 0 && !busy) wait_for_completion();
}

bool Reactor::Impl::poll_a_while() {
  const std::int64_t until = nanoseconds() + PollPolicy::poll_ns;
  do {
    if (defer_taskrun) io_uring_get_events(&ring);
    if (io_uring_cq_ready(&ring) != 0) return true;
    sched_yield();
  } while (nanoseconds() < until);
  return false;
}

void Reactor::Impl::wait_for_completion() {
  const std::int64_t begun = nanoseconds();
  std::int64_t patience = INT64_MAX;
  if (!timers.empty()) patience = timers.front().when - begun;
  if (patience <= 0) return;
  const bool poll =
      options.poll && poll_policy.should_poll(begun) && patience > PollPolicy::poll_ns;
  if (!poll || !poll_a_while()) {
    poll_policy.sleeps(begun);
    io_uring_cqe* cqe = nullptr;
    if (timers.empty()) {
      io_uring_wait_cqe(&ring, &cqe);
    } else {
      __kernel_timespec limit{};
      limit.tv_sec = patience / 1000000000;
      limit.tv_nsec = patience % 1000000000;
      io_uring_wait_cqe_timeout(&ring, &cqe, &limit);
    }
  }
  const std::int64_t now = nanoseconds();
  const unsigned completions = reap();
  poll_policy.waited(now, now - begun, completions + reaped_before_wait);
  reaped_before_wait = 0;
}

void Reactor::Impl::watch_blocking() {
  if (watching_blocking || blocking->outstanding() == 0) return;
  watching_blocking = true;
  Request& request = take_free([](Impl& impl, Request& r, std::int32_t) {
    impl.give(r);
    impl.watching_blocking = false;
    for (io::Op* item : impl.blocking->take_done()) {
      done(*item, 0);
    }
    impl.watch_blocking();
  });
  request.fd = blocking->event_fd();
  request.opcode = IORING_OP_POLL_ADD;
  submit(request);
}

}  // namespace replicator::uring
