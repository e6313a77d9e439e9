// Proleptic Gregorian arithmetic on whole days since 1970; a date without a zone is UTC, so that
// all nodes agree.
#include "ha/policy/calendar.hpp"

#include <algorithm>
#include <cstdio>

#include "ha/policy/text.hpp"

namespace ha::policy {
namespace {

constexpr std::int64_t day_seconds = 86'400;

std::int64_t days_from_civil(std::int64_t year, int month, int day) noexcept {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

bool leap(int year) noexcept { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int month_days(int year, int month) noexcept {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && leap(year) ? 1 : 0);
}

void civil_from_days(std::int64_t days, DateFields& fields) noexcept {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  fields.day = static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1);
  fields.month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  fields.year = static_cast<int>(year_of_era + era * 400 + (fields.month <= 2 ? 1 : 0));
}

int week_day_of(std::int64_t days) noexcept {  // 1970-01-01 was a Thursday
  return static_cast<int>(((days + 3) % 7 + 7) % 7) + 1;
}

void fill_week(std::int64_t days, DateFields& fields) noexcept {
  fields.week_day = week_day_of(days);
  const std::int64_t thursday = days - fields.week_day + 4;
  DateFields of_thursday;
  civil_from_days(thursday, of_thursday);
  fields.week_year = of_thursday.year;
  fields.week = static_cast<int>((thursday - days_from_civil(of_thursday.year, 1, 1)) / 7) + 1;
}

int moon_of(int year, int year_day) noexcept {
  const int golden = year % 19 + 1;
  int epact = (11 * golden + 18) % 30;
  if ((epact == 25 && golden > 11) || epact == 24) ++epact;
  return ((((year_day + epact) * 6 + 11) % 177) / 22) & 7;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool done() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<int> digits(std::size_t least, std::size_t most) {
    std::size_t count = 0;
    int value = 0;
    while (count < most && count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      value = value * 10 + (rest_[count++] - '0');
    }
    if (count < least) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }
  [[nodiscard]] std::size_t digits_ahead() const {
    const std::size_t end = rest_.find_first_not_of("0123456789");
    return end == std::string_view::npos ? rest_.size() : end;
  }
  [[nodiscard]] char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  void skip() { rest_.remove_prefix(1); }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> read_week_date(Reader& in, int year) {
  const auto week = in.digits(1, 2);
  in.take('-');
  const auto day = in.digits(1, 1);
  if (!week || !day) return std::nullopt;
  const std::int64_t fourth = days_from_civil(year, 1, 4);  // always in week 1
  return fourth - week_day_of(fourth) + 1 + (*week - 1) * 7 + *day - 1;
}

std::optional<std::int64_t> read_day(Reader& in) {
  const auto year = in.digits(4, 4);
  if (!year) return std::nullopt;
  const bool dashed = in.take('-');
  if (in.take('W')) return read_week_date(in, *year);
  if (in.digits_ahead() == 3) {  // ordinal date
    return days_from_civil(*year, 1, 1) + *in.digits(3, 3) - 1;
  }
  const auto month = in.digits(1, 2);
  if (!month || *month < 1 || *month > 12) return std::nullopt;
  if (dashed && !in.take('-')) return days_from_civil(*year, *month, 1);
  const auto day = in.digits(1, 2);
  if (!day || *day < 1 || *day > month_days(*year, *month)) return std::nullopt;
  return days_from_civil(*year, *month, *day);
}

std::optional<std::int64_t> read_clock(Reader& in) {
  const auto hour = in.digits(1, 2);
  if (!hour || *hour > 24) return std::nullopt;
  std::int64_t seconds = *hour * 3600;
  in.take(':');
  if (in.digits_ahead() == 0) return seconds;
  seconds += in.digits(1, 2).value_or(0) * 60;
  in.take(':');
  if (in.digits_ahead() > 0) seconds += in.digits(1, 2).value_or(0);
  return seconds;
}

std::int64_t read_zone(Reader& in) {
  while (in.take(' ')) {
  }
  const bool east = in.take('+');
  if (!east && !in.take('-')) return 0;
  const std::int64_t offset = read_clock(in).value_or(0);
  return east ? offset : -offset;
}

}  // namespace

std::optional<Seconds> parse_date(std::string_view text) {
  Reader in(text);
  const auto days = read_day(in);
  if (!days) return std::nullopt;
  Seconds seconds = *days * day_seconds;
  if (in.take('T') || in.take(' ')) {
    while (in.take(' ')) {
    }
    if (in.done()) return seconds;
    const auto clock = read_clock(in);
    if (!clock) return std::nullopt;
    seconds += *clock;
    if (!in.take('Z')) seconds -= read_zone(in);
  }
  return seconds;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  Reader in(text);
  if (!in.take('P')) return std::nullopt;
  bool clock = false;
  std::int64_t seconds = 0;
  while (!in.done()) {
    if (in.take('T')) {
      clock = true;
      continue;
    }
    const auto number = in.digits(1, 9);
    if (!number || in.done()) return std::nullopt;
    switch (in.front()) {
      case 'Y': seconds += *number * 365 * day_seconds; break;
      case 'W': seconds += *number * 7 * day_seconds; break;
      case 'D': seconds += *number * day_seconds; break;
      case 'H': seconds += std::int64_t{*number} * 3600; break;
      case 'M': seconds += clock ? std::int64_t{*number} * 60 : *number * 30 * day_seconds; break;
      case 'S': seconds += *number; break;
      default: return std::nullopt;
    }
    in.skip();
  }
  return seconds;
}

DateFields date_fields(Seconds when) noexcept {
  const std::int64_t days =
      when >= 0 ? when / day_seconds : -((-when + day_seconds - 1) / day_seconds);
  const int rest = static_cast<int>(when - days * day_seconds);
  DateFields fields;
  civil_from_days(days, fields);
  fields.hour = rest / 3600;
  fields.minute = rest / 60 % 60;
  fields.second = rest % 60;
  fields.year_day = static_cast<int>(days - days_from_civil(fields.year, 1, 1)) + 1;
  fill_week(days, fields);
  fields.moon = moon_of(fields.year, fields.year_day);
  return fields;
}

Seconds from_fields(int year, int month, int day, int hour, int minute, int second) noexcept {
  return days_from_civil(year, month, day) * day_seconds + hour * 3600 + minute * 60 + second;
}

Seconds add_months(Seconds when, int months) noexcept {
  const DateFields at = date_fields(when);
  const int total = at.year * 12 + at.month - 1 + months;
  const int year = total / 12;
  const int month = total % 12 + 1;
  return from_fields(year, month, std::min(at.day, month_days(year, month)), at.hour, at.minute,
                     at.second);
}

std::string date_text(Seconds when) {
  const DateFields at = date_fields(when);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d %02d:%02d:%02dZ", at.year, at.month, at.day,
                at.hour, at.minute, at.second);
  return buffer;
}

}  // namespace ha::policy
