// The last lines of the log, beside whatever keeps them all: `pollux explain` shows those of one
// resource where syslog may be far away. Bounded in lines and in their length.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "engine/link_report.hpp"

namespace replicator {

class RecentLines {
 public:
  // Lines go on to this sink; null: standard error.
  RecentLines(log::Sink next, void* context) noexcept : next_(next), context_(context) {}
  RecentLines(const RecentLines&) = delete;
  RecentLines& operator=(const RecentLines&) = delete;

  // From here on this thread's lines come here first. Lives as long as they do.
  void take_over() noexcept;
  void add(log::Level level, std::string_view line, WallTime time);
  // The last `most` about a resource: those that begin with its name. Nothing below info.
  [[nodiscard]] std::vector<LogLine> about(std::string_view resource, std::size_t most) const;

 private:
  static void sink(void* context, log::Level level, std::string_view line);

  log::Sink next_;
  void* context_;
  std::deque<LogLine> lines_;
};

}  // namespace replicator
