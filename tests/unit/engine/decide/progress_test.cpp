// Progress of a resync for displays.
#include "engine/decide/progress.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

Instant at(std::int64_t milliseconds) {
  return Instant() + Duration::milliseconds(1000000 + milliseconds);
}

TEST(progress, begins_with_nothing_done) {
  const SyncMarks marks(1000, at(0));
  const SyncProgress p = marks.progress(at(0), 1000);
  EXPECT_TRUE(p.active);
  EXPECT_EQ(p.total_blocks, 1000U);
  EXPECT_EQ(p.left_blocks, 1000U);
  EXPECT_EQ(p.elapsed_ms, 0U);
  EXPECT_EQ(p.recent_ms, 0U);
  EXPECT_EQ(p.recent_blocks, 0U);
  EXPECT_FALSE(p.stalled);
}

TEST(progress, the_first_seconds_are_measured_from_the_start) {
  SyncMarks marks(1000, at(0));
  for (int ms = 100; ms <= 5000; ms += 100)
    marks.update(at(ms), 1000 - static_cast<std::uint64_t>(ms) / 50);
  const SyncProgress p = marks.progress(at(5000), 900);
  EXPECT_EQ(p.elapsed_ms, 5000U);
  EXPECT_EQ(p.recent_ms, 5000U);
  EXPECT_EQ(p.recent_blocks, 100U);
}

// 20 blocks a second, then 200: the window forgets the slow beginning within about 18 s.
TEST(progress, the_window_is_eighteen_seconds) {
  SyncMarks marks(100000, at(0));
  std::uint64_t left = 100000;
  int ms = 0;
  for (; ms < 60000; ms += 100)
    marks.update(at(ms), left -= 2);
  for (; ms < 85000; ms += 100)
    marks.update(at(ms), left -= 20);
  const SyncProgress p = marks.progress(at(ms), left);
  EXPECT_GE(p.recent_ms, 18000U);
  EXPECT_LE(p.recent_ms, 21100U);
  EXPECT_EQ(p.elapsed_ms, 85000U);
  EXPECT_NEAR(static_cast<double>(p.recent_blocks) * 1000 / static_cast<double>(p.recent_ms), 200,
              4);
}

TEST(progress, stalls_after_three_minutes_without_a_mark) {
  SyncMarks marks(1000, at(0));
  marks.update(at(3000), 900);
  for (int ms = 3100; ms <= 183000; ms += 100)
    marks.update(at(ms), 900);
  EXPECT_FALSE(marks.progress(at(183000), 900).stalled);
  EXPECT_TRUE(marks.progress(at(183001), 900).stalled);
  marks.update(at(183100), 899);
  EXPECT_FALSE(marks.progress(at(183200), 899).stalled);
}

TEST(progress, blocks_marked_meanwhile_do_not_count_backwards) {
  SyncMarks marks(1000, at(0));
  marks.update(at(3000), 500);
  const SyncProgress more = marks.progress(at(6000), 1200);
  EXPECT_EQ(more.left_blocks, 1000U);
  EXPECT_EQ(more.recent_blocks, 0U);
}

TEST(progress, paused_time_does_not_count) {
  SyncMarks marks(1000, at(0));
  marks.update(at(3000), 900);
  marks.pause(at(4000));
  marks.update(at(60000), 899);
  EXPECT_EQ(marks.progress(at(60000), 880).elapsed_ms, 4000U);
  EXPECT_FALSE(marks.progress(at(400000), 880).stalled);
  marks.go_on(at(64000));
  const SyncProgress p = marks.progress(at(65000), 880);
  EXPECT_EQ(p.elapsed_ms, 5000U);
  EXPECT_EQ(p.recent_ms, 5000U);
}

TEST(progress, going_on_without_a_pause_changes_nothing) {
  SyncMarks marks(1000, at(0));
  marks.go_on(at(5000));
  EXPECT_EQ(marks.progress(at(5000), 1000).elapsed_ms, 5000U);
}

}  // namespace
}  // namespace replicator
