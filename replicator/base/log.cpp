#include "base/log.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace replicator::log {

namespace {

void to_stderr(void* /*context*/, Level level, std::string_view line) {
  std::fprintf(stderr, "%s: %.*s\n", name(level), static_cast<int>(line.size()), line.data());
}

thread_local Sink sink_ = to_stderr;
thread_local void* context_ = nullptr;
thread_local Level most_verbose_ = Level::info;

}  // namespace

const char* name(Level level) noexcept {
  switch (level) {
    case Level::error: return "error";
    case Level::warning: return "warning";
    case Level::info: return "info";
    case Level::debug: return "debug";
    case Level::trace: return "trace";
  }
  return "?";
}

void set_sink(Sink sink, void* context) noexcept {
  sink_ = sink != nullptr ? sink : to_stderr;
  context_ = context;
}
void set_level(Level most_verbose) noexcept { most_verbose_ = most_verbose; }
bool enabled(Level level) noexcept { return level <= most_verbose_; }
void emit(Level level, std::string_view line) { sink_(context_, level, line); }

void emit_formatted(Level level, fmt::string_view format, fmt::format_args args) {
  fmt::memory_buffer line;
  fmt::vformat_to(fmt::appender(line), format, args);
  emit(level, std::string_view(line.data(), line.size()));
}

}  // namespace replicator::log
