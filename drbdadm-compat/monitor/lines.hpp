// A screen as plain values: lines of text in a few tones. Everything is ASCII; what is not, and
// what could steer a terminal, has been replaced.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace replicator::monitor {

enum class Tone : unsigned char { plain, bar, good, busy, bad, dim, chosen };

struct Span {
  std::string text;
  Tone tone = Tone::plain;

  bool operator==(const Span&) const = default;
};
using Line = std::vector<Span>;

// Exactly `width` characters: filled with blanks, or cut with a '~' at the end.
std::string fitted(std::string_view text, std::size_t width);
// Not longer than `width`, each of its spans kept as far as it fits.
Line cut(Line line, std::size_t width);
// At blanks, where there are any.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);
// With newlines; without blanks at the ends.
std::string text_of(const std::vector<Line>& lines);

std::string clean(std::string_view text);
std::string amount(unsigned long long kib);          // "98.0 MiB"
std::string duration(unsigned long long seconds);    // "0:01:20"
std::string bar(double percent, std::size_t width);  // "[===>....]"

}  // namespace replicator::monitor
