#include "ha/policy/text.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "ha/policy/calendar.hpp"

namespace ha::policy {
namespace {

char lower(char c) noexcept {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}
bool digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool starts(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && same(text.substr(0, prefix.size()), prefix);
}

struct Unit {
  std::string_view prefix;
  std::int64_t multiplier;
  std::int64_t divisor;
};
// The first that fits counts, so longer ones stand before their prefixes.
constexpr Unit units[] = {
    {"ms", 1, 1}, {"us", 1, 1000}, {"s", 1000, 1}, {"m", 60'000, 1}, {"h", 3'600'000, 1}};

// As milliseconds, or more than anyone waits for.
std::int64_t milliseconds_of(std::int64_t seconds) {
  constexpr std::int64_t limit = 1'000'000'000'000'000;
  return std::clamp(seconds, -limit, limit) * 1000;
}

}  // namespace

bool same(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool any_of(std::string_view word, std::initializer_list<std::string_view> words) noexcept {
  for (const std::string_view candidate : words) {
    if (same(word, candidate)) return true;
  }
  return false;
}

std::optional<bool> parse_bool(std::string_view text) noexcept {
  if (any_of(text, {"true", "on", "yes", "y", "1"})) return true;
  if (any_of(text, {"false", "off", "no", "n", "0"})) return false;
  return std::nullopt;
}

bool is_true(std::string_view text) noexcept { return parse_bool(text).value_or(false); }

std::optional<long long> parse_number(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size() && blank(text[at]))
    ++at;
  bool negative = false;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  if (at == text.size() || !digit(text[at])) return std::nullopt;
  constexpr long long limit = 4'000'000'000'000'000'000;
  long long value = 0;
  for (; at < text.size() && digit(text[at]); ++at) {
    value = value > limit / 10 ? limit : value * 10 + (text[at] - '0');
  }
  return negative ? -value : value;
}

std::optional<double> parse_real(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (end == copy.c_str()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_milliseconds(std::string_view text) {
  if (!text.empty() && text.front() == 'P') {
    const std::optional<std::int64_t> seconds = parse_duration(text);
    if (!seconds) return std::nullopt;
    return milliseconds_of(*seconds);
  }
  std::size_t at = 0;
  while (at < text.size() && blank(text[at]))
    ++at;
  const std::size_t first = at;
  while (at < text.size() && (digit(text[at]) || text[at] == '-' || text[at] == '+'))
    ++at;
  if (at == first) return std::nullopt;
  const std::optional<long long> number = parse_number(text.substr(first, at - first));
  if (!number) return std::nullopt;
  while (at < text.size() && blank(text[at]))
    ++at;
  const std::string_view rest = text.substr(at);
  if (rest.empty()) return milliseconds_of(*number);
  for (const Unit& unit : units) {
    if (!starts(rest, unit.prefix)) continue;
    if (*number > 1'000'000'000'000 || *number < -1'000'000'000'000) return std::nullopt;
    return *number * unit.multiplier / unit.divisor;
  }
  return std::nullopt;
}

std::uint32_t interval_milliseconds(std::string_view text) {
  const std::int64_t value = parse_milliseconds(text).value_or(0);
  if (value < 0) return 0;
  return value > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(value);
}

int compare_versions(std::string_view a, std::string_view b) noexcept {
  while (!a.empty() || !b.empty()) {
    const auto part = [](std::string_view& rest) {
      const std::size_t dot = rest.find('.');
      const long long number = parse_number(rest.substr(0, dot)).value_or(0);
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
      return number;
    };
    const long long left = part(a);
    const long long right = part(b);
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

int compare_names(std::string_view a, std::string_view b) noexcept {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const std::size_t from_a = i;
      const std::size_t from_b = j;
      while (i < a.size() && digit(a[i]))
        ++i;
      while (j < b.size() && digit(b[j]))
        ++j;
      const long long left = parse_number(a.substr(from_a, i - from_a)).value_or(0);
      const long long right = parse_number(b.substr(from_b, j - from_b)).value_or(0);
      if (left != right) return left < right ? -1 : 1;
      if (i - from_a != j - from_b) return i - from_a < j - from_b ? -1 : 1;
      continue;
    }
    if (lower(a[i]) != lower(b[j])) return lower(a[i]) < lower(b[j]) ? -1 : 1;
    ++i;
    ++j;
  }
  if (i == a.size() && j == b.size()) return 0;
  return i == a.size() ? -1 : 1;
}

std::string operation_key(std::string_view resource, std::string_view task,
                          std::uint32_t interval) {
  std::string key(resource);
  key += '_';
  key += task;
  key += '_';
  key += std::to_string(interval);
  return key;
}

std::string notify_key(std::string_view resource, std::string_view type, std::string_view task) {
  std::string key(resource);
  key += '_';
  key += type;
  key += "_notify_";
  key += task;
  key += "_0";
  return key;
}

std::string_view without_instance(std::string_view id) noexcept {
  std::size_t at = id.size();
  while (at > 0 && digit(id[at - 1]))
    --at;
  if (at == id.size() || at < 2 || id[at - 1] != ':') return id;
  return id.substr(0, at - 1);
}

}  // namespace ha::policy
