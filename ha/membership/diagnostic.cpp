#include "ha/membership/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ha::membership {

std::string text(const Diagnostic& diagnostic) {
  if (diagnostic.line == 0) return diagnostic.text;
  return fmt::format("{}:{}: {}", diagnostic.file, diagnostic.line, diagnostic.text);
}

bool any_error(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::error; });
}

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string cleaned(std::string_view raw) {
  std::string line(raw.substr(0, raw.find('#')));
  static constexpr std::string_view no_break_space = "\xc2\xa0";
  for (std::size_t at = line.find(no_break_space); at != std::string::npos;
       at = line.find(no_break_space))
    line.replace(at, no_break_space.size(), " ");
  std::erase(line, '\r');
  return line;
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && is_blank(line.front()))
    line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back()))
    line.remove_suffix(1);
  return line;
}

}  // namespace

std::vector<ConfigLine> config_lines(std::string_view file, bool joined) {
  std::vector<ConfigLine> lines;
  ConfigLine current;
  std::uint32_t number = 0;
  const auto finish = [&] {
    current.text = trimmed(current.text);
    if (!current.text.empty()) lines.push_back(current);
    current = ConfigLine();
  };
  while (!file.empty()) {
    const std::size_t end = file.find('\n');
    std::string line = cleaned(file.substr(0, end));
    file.remove_prefix(end == std::string_view::npos ? file.size() : end + 1);
    ++number;
    if (current.number == 0) current.number = number;
    if (joined && line.ends_with('\\')) {
      line.back() = ' ';
      current.text += line;
      continue;
    }
    current.text += line;
    finish();
  }
  finish();
  return lines;
}

std::vector<std::string> split_words(std::string_view line, bool commas) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : line) {
    if (!is_blank(c) && !(commas && c == ',')) {
      word.push_back(c);
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace ha::membership
