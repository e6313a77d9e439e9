#include "monitor/lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace replicator::monitor {

std::string clean(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\t') c = ' ';
    else if (byte < 0x20U || byte >= 0x7fU) c = '?';
  }
  return result;
}

std::string fitted(std::string_view text, std::size_t width) {
  std::string result = clean(text.substr(0, width));
  if (text.size() > width && width > 0) result.back() = '~';
  result.resize(width, ' ');
  return result;
}

Line cut(Line line, std::size_t width) {
  std::size_t left = width;
  Line result;
  for (Span& span : line) {
    span.text = clean(span.text).substr(0, left);
    left -= span.text.size();
    if (!span.text.empty()) result.push_back(std::move(span));
  }
  return result;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  const std::size_t room = std::max<std::size_t>(width, 1);
  while (text.size() > room) {
    const std::size_t blank = text.rfind(' ', room);
    const bool at_blank = blank != std::string_view::npos && blank > 0;
    lines.emplace_back(text.substr(0, at_blank ? blank : room));
    text.remove_prefix(at_blank ? blank + 1 : room);
  }
  lines.emplace_back(text);
  return lines;
}

std::string text_of(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) {
    std::string one;
    for (const Span& span : line)
      one += span.text;
    one.resize(one.find_last_not_of(' ') + 1);  // npos + 1 is 0
    text += one + "\n";
  }
  return text;
}

std::string amount(unsigned long long kib) {
  static constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(kib);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  return unit == 0 ? fmt::format("{} KiB", kib) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string duration(unsigned long long seconds) {
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string bar(double percent, std::size_t width) {
  if (width < 3) return {};
  const std::size_t room = width - 2;
  const double part = std::clamp(percent, 0.0, 100.0) / 100;
  const auto done = static_cast<std::size_t>(part * static_cast<double>(room));
  std::string text(done, '=');
  if (done < room) text += '>';
  text.resize(room, '.');
  return "[" + text + "]";
}

}  // namespace replicator::monitor
