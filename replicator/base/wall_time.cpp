#include "base/wall_time.hpp"

#include <fmt/core.h>

namespace replicator {

namespace {

constexpr std::uint64_t day_ms = 86'400'000;
constexpr std::uint64_t last_year = 9999;

struct Date {
  std::uint64_t year = 0;
  std::uint64_t month = 0;  // 1..12
  std::uint64_t day = 0;    // 1..31
};

// Years are counted from March, so that the leap day is the last one of its year.
Date date_of(std::uint64_t days_since_1970) noexcept {
  const std::uint64_t days = days_since_1970 + 719'468;  // since 0000-03-01
  const std::uint64_t era = days / 146'097;              // of 400 years
  const std::uint64_t in_era = days % 146'097;
  const std::uint64_t year_of_era =
      (in_era - in_era / 1460 + in_era / 36'524 - in_era / 146'096) / 365;
  const std::uint64_t in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint64_t from_march = (5 * in_year + 2) / 153;
  Date date;
  date.day = in_year - (153 * from_march + 2) / 5 + 1;
  date.month = from_march < 10 ? from_march + 3 : from_march - 9;
  date.year = era * 400 + year_of_era + (date.month <= 2 ? 1 : 0);
  return date;
}

std::uint64_t days_until(const Date& date) noexcept {
  const std::uint64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::uint64_t from_march = date.month > 2 ? date.month - 3 : date.month + 9;
  const std::uint64_t in_year = (153 * from_march + 2) / 5 + date.day - 1;
  const std::uint64_t year_of_era = year % 400;
  const std::uint64_t in_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + in_year;
  return year / 400 * 146'097 + in_era - 719'468;
}

std::optional<std::uint64_t> digits(std::string_view text, std::size_t at,
                                    std::size_t count) noexcept {
  std::uint64_t value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

std::string iso_text(WallTime time) {
  const Date date = date_of(time.milliseconds() / day_ms);
  const std::uint64_t of_day = time.milliseconds() % day_ms;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", date.year, date.month, date.day,
                     of_day / 3'600'000, of_day / 60'000 % 60, of_day / 1000 % 60, of_day % 1000);
}

std::string readable_text(WallTime time) {
  if (!time.known()) return "an unknown time";
  const std::string iso = iso_text(time);
  return iso.substr(0, 10) + " " + iso.substr(11, 8) + " UTC";
}

std::optional<WallTime> parse_iso(std::string_view text) noexcept {
  constexpr std::string_view shape = "0000-00-00T00:00:00.000Z";
  if (text.size() != shape.size()) return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != '0' && text[i] != shape[i]) return std::nullopt;
  }
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  const auto millisecond = digits(text, 20, 3);
  if (!year || !month || !day || !hour || !minute || !second || !millisecond) return std::nullopt;
  if (*year < 1970 || *year > last_year || *month < 1 || *month > 12 || *day < 1 || *hour > 23 ||
      *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  const std::uint64_t days = days_until(Date{*year, *month, *day});
  const Date again = date_of(days);
  if (again.month != *month || again.day != *day) return std::nullopt;
  const std::uint64_t of_day = ((*hour * 60 + *minute) * 60 + *second) * 1000 + *millisecond;
  return WallTime(days * day_ms + of_day);
}

}  // namespace replicator
