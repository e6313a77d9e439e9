#include "engine/decide/verify.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace replicator {
namespace {

struct Row {
  const char* what;
  std::uint64_t device_sectors;
  std::uint64_t start;
  std::uint64_t stop;
  std::uint64_t start_sector;  // that the run reports
  std::uint64_t requests;
  std::uint64_t left_at_end;
  std::uint64_t last_bytes;
};

constexpr std::uint64_t none = VerifyRange::no_stop;
constexpr std::array rows{
    Row{"all", 80, 0, none, 0, 10, 0, 4096},
    Row{"odd size", 83, 0, none, 0, 11, 0, 3 * 512},
    Row{"from the middle", 80, 32, none, 32, 6, 0, 4096},
    Row{"start is rounded down", 80, 39, none, 32, 6, 0, 4096},
    Row{"start behind the end", 80, 4000, none, 72, 1, 0, 4096},
    Row{"stop on a block", 80, 0, 40, 0, 5, 5, 4096},
    Row{"stop within a block", 80, 0, 41, 0, 6, 4, 4096},
    Row{"stop before start asks once", 80, 40, 8, 40, 1, 4, 4096},
    Row{"stop at zero asks once", 80, 0, 0, 0, 1, 9, 4096},
    Row{"stop behind the end", 80, 0, 100000, 0, 10, 0, 4096},
    Row{"one sector", 1, 0, none, 0, 1, 0, 512},
};

TEST(VerifyCursor, AsksForEachBlockOfItsRangeOnce) {
  for (const Row& row : rows) {
    VerifyCursor cursor(to_bytes(SectorCount(row.device_sectors)), {row.start, row.stop});
    EXPECT_EQ(cursor.start_sector(), row.start_sector) << row.what;
    EXPECT_EQ(cursor.total(), ceil_div(row.device_sectors, 8) - row.start_sector / 8) << row.what;
    EXPECT_EQ(cursor.left(), cursor.total()) << row.what;
    std::uint64_t requests = 0;
    ByteRange last;
    ByteOffset expected(row.start_sector * sector_bytes);
    while (const std::optional<ByteRange> next = cursor.peek()) {
      EXPECT_EQ(next->begin, expected) << row.what;
      EXPECT_EQ(cursor.next(), expected) << row.what;
      EXPECT_FALSE(cursor.all_asked()) << row.what;
      last = *next;
      expected = next->begin + ByteCount(block_bytes);
      cursor.advance();
      cursor.compared();
      ASSERT_LE(++requests, 11U) << row.what;
    }
    EXPECT_TRUE(cursor.all_asked()) << row.what;
    EXPECT_EQ(requests, row.requests) << row.what;
    EXPECT_EQ(cursor.left(), row.left_at_end) << row.what;
    EXPECT_EQ(last.length.value(), row.last_bytes) << row.what;
  }
}

ByteRange block(std::uint64_t number) {
  return {ByteOffset(number * block_bytes), ByteCount(block_bytes)};
}

TEST(DifferingRun, NeighboursAreOneRun) {
  DifferingRun run;
  EXPECT_FALSE(run.end());
  EXPECT_FALSE(run.add(block(100)));
  EXPECT_FALSE(run.add(block(101)));
  EXPECT_FALSE(run.add(block(102)));
  EXPECT_EQ(run.end(), ByteRange(ByteOffset(100 * block_bytes), ByteCount(3 * block_bytes)));
  EXPECT_FALSE(run.end());
}

TEST(DifferingRun, ABlockElsewhereEndsTheRun) {
  DifferingRun run;
  EXPECT_FALSE(run.add(block(5)));
  EXPECT_EQ(run.add(block(7)), block(5));
  EXPECT_EQ(run.end(), block(7));
}

}  // namespace
}  // namespace replicator
