#include "ha/daemon/log.hpp"

#include <fmt/format.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

namespace ha::daemon {

namespace {

using membership::Severity;

int facility_of(const std::string& name) {
  static constexpr struct {
    const char* name;
    int facility;
  } known[] = {{"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
               {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},
               {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}, {"user", LOG_USER}};
  for (const auto& each : known) {
    if (name == each.name) return each.facility;
  }
  return LOG_DAEMON;
}

std::string now_text() {
  const time_t now = time(nullptr);
  tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  strftime(text, sizeof text, "%b %d %H:%M:%S", &parts);
  return text;
}

void put(std::FILE* file, const std::string& line) {
  std::fputs(line.c_str(), file);
  std::fputc('\n', file);
  std::fflush(file);
}

}  // namespace

std::string with_level(Severity severity, std::string_view text) {
  for (const std::string_view own : {"CRIT: ", "CRITICAL: "}) {
    if (text.starts_with(own)) return std::string(text);
  }
  const char* level = severity == Severity::error     ? "ERROR"
                      : severity == Severity::warning ? "WARN"
                                                      : "info";
  return fmt::format("{}: {}", level, text);
}

std::string log_line(const std::string& when, const std::string& node, int pid,
                     std::string_view text) {
  return fmt::format("{} {} heartbeat: [{}]: {}", when, node, pid, text);
}

std::string one_line(std::string_view output) {
  std::string line(output.substr(0, 400));
  for (char& c : line) {
    if (c == '\n' || c == '\r' || c == '\0') c = ' ';
  }
  return line;
}

bool Log::open(const std::string& node, const std::string& file, const std::string& debug_file,
               const std::string& facility, bool to_stderr) {
  node_ = node;
  to_stderr_ = to_stderr;
  if (!file.empty()) {
    file_.reset(std::fopen(file.c_str(), "ae"));
    if (!file_) return false;
  }
  if (!debug_file.empty()) {
    debug_file_.reset(std::fopen(debug_file.c_str(), "ae"));
    if (!debug_file_) return false;
  }
  syslog_ = facility != "none" && (!facility.empty() || (!file_ && !debug_file_ && !to_stderr));
  if (syslog_) openlog("heartbeat", LOG_PID, facility_of(facility));
  return true;
}

void Log::write(Severity severity, std::string_view text) {
  const std::string leveled = with_level(severity, text);
  const std::string line = log_line(now_text(), node_, getpid(), leveled);
  if (file_) put(file_.get(), line);
  if (debug_file_) put(debug_file_.get(), line);
  if (to_stderr_) put(stderr, line);
  if (!syslog_) return;
  const int priority = severity == Severity::error     ? LOG_ERR
                       : severity == Severity::warning ? LOG_WARNING
                                                       : LOG_INFO;
  syslog(priority, "%s", leveled.c_str());
}

}  // namespace ha::daemon
