// The checkers' reading of meta data: the placement table, the checksum and the effects of
// transactions as the format description gives them.
#include "tests/sim/metadata_view.hpp"

#include <gtest/gtest.h>
#include <isa-l/crc.h>

namespace replicator::sim {
namespace {

TEST(sim_metadata_view, places_are_those_of_the_format_description) {
  const MetadataPlaces small(ByteCount(4U << 20U));
  EXPECT_EQ(small.data.value() / 512, 8112U);
  EXPECT_EQ(small.superblock.value() / 512, 8184U);
  const MetadataPlaces large(ByteCount(1ULL << 30U));
  EXPECT_EQ(large.superblock.value(), 1073737728U);
  EXPECT_EQ(large.activity_log.value(), 1073704960U);
  EXPECT_EQ(large.bitmap.value(), 1073672192U);
}

TEST(sim_metadata_view, a_created_disk_is_valid_cold_and_unmarked) {
  Image image(ByteCount(8U << 20U));
  create_metadata(image, 4);
  std::array<std::byte, 4096> block;
  image.read_media(MetadataPlaces(image.size()).activity_log, block);
  EXPECT_EQ(read_be32(block, 8), 0x709cc651U);
  MetadataView view(image);
  view.refresh();
  EXPECT_TRUE(view.valid());
  EXPECT_EQ(view.uuid(0), 4U);
  EXPECT_FALSE(view.hot(0));
  EXPECT_FALSE(view.covered(0));
}

TEST(sim_metadata_view, a_transaction_makes_its_extent_hot_unless_torn) {
  Image image(ByteCount(16U << 20U));
  create_metadata(image, 16);
  const MetadataPlaces places(image.size());
  // t=8, 1 update slot 1236 -> extent 0, start 0, all free; the checksum is the kernel's.
  std::array<std::byte, 4096> block;
  block.fill(std::byte{0xff});
  fill_bytes(Bytes(block).first(36), std::byte{0});
  write_be32(block, 0, 0x69cb65a2);
  write_be32(block, 4, 8);
  write_be32(block, 8, 0x571a0d39);
  write_be16(block, 14, 1);
  write_be16(block, 16, 1237);
  write_be16(block, 36, 1236);
  write_be32(block, 164, 0);
  MetadataView view(image);
  image.write(places.activity_log, block);
  view.refresh();
  EXPECT_FALSE(view.hot(0)) << "still in the cache";
  for (const Image::DirtyPage& page : image.dirty_pages())
    image.keep(page);
  view.refresh();
  EXPECT_TRUE(view.hot(0));
  EXPECT_FALSE(view.hot(1));
  block[4095] = std::byte{1};
  image.write(places.activity_log, block);
  for (const Image::DirtyPage& page : image.dirty_pages())
    image.keep(page);
  view.refresh();
  EXPECT_FALSE(view.hot(0));
}

}  // namespace
}  // namespace replicator::sim
