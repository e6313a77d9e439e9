// The log as one JSON object in a line, for programs that collect logs: time (ISO 8601, UTC),
// level, resource and volume where the line is about one, and the message, which is the usual line.
#pragma once

#include <cstdio>
#include <set>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/wall_time.hpp"

namespace replicator {

class JsonLines {
 public:
  // Objects go on to this sink as the text of a line; or, without one, into a file as lines.
  JsonLines(log::Sink next, void* context, std::FILE* file) noexcept
      : next_(next), context_(context), file_(file) {}
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  // As a log::Sink; the context is the object.
  static void sink(void* context, log::Level level, std::string_view line);

  // A line that begins with this name is about that resource. Names of old ones stay, up to a
  // bound: what is said at the end is about them, too.
  void know(std::string_view resource);
  [[nodiscard]] std::string text(log::Level level, std::string_view line, WallTime time) const;

 private:
  log::Sink next_;
  void* context_;
  std::FILE* file_;
  std::set<std::string, std::less<>> resources_;
};

// A text between quotes: what JSON does not allow there is escaped, what is no UTF-8 is replaced by
// U+FFFD.
std::string json_text(std::string_view text);

}  // namespace replicator
