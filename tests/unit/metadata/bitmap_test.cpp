#include "metadata/bitmap.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/prng.hpp"

namespace replicator {
namespace {

ByteRange range(std::uint64_t begin, std::uint64_t end) {
  return {ByteOffset(begin), ByteCount(end - begin)};
}

TEST(bitmap, set_rounds_outwards) {
  Bitmap bitmap(BlockCount(100));
  EXPECT_EQ(bitmap.set_range(range(4095, 4097)).value(), 2U);
  EXPECT_TRUE(bitmap.test(BitmapBlock(0)));
  EXPECT_TRUE(bitmap.test(BitmapBlock(1)));
  EXPECT_EQ(bitmap.set_range(range(0, 4096)).value(), 0U);
  EXPECT_EQ(bitmap.set_range(range(8192, 8192)).value(), 0U);
  EXPECT_EQ(bitmap.set_range(range(99 * 4096, 200 * 4096)).value(), 1U);
  EXPECT_EQ(bitmap.set_range(range(100 * 4096, 200 * 4096)).value(), 0U);
  EXPECT_EQ(bitmap.weight().value(), 3U);
}

TEST(bitmap, clear_rounds_inwards_except_at_the_end_of_the_device) {
  const ByteCount device(99 * 4096 + 512);
  Bitmap bitmap(BlockCount(100));
  bitmap.set_all();
  EXPECT_EQ(bitmap.clear_range(range(1, 2 * 4096 - 1), device).value(), 0U);
  EXPECT_EQ(bitmap.clear_range(range(1, 2 * 4096), device).value(), 1U);
  EXPECT_FALSE(bitmap.test(BitmapBlock(1)));
  EXPECT_EQ(bitmap.clear_range(range(99 * 4096, 99 * 4096 + 511), device).value(), 0U);
  EXPECT_EQ(bitmap.clear_range(range(99 * 4096, device.value()), device).value(), 1U);
  EXPECT_EQ(bitmap.clear_range(range(98 * 4096 + 1, device.value()), device).value(), 0U);
  EXPECT_EQ(bitmap.weight().value(), 98U);
}

// Against one bool per block.
TEST(bitmap, behaves_like_a_list_of_blocks) {
  Prng random(11);
  for (const std::uint64_t bits : {1U, 63U, 64U, 65U, 1000U, 32768U, 40000U}) {
    Bitmap bitmap{BlockCount(bits)};
    std::vector<bool> model(bits, false);
    const ByteCount device(bits * 4096);
    for (int step = 0; step < 200; ++step) {
      const std::uint64_t first = random.below(bits);
      const std::uint64_t end = first + 1 + random.below(bits - first);
      const bool set = random.below(2) == 0;
      const ByteRange bytes = range(first * 4096, end * 4096);
      std::uint64_t changed = 0;
      for (std::uint64_t i = first; i < end; ++i) {
        changed += model[i] != set ? 1U : 0U;
        model[i] = set;
      }
      const BlockCount count = set ? bitmap.set_range(bytes) : bitmap.clear_range(bytes, device);
      ASSERT_EQ(count.value(), changed);
      const std::uint64_t from = random.below(bits);
      std::uint64_t next = from;
      while (next < bits && !model[next])
        ++next;
      const std::optional<BitmapBlock> found = bitmap.next_set(BitmapBlock(from));
      ASSERT_EQ(found ? found->value() : bits, next);
      std::uint64_t weight = 0;
      for (std::uint64_t i = first; i < end; ++i)
        weight += model[i] ? 1U : 0U;
      ASSERT_EQ(bitmap.weight_in(bytes).value(), weight);
    }
  }
}

TEST(bitmap, remembers_which_pages_changed) {
  constexpr std::uint64_t page_bits = 32768;
  Bitmap bitmap(BlockCount(3 * page_bits));
  EXPECT_EQ(bitmap.pages(), 3U);
  EXPECT_EQ(bitmap.changed_pages(), 0U);
  const std::uint64_t border = page_bits * 4096;
  bitmap.set_range(range(border - 4096, border + 4096));
  EXPECT_EQ(bitmap.changed_pages(), 2U);
  EXPECT_FALSE(bitmap.page_changed(2));
  bitmap.page_written(0);
  bitmap.page_written(0);
  EXPECT_EQ(bitmap.changed_pages(), 1U);
  bitmap.set_range(range(border - 4096, border));  // set already
  EXPECT_FALSE(bitmap.page_changed(0));
  bitmap.page_changed_again(0);
  EXPECT_EQ(bitmap.changed_pages(), 2U);
  EXPECT_EQ(Bitmap::page_of(ByteOffset(border - 1)), 0U);
  EXPECT_EQ(Bitmap::page_of(ByteOffset(border)), 1U);
}

// What a kernel leaves behind the last bit means nothing.
TEST(bitmap, surplus_bits_on_disk_are_masked) {
  for (const std::uint64_t bits : {1U, 64U, 70U, 32768U}) {
    Bitmap bitmap{BlockCount(bits)};
    const std::vector<std::byte> ones(4096, std::byte{0xff});
    bitmap.load_page(0, ones);
    bitmap.recount_loaded();
    EXPECT_EQ(bitmap.weight().value(), bits);
    EXPECT_EQ(bitmap.changed_pages(), 0U);
    bitmap.clear_range(range(0, bits * 4096), ByteCount(bits * 4096));
    EXPECT_TRUE(all_zero(bitmap.page(0))) << bits;
  }
}

TEST(bitmap, grows_and_shrinks) {
  Bitmap bitmap(BlockCount(10));
  bitmap.set_range(range(0, 4096));
  bitmap.resize(BlockCount(40000), true);
  EXPECT_EQ(bitmap.weight().value(), 39991U);
  EXPECT_EQ(bitmap.changed_pages(), 2U);
  EXPECT_FALSE(bitmap.test(BitmapBlock(9)));
  EXPECT_TRUE(bitmap.test(BitmapBlock(10)));
  bitmap.resize(BlockCount(5), true);
  EXPECT_EQ(bitmap.weight().value(), 1U);
  bitmap.resize(BlockCount(64), false);
  EXPECT_EQ(bitmap.weight().value(), 1U);
  bitmap.resize(BlockCount(0), true);
  EXPECT_EQ(bitmap.weight().value(), 0U);
  EXPECT_EQ(bitmap.pages(), 0U);
  EXPECT_FALSE(bitmap.next_set(BitmapBlock(0)));
}

TEST(bitmap, that_there_is_no_memory_for_it_is_an_answer) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers end the process instead";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers end the process instead";
#endif
#endif
  const Result<Bitmap> impossible = Bitmap::make(BlockCount(1ULL << 60U));
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().fault(), Fault::no_space);
  Result<Bitmap> bitmap = Bitmap::make(BlockCount(100));
  ASSERT_TRUE(bitmap);
  EXPECT_EQ(bitmap->changed_pages(), 0U);
  bitmap->set_all();
  EXPECT_EQ(bitmap->reserve(BlockCount(1ULL << 60U)).fault(), Fault::no_space);
  EXPECT_EQ(bitmap->weight(), BlockCount(100)) << "it is as it was";
  EXPECT_TRUE(bitmap->reserve(BlockCount(1ULL << 20U)).ok());
  EXPECT_EQ(bitmap->weight(), BlockCount(100));
  bitmap->resize(BlockCount(10), false);
  bitmap->resize(BlockCount(1ULL << 20U), false);
  EXPECT_EQ(bitmap->weight(), BlockCount(10)) << "what was cut off has not come back";
}

}  // namespace
}  // namespace replicator
