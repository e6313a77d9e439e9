#include "daemon/recent_lines.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>

namespace replicator {

namespace {

constexpr std::size_t lines_max = 2000;
constexpr std::size_t line_bytes_max = 500;

WallTime now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return WallTime(static_cast<std::uint64_t>(now.tv_sec) * 1000 +
                  static_cast<std::uint64_t>(now.tv_nsec) / 1000000);
}

// "r0 …", "r0/1 …", "r0: …"; not "r01 …".
bool is_about(std::string_view line, std::string_view resource) {
  if (!line.starts_with(resource) || line.size() <= resource.size()) return false;
  const char next = line[resource.size()];
  return next == ' ' || next == '/' || next == ':';
}

}  // namespace

void RecentLines::take_over() noexcept { log::set_sink(sink, this); }

void RecentLines::sink(void* context, log::Level level, std::string_view line) {
  auto& self = *static_cast<RecentLines*>(context);
  self.add(level, line, now());
  if (self.next_ != nullptr) {
    self.next_(self.context_, level, line);
    return;
  }
  std::fprintf(stderr, "%s: %.*s\n", log::name(level), static_cast<int>(line.size()), line.data());
}

void RecentLines::add(log::Level level, std::string_view line, WallTime time) {
  if (level > log::Level::info) return;
  lines_.push_back(LogLine{time, log::name(level), std::string(line.substr(0, line_bytes_max))});
  if (lines_.size() > lines_max) lines_.pop_front();
}

std::vector<LogLine> RecentLines::about(std::string_view resource, std::size_t most) const {
  std::vector<LogLine> found;
  for (auto line = lines_.rbegin(); line != lines_.rend() && found.size() < most; ++line) {
    if (is_about(line->text, resource)) found.push_back(*line);
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace replicator
