#include "daemon/json_lines.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdint>

namespace replicator {

namespace {

constexpr std::size_t resources_max = 4096;

// How many bytes the character at the front takes; 0: it is none.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const auto follows = [&](std::size_t at) { return at < text.size() && byte(at) >> 6U == 2; };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !follows(1)) return 0;
  if (first < 0xe0) return 2;
  // Too long a form of it, half of a pair, or beyond the last one.
  const unsigned char second = byte(1);
  const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                     (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  if (wrong || !follows(2)) return 0;
  if (first < 0xf0) return 3;
  return follows(3) ? 4 : 0;
}

std::string escaped(char c) {
  switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\t': return "\\t";
    default: break;
  }
  const auto code = static_cast<unsigned char>(c);
  return code < 0x20 || code == 0x7f ? fmt::format("\\u{:04x}", code) : std::string(1, c);
}

// The number behind a slash: "/1" of "r0/1".
bool is_volume(std::string_view text) noexcept {
  constexpr std::size_t digits_max = 5;
  return !text.empty() && text.size() <= digits_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         (text.size() == 1 || text[0] != '0');
}

WallTime now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return WallTime(static_cast<std::uint64_t>(now.tv_sec) * 1000 +
                  static_cast<std::uint64_t>(now.tv_nsec) / 1000000);
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) quoted += "\\ufffd";
    else if (bytes == 1) quoted += escaped(text[0]);
    else quoted += text.substr(0, bytes);
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return quoted + "\"";
}

void JsonLines::know(std::string_view resource) {
  if (resources_.size() < resources_max) resources_.emplace(resource);
}

std::string JsonLines::text(log::Level level, std::string_view line, WallTime time) const {
  std::string object =
      fmt::format(R"({{"time":"{}","level":"{}")", iso_text(time), log::name(level));
  const std::string_view subject = line.substr(0, std::min(line.find_first_of(" :"), line.size()));
  const std::size_t slash = subject.rfind('/');
  const bool volume = slash != std::string_view::npos && is_volume(subject.substr(slash + 1));
  const std::string_view resource = volume ? subject.substr(0, slash) : subject;
  if (resources_.contains(resource)) {
    object += ",\"resource\":" + json_text(resource);
    if (volume) object += fmt::format(",\"volume\":{}", subject.substr(slash + 1));
  }
  return object + ",\"message\":" + json_text(line) + "}";
}

void JsonLines::sink(void* context, log::Level level, std::string_view line) {
  const auto& self = *static_cast<JsonLines*>(context);
  const std::string object = self.text(level, line, now());
  if (self.next_ != nullptr) {
    self.next_(self.context_, level, object);
    return;
  }
  std::fprintf(self.file_, "%s\n", object.c_str());
  std::fflush(self.file_);
}

}  // namespace replicator
