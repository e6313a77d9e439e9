// The log as JSON: any line is an object that a parser takes, and says what it is about.
#include "daemon/json_lines.hpp"

#include <gtest/gtest.h>

#include "control/json_values.hpp"

namespace replicator {
namespace {

TEST(json_lines, name_what_they_are_about) {
  JsonLines lines(nullptr, nullptr, nullptr);
  lines.know("r0");
  lines.know("a/1");
  const auto text = [&lines](std::string_view line) {
    return lines.text(log::Level::warning, line, WallTime(1795298752123));
  };
  const std::string head = R"({"time":"2026-11-21T22:05:52.123Z","level":"warning",)";
  const std::pair<const char*, const char*> rows[] = {
      {"r0 connection: lost", R"("resource":"r0","message":"r0 connection: lost"})"},
      {"r0/1 disk", R"("resource":"r0","volume":1,"message":"r0/1 disk"})"},
      {"r0/12: disk", R"("resource":"r0","volume":12,"message":"r0/12: disk"})"},
      {"r0", R"("resource":"r0","message":"r0"})"},
      {"a/1/0 disk", R"("resource":"a/1","volume":0,"message":"a/1/0 disk"})"},
      {"r0/x disk", R"("message":"r0/x disk"})"},
      {"r0/01 disk", R"("message":"r0/01 disk"})"},
      {"r01 disk", R"("message":"r01 disk"})"},
      {"polluxd started", R"("message":"polluxd started"})"},
      {"", R"("message":""})"}};
  for (const auto& [line, rest] : rows)
    EXPECT_EQ(text(line), head + rest);
}

TEST(json_lines, escape_what_json_does_not_allow) {
  const std::pair<std::string_view, const char*> rows[] = {
      {"say \"no\"", R"("say \"no\"")"},
      {"a\\b\n\tc", R"("a\\b\n\tc")"},
      {std::string_view("\0\x1b\x7f", 3), R"("\u0000\u001b\u007f")"},
      {"Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80",
       "\"Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80\""},
      {"\xc3", R"("\ufffd")"},            // cut off
      {"\xff\x80", R"("\ufffd\ufffd")"},  // neither begins a character
      {"\xc0\xaf", R"("\ufffd\ufffd")"},  // a slash in two bytes
      {"\xe0\x80\xaf", R"("\ufffd\ufffd\ufffd")"},
      {"\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")"},  // half of a pair
      {"\xf4\x90\x80\x80", R"("\ufffd\ufffd\ufffd\ufffd")"}};
  for (const auto& [text, expected] : rows)
    EXPECT_EQ(json_text(text), expected);
}

TEST(json_lines, of_any_bytes_are_read_back) {
  const JsonLines lines(nullptr, nullptr, nullptr);
  std::uint32_t state = 1;
  for (unsigned run = 0; run < 300; ++run) {
    std::string line;
    for (unsigned i = 0; i < 40; ++i) {
      state = state * 1664525U + 1013904223U;
      line += static_cast<char>(state >> 24U);
    }
    const std::string text = lines.text(log::Level::info, line, WallTime(1));
    const control::Json parsed = control::parse_json(text);
    ASSERT_TRUE(parsed.is_object()) << run;
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_EQ(parsed["level"], "info");
  }
}

}  // namespace
}  // namespace replicator
