#include "undo/undo_format.hpp"

#include <gtest/gtest.h>

#include <array>

namespace replicator {
namespace {

UndoHeader example() {
  UndoHeader header;
  header.resource = "r0";
  header.volume = 3;
  header.device = ByteCount((64ULL << 20U) + 512);
  header.reason = UndoReason::discard_my_data;
  header.partial = true;
  header.began_seconds = 1'700'000'000;
  header.mine.current = 0x1111;
  header.mine.history[1] = 0x2222;
  header.peer.bitmap = 0x3333;
  return header;
}

using Block = std::array<std::byte, undo_header_bytes>;

TEST(UndoFormat, what_was_written_is_read) {
  Block block;
  encode(example(), block);
  const Result<UndoHeader> read = decode_undo_header(block);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, example());
}

TEST(UndoFormat, the_bitmap_and_the_blocks_do_not_overlap) {
  UndoHeader header = example();
  EXPECT_EQ(header.blocks().value(), 16385U);
  EXPECT_EQ(header.bitmap_at().value(), 4096U);
  EXPECT_EQ(header.data_at().value(), 1U << 20U);
  EXPECT_EQ(header.file_size().value(), (1U << 20U) + 16385ULL * 4096);
  header.device = ByteCount(1ULL << 40U);  // a bitmap of 32 MiB
  EXPECT_EQ(header.data_at().value(), 33U << 20U);
}

TEST(UndoFormat, damage_is_named) {
  struct Row {
    std::size_t at;
    const char* says;
  };
  for (const Row& row : {Row{0, "not an undo file"}, Row{20, "the header's checksum is wrong"},
                         Row{4092, "the header's checksum is wrong"}}) {
    Block block;
    encode(example(), block);
    block[row.at] ^= std::byte{1};
    const Result<UndoHeader> read = decode_undo_header(block);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().fault(), Fault::malformed);
    EXPECT_STREQ(read.error().where(), row.says);
  }
}

TEST(UndoFormat, impossible_numbers_with_a_right_checksum_are_refused) {
  UndoHeader no_size = example();
  no_size.device = ByteCount(0);
  UndoHeader too_big = example();
  too_big.device = ByteCount(~0ULL);
  UndoHeader nameless = example();
  nameless.resource.clear();
  UndoHeader reasonless = example();
  reasonless.reason = static_cast<UndoReason>(9);
  for (const UndoHeader& header : {no_size, too_big, nameless, reasonless}) {
    Block block;
    encode(header, block);
    EXPECT_FALSE(decode_undo_header(block));
  }
}

}  // namespace
}  // namespace replicator
