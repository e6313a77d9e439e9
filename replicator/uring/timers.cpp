// Sleeps: one heap, looked at each turn; the next deadline bounds how long the ring waits.
#include <sys/random.h>
#include <time.h>

#include <cerrno>
#include <utility>

#include "uring/impl.hpp"

namespace replicator::uring {

namespace {

bool earlier(const Timer& a, const Timer& b) {
  return a.when != b.when ? a.when < b.when : a.sequence < b.sequence;
}

}  // namespace

void Reactor::Impl::sift_up(std::size_t index) noexcept {
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (!earlier(timers[index], timers[parent])) break;
    std::swap(timers[index], timers[parent]);
    timers[index].op->backend_data = index;
    index = parent;
  }
  timers[index].op->backend_data = index;
}

void Reactor::Impl::sift_down(std::size_t index) noexcept {
  for (;;) {
    std::size_t least = index;
    for (std::size_t child = 2 * index + 1; child <= 2 * index + 2; ++child) {
      if (child < timers.size() && earlier(timers[child], timers[least])) least = child;
    }
    if (least == index) break;
    std::swap(timers[index], timers[least]);
    timers[index].op->backend_data = index;
    index = least;
  }
  timers[index].op->backend_data = index;
}

void Reactor::Impl::add_timer(io::Op& op, Instant when) {
  start(op);
  op.backend_pointer = this;
  timers.push_back(Timer{when.nanoseconds(), ++timer_sequence, &op});
  sift_up(timers.size() - 1);
}

void Reactor::Impl::remove_timer(std::size_t index) noexcept {
  const std::size_t last = timers.size() - 1;
  if (index != last) {
    timers[index] = timers[last];
    timers[index].op->backend_data = index;
  }
  timers.pop_back();
  if (index < timers.size()) {
    sift_down(index);
    sift_up(index);
  }
}

void Reactor::Impl::wake_timer(io::Op& op) noexcept {
  if (!op.in_flight()) return;
  const std::size_t index = op.backend_data;
  if (index >= timers.size() || timers[index].op != &op) return;
  remove_timer(index);
  done(op, -ECANCELED);
}

void Reactor::Impl::fire_timers() {
  if (timers.empty()) return;
  const std::int64_t now = nanoseconds();
  while (!timers.empty() && timers.front().when <= now) {
    io::Op& op = *timers.front().op;
    remove_timer(0);
    done(op, 0);
  }
}

namespace {

class MonotonicClock final : public io::Clock {
 public:
  explicit MonotonicClock(Reactor::Impl& impl) : impl_(impl) {}
  [[nodiscard]] Instant now() const noexcept override { return Instant(impl_.nanoseconds()); }
  [[nodiscard]] WallTime wall_time() const noexcept override {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return WallTime(static_cast<std::uint64_t>(now.tv_sec) * 1000 +
                    static_cast<std::uint64_t>(now.tv_nsec) / 1000000);
  }
  void sleep_until(io::Op& op, Instant when) override { impl_.add_timer(op, when); }
  void wake(io::Op& op) noexcept override { impl_.wake_timer(op); }

 private:
  Reactor::Impl& impl_;
};

class KernelEntropy final : public io::Entropy {
 public:
  void fill(Bytes random) override {
    while (!random.empty()) {
      const ssize_t got = getrandom(random.data(), random.size(), 0);
      ensure(got > 0 || errno == EINTR);
      if (got > 0) random = random.subspan(static_cast<std::size_t>(got));
    }
  }
};

}  // namespace

std::unique_ptr<io::Clock> make_clock(Reactor::Impl& impl) {
  return std::make_unique<MonotonicClock>(impl);
}
std::unique_ptr<io::Entropy> make_entropy() { return std::make_unique<KernelEntropy>(); }

}  // namespace replicator::uring
