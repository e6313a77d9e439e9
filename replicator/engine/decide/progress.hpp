// Progress of a resync or verify for displays: eight marks, three seconds apart, as proc/drbd
// shows. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.hpp"
#include "engine/status.hpp"

namespace replicator {

class SyncMarks {
 public:
  SyncMarks(std::uint64_t total_blocks, Instant now) noexcept
      : total_(total_blocks), started_(now) {
    marks_.fill(Mark{now, total_blocks});
  }
  void update(Instant now, std::uint64_t left_blocks) noexcept {
    if (is_paused_ || now - marks_[last_].when < Duration::seconds(3)) return;
    if (left_blocks == marks_[last_].left) return;  // no progress, no mark
    last_ = (last_ + 1) % marks_.size();
    marks_[last_] = Mark{now, left_blocks};
  }
  // Time between the two counts neither for the average nor for the window.
  void pause(Instant now) noexcept {
    paused_at_ = now;
    is_paused_ = true;
  }
  void go_on(Instant now) noexcept {
    if (!is_paused_) return;
    is_paused_ = false;
    const Duration gap = now - paused_at_;
    started_ = started_ + gap;
    paused_ = paused_ + gap;
    for (Mark& mark : marks_)
      mark.when = mark.when + gap;
  }
  [[nodiscard]] SyncProgress progress(Instant now, std::uint64_t left_blocks) const noexcept {
    SyncProgress progress;
    const Duration since = is_paused_ ? now - paused_at_ : Duration();
    progress.paused_ms = static_cast<std::uint64_t>((paused_ + since).milliseconds());
    if (is_paused_) now = paused_at_;
    progress.active = true;
    progress.total_blocks = total_;
    progress.left_blocks = left_blocks < total_ ? left_blocks : total_;
    progress.elapsed_ms = static_cast<std::uint64_t>((now - started_).milliseconds());
    // The second oldest mark: a window of six intervals, about 18 s.
    const Mark& window = marks_[(last_ + 2) % marks_.size()];
    progress.recent_ms = static_cast<std::uint64_t>((now - window.when).milliseconds());
    progress.recent_blocks = window.left > left_blocks ? window.left - left_blocks : 0;
    const Mark& latest = marks_[(last_ + marks_.size() - 1) % marks_.size()];
    progress.latest_ms = static_cast<std::uint64_t>((now - latest.when).milliseconds());
    progress.latest_blocks = latest.left > left_blocks ? latest.left - left_blocks : 0;
    progress.stalled = now - marks_[last_].when > Duration::seconds(180);
    return progress;
  }

 private:
  struct Mark {
    Instant when;
    std::uint64_t left;
  };
  std::uint64_t total_;
  Instant started_;
  Instant paused_at_;
  Duration paused_;  // altogether, before the pause that lasts
  bool is_paused_ = false;
  std::array<Mark, 8> marks_{};
  std::size_t last_ = 0;
};

}  // namespace replicator
