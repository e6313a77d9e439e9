#include "ha/policy/calendar.hpp"

#include <gtest/gtest.h>

namespace ha::policy {
namespace {

TEST(Calendar, Dates) {
  struct Row {
    const char* text;
    std::optional<Seconds> seconds;
  };
  const Row rows[] = {{"1970-01-01", 0},
                      {"2000-03-01 00:00:00Z", 951'868'800},
                      {"20000301T010203", 951'868'800 + 3723},
                      {"2000-03-01 02:00:00 +02:00", 951'868'800},
                      {"2000-061", 951'868'800},
                      {"2009-W53-7", 1'262'476'800},
                      {"2000-02-30", std::nullopt},
                      {"2000-13-01", std::nullopt},
                      {"soon", std::nullopt}};
  for (const Row& row : rows)
    EXPECT_EQ(parse_date(row.text), row.seconds) << row.text;
}

TEST(Calendar, FieldsOfADay) {
  const DateFields at = date_fields(1'262'476'800);  // Sunday, 3 January 2010
  EXPECT_EQ(at.year, 2010);
  EXPECT_EQ(at.month, 1);
  EXPECT_EQ(at.day, 3);
  EXPECT_EQ(at.year_day, 3);
  EXPECT_EQ(at.week_year, 2009);
  EXPECT_EQ(at.week, 53);
  EXPECT_EQ(at.week_day, 7);
  EXPECT_EQ(date_text(1'262'476'800), "2010-01-03 00:00:00Z");
}

TEST(Calendar, MonthsKeepToTheirLength) {
  EXPECT_EQ(date_text(add_months(*parse_date("2020-01-31"), 1)), "2020-02-29 00:00:00Z");
  EXPECT_EQ(date_text(add_months(*parse_date("2020-01-31"), 13)), "2021-02-28 00:00:00Z");
}

TEST(Calendar, Durations) {
  EXPECT_EQ(parse_duration("P1DT2H"), 93'600);
  EXPECT_EQ(parse_duration("PT5M"), 300);
  EXPECT_EQ(parse_duration("5M"), std::nullopt);
  EXPECT_EQ(parse_duration("P5"), std::nullopt);
}

}  // namespace
}  // namespace ha::policy
