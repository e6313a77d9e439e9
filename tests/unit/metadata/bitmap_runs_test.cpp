// The runs of a bitmap are its bits: any bitmap gives runs that give the same bitmap again, however
// they are paged.
#include "metadata/bitmap_runs.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace replicator {
namespace {

std::vector<BlockRun> paged(const Bitmap& bitmap, std::size_t page) {
  std::vector<BlockRun> all;
  std::uint64_t from = 0;
  while (from < bitmap.size().value()) {
    const BitmapRuns part = marked_runs(bitmap, from, page);
    EXPECT_LE(part.runs.size(), page);
    EXPECT_GT(part.next, from);
    if (part.next <= from) break;
    all.insert(all.end(), part.runs.begin(), part.runs.end());
    from = part.next;
  }
  return all;
}

void mark(Bitmap& bitmap, std::uint64_t first, std::uint64_t count) {
  bitmap.set_range(ByteRange(ByteOffset(first * block_bytes), ByteCount(count * block_bytes)));
}

TEST(bitmap_runs, edges) {
  Bitmap bitmap(BlockCount(200));
  EXPECT_TRUE(marked_runs(bitmap, 0, 10).runs.empty());
  EXPECT_EQ(marked_runs(bitmap, 0, 10).next, 200U);
  bitmap.set_all();
  EXPECT_EQ(marked_runs(bitmap, 0, 10).runs, (std::vector<BlockRun>{{0, 200}}));
  bitmap.clear_all();
  mark(bitmap, 63, 2);
  mark(bitmap, 128, 64);
  mark(bitmap, 199, 1);
  const std::vector<BlockRun> wanted{{63, 2}, {128, 64}, {199, 1}};
  EXPECT_EQ(paged(bitmap, 100), wanted);
  EXPECT_EQ(paged(bitmap, 1), wanted);
  EXPECT_EQ(marked_runs(bitmap, 64, 1).runs, (std::vector<BlockRun>{{64, 1}}));
  EXPECT_TRUE(marked_runs(bitmap, 500, 1).runs.empty());
}

TEST(bitmap_runs, any_bitmap) {
  Prng prng(7);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t size = 1 + prng.below(700);
    Bitmap bitmap{BlockCount(size)};
    for (std::uint64_t marks = prng.below(40); marks > 0; --marks) {
      const std::uint64_t first = prng.below(size);
      mark(bitmap, first, 1 + prng.below(std::min<std::uint64_t>(100, size - first)));
    }
    Bitmap again{BlockCount(size)};
    std::uint64_t free_from = 0;
    for (const BlockRun& run : paged(bitmap, 1 + prng.below(5))) {
      EXPECT_GE(run.first, free_from);
      mark(again, run.first, run.count);
      free_from = run.end() + 1;
    }
    ASSERT_TRUE(std::equal(bitmap.words().begin(), bitmap.words().end(), again.words().begin()));
  }
}

}  // namespace
}  // namespace replicator
