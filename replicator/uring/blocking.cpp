#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "uring/impl.hpp"

namespace replicator::uring {

namespace {
constexpr std::size_t threads_max = 3;
}

BlockingPool::BlockingPool() : event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  ensure(event_fd_ >= 0);
}

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_)
    thread.join();
  close(event_fd_);
}

void BlockingPool::add(io::Op& op, std::function<void()> work) {
  ++outstanding_;
  bool grow = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(Job{&op, std::move(work)});
    grow = jobs_.size() > idle_ && threads_.size() < threads_max;
  }
  if (grow) {
    // Signals are the reactor's business.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    threads_.emplace_back([this] { work_loop(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  wake_.notify_one();
}

void BlockingPool::work_loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
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
