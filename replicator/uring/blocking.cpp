#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "uring/impl.hpp"

namespace replicator::uring {

namespace {
constexpr std::size_t thread_count = 4;
}

Result<std::unique_ptr<BlockingPool>> BlockingPool::create() {
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) return failure(Fault::no_space, "eventfd", errno);
  std::unique_ptr<BlockingPool> pool(new BlockingPool(event_fd));
  // Signals are the reactor's business.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto work = [](void* self) -> void* {
    static_cast<BlockingPool*>(self)->work_loop();
    return nullptr;
  };
  int error = 0;
  while (error == 0 && pool->threads_.size() < thread_count) {
    pthread_t thread{};
    error = pthread_create(&thread, nullptr, work, pool.get());
    if (error == 0) pool->threads_.push_back(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return failure(Fault::no_space, "helper threads can't be made", error);
  return pool;
}

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (const pthread_t thread : threads_)
    pthread_join(thread, nullptr);
  close(event_fd_);
}

void BlockingPool::add(io::Op& op, std::function<void()> work) {
  ++outstanding_;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(Job{&op, std::move(work)});
  }
  wake_.notify_one();
}

void BlockingPool::work_loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.work();
    lock.lock();
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
