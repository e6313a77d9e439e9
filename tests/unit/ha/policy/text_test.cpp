#include "ha/policy/text.hpp"

#include <gtest/gtest.h>

namespace ha::policy {
namespace {

TEST(PolicyText, Durations) {
  struct Row {
    const char* text;
    std::optional<std::int64_t> milliseconds;
  };
  const Row rows[] = {{"20", 20'000},      {"20s", 20'000},     {"2min", 120'000},
                      {"1h", 3'600'000},   {"100ms", 100},      {"5000us", 5},
                      {"PT1M30S", 90'000}, {"P1D", 86'400'000}, {" 7 ", 7'000},
                      {"-1", -1'000},      {"", std::nullopt},  {"x", std::nullopt},
                      {"5q", std::nullopt}};
  for (const Row& row : rows)
    EXPECT_EQ(parse_milliseconds(row.text), row.milliseconds) << row.text;
  EXPECT_EQ(interval_milliseconds("-1"), 0U);
}

TEST(PolicyText, NamesAreOrderedByTheirNumbers) {
  EXPECT_LT(compare_names("node2", "node10"), 0);
  EXPECT_GT(compare_names("node10", "Node2"), 0);
  EXPECT_LT(compare_names("a7", "a07"), 0);
  EXPECT_EQ(compare_names("pm01", "PM01"), 0);
  EXPECT_LT(compare_names("pm", "pm1"), 0);
}

TEST(PolicyText, Versions) {
  EXPECT_LT(compare_versions("3.0.9", "3.0.13"), 0);
  EXPECT_EQ(compare_versions("3.0", "3.0.0"), 0);
  EXPECT_GT(compare_versions("3.16.1", "3.2"), 0);
}

TEST(PolicyText, InstanceNumbers) {
  EXPECT_EQ(without_instance("drbd:12"), "drbd");
  EXPECT_EQ(without_instance("drbd"), "drbd");
  EXPECT_EQ(without_instance("drbd:"), "drbd:");
  EXPECT_EQ(without_instance("ip12"), "ip12");
  EXPECT_EQ(without_instance(":1"), ":1");
}

// RFC 1321, appendix A.5.
TEST(PolicyText, Md5) {
  EXPECT_EQ(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(PolicyText, NumbersThatAreTooLongStayBounded) {
  EXPECT_EQ(parse_number("17abc"), 17);
  EXPECT_EQ(parse_number("-"), std::nullopt);
  EXPECT_GT(parse_number("99999999999999999999999999").value_or(0), 1'000'000'000'000);
  EXPECT_EQ(interval_milliseconds("99999999999999999999"), UINT32_MAX);
  EXPECT_EQ(interval_milliseconds("-99999999999999999999"), 0U);
  EXPECT_EQ(parse_milliseconds("-99999999999999999999h"), std::nullopt);
}

}  // namespace
}  // namespace ha::policy
