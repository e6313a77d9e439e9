#include "uring/poll_policy.hpp"

#include <algorithm>

namespace replicator::uring {

void PollPolicy::restart(std::int64_t now_ns) noexcept {
  window_begin_ns_ = now_ns;
  waits_ = 0;
  completions_ = 0;
}

void PollPolicy::waited(std::int64_t now_ns, std::int64_t waited_ns,
                        unsigned completions) noexcept {
  gap_ns_ += (std::min(waited_ns, idle_ns) - gap_ns_) / 8;
  if (waited_ns >= idle_ns) {
    restart(now_ns);
    return;
  }
  completions_ += completions;
  if (++waits_ < window_waits) return;
  if (completions_ != 0) {
    end_window((now_ns - window_begin_ns_) * 1000 / static_cast<std::int64_t>(completions_));
  }
  restart(now_ns);
}

void PollPolicy::end_window(std::int64_t cost) noexcept {
  if (!trial_) {
    favourite_cost_ = favourite_cost_ == 0 ? cost : (favourite_cost_ + cost) / 2;
    if (++windows_ < interval_) return;
    trial_ = true;
    polling_ = !polling_;
    return;
  }
  // Polling burns a CPU and has to earn it; blocking wins a draw.
  const bool won = polling_ ? cost * 10 < favourite_cost_ * 9 : cost * 9 <= favourite_cost_ * 10;
  trial_ = false;
  windows_ = 0;
  interval_ = won ? interval_min : std::min(interval_ * 2, interval_max);
  if (won) favourite_cost_ = cost;
  else polling_ = !polling_;
}

}  // namespace replicator::uring
