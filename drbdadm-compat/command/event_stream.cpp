#include "command/event_stream.hpp"

#include <fmt/core.h>

#include <cstdlib>
#include <ctime>

namespace replicator::command {
namespace {

constexpr std::string_view farewell = "closed ";

// Local time: "2026-11-21T00:34:55.219392+00:00".
std::string time_of_day() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm local{};
  ::localtime_r(&now.tv_sec, &local);
  const long minutes = std::labs(local.tm_gmtoff / 60);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}{}{:02}:{:02}", local.tm_year + 1900,
                     local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                     now.tv_nsec / 1000, local.tm_gmtoff < 0 ? '-' : '+', minutes / 60,
                     minutes % 60);
}

}  // namespace

bool EventStream::take(std::string_view line) {
  begun_ = true;
  if (line.starts_with(farewell)) {
    problem_ = line.substr(farewell.size());
    return false;
  }
  if (timestamps_) fmt::print(out_, "{} ", time_of_day());
  fmt::print(out_, "{}\n", line);
  // Whoever reads acts on it now; when nobody reads any more there is nothing left to do.
  done_ = std::fflush(out_) != 0 || (now_ && line == "exists -");
  return !done_;
}

}  // namespace replicator::command
