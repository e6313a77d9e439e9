#include "metatool/dump_reader.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace replicator::metatool {
namespace {

constexpr std::size_t buffer_bytes = 65536;
constexpr std::size_t longest_token = 64;
constexpr int end_of_file = -1;

bool is_punctuation(int c) noexcept { return c == '{' || c == '}' || c == ';'; }
bool is_blank(int c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_word(int c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

int DumpReader::character() {
  if (pushed_back_ >= 0) {
    const int c = pushed_back_;
    pushed_back_ = -1;
    return c;
  }
  if (at_ == buffer_.size()) {
    buffer_.resize(buffer_bytes);
    buffer_.resize(std::fread(buffer_.data(), 1, buffer_bytes, file_));
    at_ = 0;
    if (buffer_.empty()) {
      // Not an end: what is missing is there, but can't be had.
      if (std::ferror(file_) != 0 && problem_.empty()) {
        problem_ = fmt::format("Reading failed in line {}: {}", line_, std::strerror(errno));
      }
      return end_of_file;
    }
  }
  return static_cast<unsigned char>(buffer_[at_++]);
}

DumpReader::Token DumpReader::string_token() {
  Token token{Kind::string, {}, 0};
  for (int c = character(); c != '"'; c = character()) {
    if (c == end_of_file || c == '\n' || token.text.size() >= longest_token) {
      token.kind = Kind::bad;
      return token;
    }
    token.text += static_cast<char>(c);
  }
  return token;
}

DumpReader::Token DumpReader::token() {
  int c = character();
  while (is_blank(c) || c == '#') {
    if (c == '#') {
      while (c != '\n' && c != end_of_file)
        c = character();
    }
    if (c == '\n') ++line_;
    if (c != end_of_file) c = character();
  }
  if (c == end_of_file) return {};
  if (is_punctuation(c)) return {Kind::punctuation, std::string(1, static_cast<char>(c)), 0};
  if (c == '"') return string_token();
  Token token{Kind::bad, {}, 0};
  while (is_word(c) && token.text.size() < longest_token) {
    token.text += static_cast<char>(c);
    c = character();
  }
  if (token.text.empty()) {
    token.text = c >= 0x20 && c < 0x7f ? std::string(1, static_cast<char>(c)) : std::string("?");
    return token;
  }
  pushed_back_ = c;
  const bool hex = token.text.starts_with("0x");
  const char* begin = token.text.data() + (hex ? 2 : 0);
  const char* end = token.text.data() + token.text.size();
  const auto [stop, error] = std::from_chars(begin, end, token.value, hex ? 16 : 10);
  const bool number = error == std::errc() && stop == end;
  if (!number) token.kind = Kind::word;
  else if (!hex) token.kind = Kind::number;
  else if (end - begin == 8) token.kind = Kind::hex32;
  else if (end - begin == 16) token.kind = Kind::hex64;
  return token;
}

void DumpReader::fail(const Token& found, std::string_view expected) {
  if (!problem_.empty()) return;
  const std::string got = found.kind == Kind::end ? "the end of the file" : "'" + found.text + "'";
  problem_ = fmt::format("Parse error in line {}: Expected {} but found {}", line_, expected, got);
}

bool DumpReader::expect(std::string_view text) {
  if (!problem_.empty()) return false;
  const Token found = token();
  if ((found.kind == Kind::word || found.kind == Kind::punctuation) && found.text == text) {
    return true;
  }
  fail(found, fmt::format("'{}'", text));
  return false;
}

std::uint64_t DumpReader::value(Kind kind, std::string_view what) {
  if (!problem_.empty()) return 0;
  const Token found = token();
  if (found.kind != kind) fail(found, what);
  expect(";");
  return found.value;
}

std::uint64_t DumpReader::field(std::string_view name, Kind kind) {
  if (!expect(name)) return 0;
  return value(kind, kind == Kind::number  ? "a number"
                     : kind == Kind::hex32 ? "an 8-digit hex number"
                                           : "a 16-digit hex number");
}

std::optional<Superblock> DumpReader::head() {
  if (!expect("version")) return std::nullopt;
  const Token version = token();
  if (version.kind != Kind::string) fail(version, "a format in quotes");
  if (problem_.empty() && version.text != "v08") {
    problem_ = fmt::format("dump is '{}' you requested 'v08'.", version.text);
  }
  expect(";");
  expect("uuid");
  expect("{");
  Superblock s;
  constexpr const char* identifier = "a 16-digit hex number";
  s.generations.current = value(Kind::hex64, identifier);
  s.generations.bitmap = value(Kind::hex64, identifier);
  for (std::uint64_t& history : s.generations.history)
    history = value(Kind::hex64, identifier);
  s.flags = static_cast<std::uint32_t>(field("flags", Kind::hex32));
  expect("}");
  s.la_size_sectors = field("la-size-sect", Kind::number);
  const std::uint64_t per_bit = field("bm-byte-per-bit", Kind::number);
  s.device_uuid = field("device-uuid", Kind::hex64);
  const std::uint64_t bio = field("la-peer-max-bio-size", Kind::number);
  const std::uint64_t stripes = field("al-stripes", Kind::number);
  const std::uint64_t stripe_blocks = field("al-stripe-size-4k", Kind::number);
  expect("bm");
  expect("{");
  constexpr std::uint64_t limit = 0xffffffff;
  if (problem_.empty() &&
      (per_bit > limit || bio > limit || stripes > limit || stripe_blocks > limit)) {
    problem_ = "a number in the dump is out of range";
  }
  if (!problem_.empty()) return std::nullopt;
  s.bm_bytes_per_bit = static_cast<std::uint32_t>(per_bit);
  s.la_peer_max_bio_bytes = static_cast<std::uint32_t>(bio);
  s.al_stripes = static_cast<std::uint32_t>(stripes);
  s.al_stripe_size_4k = static_cast<std::uint32_t>(stripe_blocks);
  return s;
}

std::optional<DumpReader::Run> DumpReader::next() {
  if (!problem_.empty()) return std::nullopt;
  const Token first = token();
  if (first.kind == Kind::punctuation && first.text == "}") {
    const Token behind = token();
    if (behind.kind != Kind::end) fail(behind, "the end of the file");
    return std::nullopt;
  }
  Run run{1, first.value};
  if (first.kind == Kind::number) {
    run.count = first.value;
    if (expect("times")) run.word = value(Kind::hex64, "a 16-digit hex number");
  } else if (first.kind == Kind::hex64) {
    expect(";");
  } else {
    fail(first, "repeat count, 16-digit hex number, or closing brace (})");
  }
  if (!problem_.empty()) return std::nullopt;
  return run;
}

}  // namespace replicator::metatool
