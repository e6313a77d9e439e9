#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "uring/impl.hpp"

namespace replicator::uring {

namespace {
constexpr std::size_t calls_at_first = 4;
constexpr std::size_t programs_at_first = 1;
}  // namespace

BlockingPool::BlockingPool(int event_fd) noexcept : event_fd_(event_fd) {
  for (Members& crew : crews_)
    crew.pool = this;
}

Result<std::unique_ptr<BlockingPool>> BlockingPool::create() {
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) return failure(Fault::no_space, "eventfd", errno);
  std::unique_ptr<BlockingPool> pool(new BlockingPool(event_fd));
  constexpr std::array<std::size_t, 2> at_first{calls_at_first, programs_at_first};
  int error = 0;
  for (std::size_t i = 0; i < at_first.size(); ++i) {
    while (error == 0 && pool->crews_[i].threads.size() < at_first[i])
      error = pool->one_more(pool->crews_[i]);
  }
  if (error != 0) return failure(Fault::no_space, "helper threads can't be made", error);
  return pool;
}

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  for (Members& crew : crews_) {
    crew.wake.notify_all();
    for (const pthread_t thread : crew.threads)
      pthread_join(thread, nullptr);
  }
  close(event_fd_);
}

// An errno. Signals are the reactor's business.
int BlockingPool::one_more(Members& crew) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto work = [](void* members) -> void* {
    auto& own = *static_cast<Members*>(members);
    own.pool->work_loop(own);
    return nullptr;
  };
  pthread_t thread{};
  const int error = pthread_create(&thread, nullptr, work, &crew);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) crew.threads.push_back(thread);
  return error;
}

void BlockingPool::add(io::Op& op, std::function<void()> work, Crew crew) {
  Members& members = crews_[static_cast<std::size_t>(crew)];
  ++outstanding_;
  bool all_busy = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    members.jobs.push_back(Job{&op, std::move(work)});
    all_busy = members.busy + members.jobs.size() > members.threads.size();
  }
  members.wake.notify_one();
  if (!all_busy || members.threads.size() >= threads_max) return;
  const int error = one_more(members);
  static_cast<void>(error);  // it waits for one of the others then
}

void BlockingPool::work_loop(Members& crew) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    crew.wake.wait(lock, [&] { return stopping_ || !crew.jobs.empty(); });
    if (crew.jobs.empty()) return;
    Job job = std::move(crew.jobs.front());
    crew.jobs.pop_front();
    ++crew.busy;
    lock.unlock();
    job.work();
    lock.lock();
    --crew.busy;
    done_.push_back(job.op);
    const std::uint64_t one = 1;
    const ssize_t written = write(event_fd_, &one, sizeof one);
    static_cast<void>(written);  // a full counter wakes the reactor just as well
  }
}

std::vector<io::Op*> BlockingPool::take_done() {
  std::uint64_t count = 0;
  const ssize_t got = read(event_fd_, &count, sizeof count);
  static_cast<void>(got);
  const std::lock_guard<std::mutex> lock(mutex_);
  outstanding_ -= done_.size();
  return std::exchange(done_, {});
}

}  // namespace replicator::uring
