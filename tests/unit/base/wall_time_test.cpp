// Times as people and the journal read them, against a table of known days.
#include "base/wall_time.hpp"

#include <gtest/gtest.h>
#include <time.h>

namespace replicator {
namespace {

TEST(wall_time, known_days) {
  struct Row {
    std::uint64_t milliseconds;
    const char* text;
  };
  const Row rows[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {951'782'400'000, "2000-02-29T00:00:00.000Z"},
      {951'868'799'999, "2000-02-29T23:59:59.999Z"},
      {951'868'800'000, "2000-03-01T00:00:00.000Z"},
      {1'700'000'000'123, "2023-11-14T22:13:20.123Z"},
      {4'107'542'399'000, "2100-02-28T23:59:59.000Z"},
      {4'107'542'400'000, "2100-03-01T00:00:00.000Z"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(iso_text(WallTime(row.milliseconds)), row.text);
    const std::optional<WallTime> again = parse_iso(row.text);
    ASSERT_TRUE(again) << row.text;
    EXPECT_EQ(again->milliseconds(), row.milliseconds);
  }
}

TEST(wall_time, agrees_with_the_system_for_130_years) {
  for (std::uint64_t day = 0; day < 130 * 366; ++day) {
    const std::uint64_t seconds = day * 86'400 + day % 86'400;
    const auto when = static_cast<time_t>(seconds);
    tm parts{};
    gmtime_r(&when, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
    ASSERT_EQ(iso_text(WallTime(seconds * 1000)), text);
    ASSERT_EQ(parse_iso(text), WallTime(seconds * 1000)) << text;
  }
}

TEST(wall_time, what_is_no_time_is_refused) {
  for (const char* text :
       {"", "2026-11-21", "2026-11-21T15:31:02.12Z", "2026-11-21T15:31:02.1234Z",
        "2026-11-21 15:31:02.123Z", "2026-02-29T00:00:00.000Z", "2026-13-01T00:00:00.000Z",
        "2026-00-01T00:00:00.000Z", "2026-01-32T00:00:00.000Z", "2026-01-00T00:00:00.000Z",
        "2026-01-01T24:00:00.000Z", "2026-01-01T00:60:00.000Z", "2026-01-01T00:00:60.000Z",
        "1969-12-31T23:59:59.000Z", "2026-01-01T00:00:0 .000Z", "2026-01-01T00:00:-1.000Z"}) {
    EXPECT_FALSE(parse_iso(text)) << text;
  }
}

TEST(wall_time, readable) {
  EXPECT_EQ(readable_text(WallTime(1'700'000'000'999)), "2023-11-14 22:13:20 UTC");
  EXPECT_EQ(readable_text(WallTime()), "an unknown time");
}

}  // namespace
}  // namespace replicator
