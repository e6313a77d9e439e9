// Each duration is in the bucket that its name says, and in the sum.
#include "base/histogram.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

TEST(Histogram, BucketsArePowersOfTwoOfAMicrosecond) {
  const struct {
    std::int64_t ns;
    std::size_t bucket;
  } rows[] = {{-5, 0},         {0, 0},          {1, 0},          {1000, 0},          {1001, 1},
              {2000, 1},       {2001, 2},       {4000, 2},       {16'000, 4},        {16'001, 5},
              {1'000'000, 10}, {1'024'000, 10}, {1'024'001, 11}, {8'388'608'000, 23}};
  for (const auto& row : rows) {
    Histogram histogram;
    histogram.add(Duration::nanoseconds(row.ns));
    for (std::size_t i = 0; i < Histogram::buckets; ++i)
      EXPECT_EQ(histogram.in_bucket(i), i == row.bucket ? 1U : 0U) << row.ns << " in " << i;
    EXPECT_EQ(histogram.count(), 1U);
    EXPECT_EQ(histogram.nanoseconds(), row.ns < 0 ? 0U : static_cast<std::uint64_t>(row.ns));
  }
}

TEST(Histogram, WhatTookLongerIsOnlyCounted) {
  Histogram histogram;
  histogram.add(Duration::seconds(9));
  histogram.add(Duration::forever());
  for (std::size_t i = 0; i < Histogram::buckets; ++i)
    EXPECT_EQ(histogram.in_bucket(i), 0U);
  EXPECT_EQ(histogram.count(), 2U);
}

}  // namespace
}  // namespace replicator
