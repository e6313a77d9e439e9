#include "ha/policy/score.hpp"

#include <gtest/gtest.h>

namespace ha::policy {
namespace {

TEST(Score, MinusInfinityBeatsEverything) {
  struct Row {
    Score a, b, sum;
  };
  const Row rows[] = {{1, 2, 3},
                      {infinity, -infinity, -infinity},
                      {-infinity, infinity, -infinity},
                      {infinity, -5, infinity},
                      {-5, infinity, infinity},
                      {-infinity, 5, -infinity},
                      {999'999, 5, infinity},
                      {-999'999, -5, -infinity}};
  for (const Row& row : rows)
    EXPECT_EQ(add(row.a, row.b), row.sum) << row.a << " + " << row.b;
}

TEST(Score, Words) {
  EXPECT_EQ(parse_score("INFINITY"), infinity);
  EXPECT_EQ(parse_score("+infinity"), infinity);
  EXPECT_EQ(parse_score("-Infinity"), -infinity);
  EXPECT_EQ(parse_score("99999999"), infinity);
  EXPECT_EQ(parse_score("-12"), -12);
  EXPECT_EQ(parse_score("nonsense"), 0);
  EXPECT_EQ(parse_score("red", {.red = -7}), -7);
  EXPECT_EQ(score_text(-infinity), "-INFINITY");
  EXPECT_EQ(score_text(42), "42");
}

TEST(Score, ScalingNeverLosesAPreference) {
  EXPECT_EQ(scaled(100, 1.0F), 100);
  EXPECT_EQ(scaled(100, 0.5F), 50);
  EXPECT_EQ(scaled(1, 0.001F), 1);
  EXPECT_EQ(scaled(-1, 0.001F), 1);
  EXPECT_EQ(scaled(1, -0.001F), -1);
  EXPECT_EQ(scaled(0, 0.5F), 0);
}

}  // namespace
}  // namespace ha::policy
