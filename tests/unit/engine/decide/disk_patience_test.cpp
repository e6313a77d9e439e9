#include "engine/decide/disk_patience.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

TEST(DiskPatience, an_idle_or_busy_disk_is_never_blamed) {
  DiskPatience idle;
  DiskPatience busy;
  for (std::uint64_t look = 0; look < 100; ++look) {
    EXPECT_FALSE(idle.exhausted_at(7, 8));
    // Always something under way, never the same for long.
    EXPECT_FALSE(busy.exhausted_at(look * 3 + 10, look * 3 + 1));
  }
}

TEST(DiskPatience, one_operation_at_each_look_is_found_out_after_one_limit) {
  DiskPatience patience;
  for (std::uint32_t look = 0; look < DiskPatience::looks_per_limit; ++look) {
    EXPECT_FALSE(patience.exhausted_at(5 + look, 5)) << look;
  }
  EXPECT_TRUE(patience.exhausted_at(40, 5));
}

TEST(DiskPatience, an_operation_that_began_after_the_first_look_has_its_full_time) {
  DiskPatience patience;
  EXPECT_FALSE(patience.exhausted_at(5, 6));
  for (std::uint32_t look = 0; look < DiskPatience::looks_per_limit; ++look) {
    EXPECT_FALSE(patience.exhausted_at(6, 6)) << look;
  }
  EXPECT_TRUE(patience.exhausted_at(6, 6));
}

TEST(DiskPatience, an_operation_behind_the_oldest_gets_time_of_its_own) {
  DiskPatience patience;
  for (std::uint32_t look = 0; look < DiskPatience::looks_per_limit; ++look)
    EXPECT_FALSE(patience.exhausted_at(1, 1));
  // The first one has ended just in time.
  EXPECT_FALSE(patience.exhausted_at(2, 2));
}

TEST(DiskPatience, of_two_limits_the_shorter_counts_and_zero_is_none) {
  const Duration one = Duration::seconds(1);
  const Duration two = Duration::seconds(2);
  EXPECT_EQ(shorter_limit(one, two), one);
  EXPECT_EQ(shorter_limit(two, one), one);
  EXPECT_EQ(shorter_limit(Duration(), two), two);
  EXPECT_EQ(shorter_limit(two, Duration()), two);
  EXPECT_EQ(shorter_limit(Duration(), Duration()), Duration());
}

}  // namespace
}  // namespace replicator
