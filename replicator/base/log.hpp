// Log lines. error = data or service affected, someone must look; warning = handled but unusual;
// info = state changes; debug = per connection; trace = per packet. Nothing per I/O above trace.
// In the simulator an unexpected error line fails the run.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace replicator::log {

enum class Level : unsigned char { error, warning, info, debug, trace };

const char* name(Level level) noexcept;

using Sink = void (*)(void* context, Level level, std::string_view line);

// Where this thread's lines go. Default: stderr, info and above. Returns the previous one's place
// through restore by the caller calling set_sink again. A null sink restores the default.
void set_sink(Sink sink, void* context) noexcept;
void set_level(Level most_verbose) noexcept;
bool enabled(Level level) noexcept;
void emit(Level level, std::string_view line);
void emit_formatted(Level level, fmt::string_view format, fmt::format_args args);

template <class... Args>
void write(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) emit_formatted(level, format, fmt::make_format_args(args...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void trace(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::trace, format, std::forward<Args>(args)...);
}

}  // namespace replicator::log
