// The last lines about a resource, and only about that one.
#include "daemon/recent_lines.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

std::vector<std::string> texts(const std::vector<LogLine>& lines) {
  std::vector<std::string> found;
  found.reserve(lines.size());
  for (const LogLine& line : lines)
    found.push_back(line.level + " " + line.text);
  return found;
}

TEST(recent_lines, of_one_resource) {
  RecentLines lines(nullptr, nullptr);
  lines.add(log::Level::info, "r0 connection: one", WallTime(1));
  lines.add(log::Level::warning, "r01 connection: another", WallTime(2));
  lines.add(log::Level::error, "r0/1 two", WallTime(3));
  lines.add(log::Level::debug, "r0/1 too much", WallTime(4));
  lines.add(log::Level::info, "polluxd started", WallTime(5));
  lines.add(log::Level::info, "r0", WallTime(6));
  const std::vector<LogLine> found = lines.about("r0", 10);
  EXPECT_EQ(texts(found), (std::vector<std::string>{"info r0 connection: one", "error r0/1 two"}));
  EXPECT_EQ(found[1].time, WallTime(3));
  EXPECT_EQ(texts(lines.about("r0", 1)), (std::vector<std::string>{"error r0/1 two"}));
}

TEST(recent_lines, are_bounded) {
  RecentLines lines(nullptr, nullptr);
  lines.add(log::Level::info, "r0 first", WallTime(1));
  lines.add(log::Level::info, "r0 " + std::string(10'000, 'x'), WallTime(1));
  EXPECT_EQ(lines.about("r0", 5).back().text.size(), 500U);
  for (int i = 0; i < 3000; ++i)
    lines.add(log::Level::info, "r0 again", WallTime(2));
  EXPECT_EQ(lines.about("r0", 10'000).size(), 2000U);
  EXPECT_EQ(lines.about("r0", 10'000).front().text, "r0 again");
}

}  // namespace
}  // namespace replicator
