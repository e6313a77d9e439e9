// Chains of resync-after: who may sync, and which chains are refused.
#include "engine/decide/resync_order.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace replicator {
namespace {

OrderedVolume volume(std::uint32_t minor, std::int32_t after, bool holds_up, bool has_disk = true) {
  OrderedVolume one;
  one.minor = minor;
  one.after = after;
  one.has_disk = has_disk;
  one.holds_up = holds_up;
  return one;
}

TEST(resync_order, who_comes_after_nobody_may_sync) {
  EXPECT_TRUE(may_sync_now(std::vector{volume(0, -1, true), volume(1, -1, true)}, 1));
}

TEST(resync_order, a_sync_holds_up_who_comes_after_it) {
  EXPECT_FALSE(may_sync_now(std::vector{volume(0, -1, true), volume(1, 0, false)}, 1));
  EXPECT_TRUE(may_sync_now(std::vector{volume(0, -1, false), volume(1, 0, false)}, 1));
}

TEST(resync_order, the_whole_chain_counts) {
  const std::vector chain{volume(7, -1, true), volume(3, 7, false), volume(5, 3, false)};
  EXPECT_FALSE(may_sync_now(chain, 5));
  EXPECT_FALSE(may_sync_now(chain, 3));
  EXPECT_TRUE(may_sync_now(chain, 7));
}

TEST(resync_order, a_missing_minor_or_one_without_a_disk_ends_the_chain) {
  EXPECT_TRUE(may_sync_now(std::vector{volume(1, 0, false)}, 1));
  EXPECT_TRUE(may_sync_now(
      std::vector{volume(0, -1, true), volume(1, 0, false, false), volume(2, 1, false)}, 2));
}

// As the kernel looks at it: the sync of the volume without a disk counts, its chain does not.
TEST(resync_order, flags_of_the_last_link_count_even_without_a_disk) {
  EXPECT_FALSE(may_sync_now(std::vector{volume(0, -1, true, false), volume(1, 0, false)}, 1));
}

TEST(resync_order, one_may_come_after_what_does_not_exist) {
  EXPECT_EQ(check_resync_after({}, 0, 9), OrderVerdict::fine);
  EXPECT_EQ(check_resync_after({}, 0, -1), OrderVerdict::fine);
}

TEST(resync_order, numbers_that_are_no_minors_are_refused) {
  EXPECT_EQ(check_resync_after({}, 0, -2), OrderVerdict::no_minor);
  EXPECT_EQ(check_resync_after({}, 0, 1 << 20), OrderVerdict::no_minor);
}

TEST(resync_order, a_cycle_is_found) {
  EXPECT_EQ(check_resync_after({}, 4, 4), OrderVerdict::cycle);
  const std::vector pair{volume(0, 1, false), volume(1, -1, false)};
  EXPECT_EQ(check_resync_after(pair, 1, 0), OrderVerdict::cycle);
  const std::vector three{volume(0, 1, false), volume(1, 2, false), volume(2, -1, false)};
  EXPECT_EQ(check_resync_after(three, 2, 0), OrderVerdict::cycle);
  EXPECT_EQ(check_resync_after(three, 2, 9), OrderVerdict::fine);
}

TEST(resync_order, a_cycle_through_a_volume_without_a_disk_is_not_seen) {
  const std::vector pair{volume(0, 1, false, false), volume(1, -1, false)};
  EXPECT_EQ(check_resync_after(pair, 1, 0), OrderVerdict::fine);
}

// A volume that closes a cycle among others, which attaching at the wrong moment could make.
TEST(resync_order, an_existing_cycle_ends_the_search) {
  const std::vector loop{volume(0, 1, false), volume(1, 0, false), volume(2, -1, false)};
  EXPECT_EQ(check_resync_after(loop, 2, 0), OrderVerdict::cycle);
  EXPECT_TRUE(may_sync_now(loop, 0));
}

}  // namespace
}  // namespace replicator
