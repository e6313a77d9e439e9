// Whether to look for completions for a while before blocking (docs/decisions/polling.md). Pure:
// time comes in as numbers.
//
// Waking a sleeping thread is most of the latency of a small replicated write, so polling can pay
// fourfold; but where the peer of the conversation shares our CPU, polling keeps it from running
// and costs as much. Nobody can tell which from inside, so it is measured: windows of a few dozen
// waits are run in one mode, now and then one in the other, and the mode with less time per
// completion stays. Never when nothing is in flight for long.
#pragma once

#include <cstdint>

namespace replicator::uring {

class PollPolicy {
 public:
  static constexpr std::int64_t poll_ns = 60'000;  // look this long at most

  // To be asked before each wait. A thread that polls gives way to nobody until the scheduler's
  // tick; so that what shares the CPU with it is not held up that long, it sleeps at least once in
  // a while.
  [[nodiscard]] bool should_poll(std::int64_t now_ns) const noexcept {
    return polling_ && gap_ns_ < worth_gap_ns && now_ns - slept_at_ns_ < awake_ns;
  }
  // Before a wait that sleeps.
  void sleeps(std::int64_t now_ns) noexcept { slept_at_ns_ = now_ns; }
  // After each wait: when it ended, how long it took, how many completions it and the work before
  // it brought.
  void waited(std::int64_t now_ns, std::int64_t waited_ns, unsigned completions) noexcept;

 private:
  static constexpr std::int64_t worth_gap_ns = 200'000;  // waits have to be shorter than this
  static constexpr std::int64_t idle_ns =
      1'000'000;  // a longer wait says nothing about either mode
  static constexpr std::int64_t awake_ns = 1'000'000;
  static constexpr unsigned window_waits = 48;
  static constexpr unsigned interval_min = 4;  // windows between two trials of the other mode
  static constexpr unsigned interval_max = 256;

  void end_window(std::int64_t cost) noexcept;
  void restart(std::int64_t now_ns) noexcept;

  bool polling_ = false;
  bool trial_ = false;       // this window runs in the mode that is not the favourite
  std::int64_t gap_ns_ = 0;  // mean length of a wait
  std::int64_t slept_at_ns_ = 0;
  std::int64_t favourite_cost_ = 0;  // picoseconds per completion
  unsigned windows_ = 0;             // since the last trial
  unsigned interval_ = interval_min;
  std::int64_t window_begin_ns_ = 0;
  unsigned waits_ = 0;
  std::uint64_t completions_ = 0;
};

}  // namespace replicator::uring
