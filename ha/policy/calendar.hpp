// Dates of rules: ISO 8601 text to seconds since 1970 (UTC), and the fields that a date
// specification names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ha::policy {

using Seconds = std::int64_t;  // since 1970-01-01 00:00 UTC

struct DateFields {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int year_day = 1;  // 1 to 366
  int week_year = 1970;
  int week = 1;      // ISO 8601
  int week_day = 1;  // Monday is 1
  int moon = 0;      // 0 new to 4 full
};

[[nodiscard]] std::optional<Seconds> parse_date(std::string_view text);
// "PT1M30S", "P1D": seconds. Years and months count 365 and 30 days.
[[nodiscard]] std::optional<std::int64_t> parse_duration(std::string_view text);
[[nodiscard]] DateFields date_fields(Seconds when) noexcept;
[[nodiscard]] Seconds from_fields(int year, int month, int day, int hour, int minute,
                                  int second) noexcept;
[[nodiscard]] Seconds add_months(Seconds when, int months) noexcept;
// "2020-01-31 12:00:00Z"
[[nodiscard]] std::string date_text(Seconds when);

}  // namespace ha::policy
