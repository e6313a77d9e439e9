// Meta data that DRBD 8.4.11 wrote is understood and written back byte by byte; damaged meta data
// is refused.
#include <gtest/gtest.h>

#include "metadata/activity_log_format.hpp"
#include "metadata/bitmap.hpp"
#include "metadata/superblock.hpp"
#include "tests/support/metadata_image.hpp"

namespace replicator {
namespace {

constexpr std::uint64_t capacity = test::image_disk_bytes / sector_bytes;

// Places in the image, which begins image_tail_bytes before the end of the disk.
std::size_t in_image(std::uint64_t sector) {
  return static_cast<std::size_t>(sector * sector_bytes -
                                  (test::image_disk_bytes - test::image_tail_bytes));
}

struct Image {
  explicit Image(const std::string& name) : bytes(test::metadata_image(name)) {}
  std::vector<std::byte> bytes;
  MetadataLayout layout = place_metadata(MetaDiskIndex(), capacity, capacity, AlStripes());

  [[nodiscard]] ConstBytes at(std::uint64_t sector, std::size_t length) const {
    return ConstBytes(bytes).subspan(in_image(sector), length);
  }
  [[nodiscard]] ConstBytes superblock() const { return at(layout.superblock, superblock_bytes); }
  [[nodiscard]] ConstBytes ring() const { return at(layout.activity_log, 8 * al_block_bytes); }
};

std::vector<std::byte> copy(ConstBytes bytes) { return {bytes.begin(), bytes.end()}; }

TEST(golden_metadata, there_are_recordings) {
  EXPECT_EQ(test::metadata_image_names().size(), 26U);
  for (const std::string& name : test::metadata_image_names()) {
    EXPECT_EQ(test::metadata_image(name).size(), test::image_tail_bytes) << name;
  }
}

TEST(golden_metadata, superblocks_are_written_back) {
  for (const std::string& name : test::metadata_image_names()) {
    const Image image(name);
    const Result<Superblock> parsed = parse_superblock(image.superblock());
    ASSERT_TRUE(parsed) << name;
    EXPECT_TRUE(check_geometry(*parsed, MetaDiskIndex(), capacity, capacity).ok()) << name;
    std::vector<std::byte> again(superblock_bytes, std::byte{0xaa});
    serialise(*parsed, again);
    EXPECT_EQ(again, copy(image.superblock())) << name;
  }
}

TEST(golden_metadata, activity_log_blocks_are_written_back) {
  unsigned transactions = 0;
  for (const std::string& name : test::metadata_image_names()) {
    const Image image(name);
    for (std::size_t i = 0; i < 8; ++i) {
      const ConstBytes block = image.ring().subspan(i * al_block_bytes, al_block_bytes);
      AlTransaction transaction;
      std::vector<std::byte> again(al_block_bytes, std::byte{0xaa});
      const AlBlockKind kind = decode_al_block(block, transaction);
      ASSERT_NE(kind, AlBlockKind::invalid) << name << " block " << i;
      if (kind == AlBlockKind::initialized) encode_al_initialized(again);
      else encode_al_transaction(transaction, again);
      transactions += kind == AlBlockKind::transaction ? 1U : 0U;
      EXPECT_EQ(again, copy(block)) << name << " block " << i;
    }
  }
  EXPECT_EQ(transactions, 99U);
}

TEST(golden_metadata, bitmaps_are_written_back) {
  for (const std::string& name : test::metadata_image_names()) {
    const Image image(name);
    const std::uint64_t sectors = parse_superblock(image.superblock())->la_size_sectors;
    Bitmap bitmap(BlockCount(ceil_div(sectors, sectors_per_block)));
    for (std::size_t page = 0; page < bitmap.pages(); ++page) {
      const ConstBytes bytes = image.at(image.layout.bitmap + page * 8, 4096);
      bitmap.load_page(page, bytes);
      bitmap.recount_loaded();
      EXPECT_EQ(copy(bitmap.page(page)), copy(bytes)) << name;
    }
  }
}

TEST(golden_metadata, a_foreign_superblock_is_named) {
  const Image image("n1-connected");
  std::vector<std::byte> block = copy(image.superblock());
  const auto fault_with_magic = [&block](std::uint32_t magic) {
    write_be32(block, 60, magic);
    const Result<Superblock> parsed = parse_superblock(block);
    return parsed ? Fault::none : parsed.error().fault();
  };
  EXPECT_EQ(fault_with_magic(md_magic_v08), Fault::none);
  EXPECT_EQ(fault_with_magic(md_magic_unclean), Fault::none);
  EXPECT_EQ(fault_with_magic(md_magic_v09), Fault::unsupported);
  EXPECT_EQ(fault_with_magic(0), Fault::no_metadata);
  write_be32(block, 28, md_magic_v07);
  EXPECT_EQ(fault_with_magic(0), Fault::unsupported);
  EXPECT_EQ(fault_with_magic(md_magic_v08), Fault::none);
  write_be32(block, 28, 0);
  EXPECT_EQ(fault_with_magic(~md_magic_v08), Fault::no_metadata);
  block.pop_back();
  EXPECT_EQ(parse_superblock(block).error().fault(), Fault::malformed);
}

TEST(golden_metadata, wrong_geometry_is_refused) {
  const Image image("n1-connected");
  const Superblock good = *parse_superblock(image.superblock());
  const auto fault = [](const Superblock& s) {
    return check_geometry(s, MetaDiskIndex(), capacity, capacity).fault();
  };
  EXPECT_EQ(fault(good), Fault::none);
  Superblock bad = good;
  bad.md_size_sectors += 8;
  EXPECT_EQ(fault(bad), Fault::metadata_mismatch);
  bad = good;
  bad.al_offset -= 8;
  EXPECT_EQ(fault(bad), Fault::metadata_mismatch);
  bad = good;
  bad.bm_offset = -bad.bm_offset;
  EXPECT_EQ(fault(bad), Fault::metadata_mismatch);
  bad = good;
  bad.bm_bytes_per_bit = 8192;
  EXPECT_EQ(fault(bad), Fault::metadata_mismatch);
  bad = good;
  bad.al_stripes = 0;
  EXPECT_EQ(fault(bad), Fault::metadata_mismatch);
  bad = good;
  bad.al_stripes = bad.al_stripe_size_4k = ~0U;
  EXPECT_EQ(fault(bad), Fault::metadata_mismatch);
  bad = good;
  bad.la_size_sectors = ~0ULL;
  EXPECT_NE(fault(bad), Fault::none);
  bad = good;
  bad.la_size_sectors = capacity;
  EXPECT_EQ(fault(bad), Fault::too_small);
  EXPECT_NE(check_geometry(good, MetaDiskIndex(), capacity - 8, capacity - 8).fault(), Fault::none);
}

TEST(golden_metadata, a_flipped_bit_invalidates_an_activity_log_block) {
  const Image image("n1-crashed-primary");
  std::vector<std::byte> block = copy(image.ring().first(al_block_bytes));
  AlTransaction transaction;
  for (std::size_t at = 0; at < al_block_bytes; ++at) {
    const std::byte before = block[at];
    block[at] ^= std::byte{1} << (at % 8);
    EXPECT_EQ(decode_al_block(block, transaction), AlBlockKind::invalid) << at;
    block[at] = before;
  }
  EXPECT_EQ(decode_al_block(block, transaction), AlBlockKind::transaction);
  block.pop_back();
  EXPECT_EQ(decode_al_block(block, transaction), AlBlockKind::invalid);
}

TEST(golden_metadata, an_unusable_activity_log_is_refused) {
  const Image image("n1-crashed-primary");
  std::vector<std::byte> ring = copy(image.ring());
  EXPECT_TRUE(replay_activity_log(ring, AlStripes()));
  EXPECT_EQ(
      replay_activity_log(ConstBytes(ring).first(ring.size() - 1), AlStripes()).error().fault(),
      Fault::malformed);
  fill_bytes(ring, std::byte{0});
  EXPECT_EQ(replay_activity_log(ring, AlStripes()).error().fault(), Fault::malformed);
}

// Checksums that the kernel wrote.
TEST(golden_metadata, known_transactions_have_known_checksums) {
  const auto checksum = [](const AlTransaction& transaction) {
    std::vector<std::byte> block(al_block_bytes);
    encode_al_transaction(transaction, block);
    return read_be32(block, 8);
  };
  AlTransaction t{3, 1237, 919, {}, {}};
  EXPECT_EQ(checksum(t), 0xe8541b4eU);
  t = AlTransaction{4, 1237, 0, {}, {}};
  EXPECT_EQ(checksum(t), 0xef0def24U);
  t = AlTransaction{8, 1237, 0, {AlUpdate{1236, 0}}, {}};
  EXPECT_EQ(checksum(t), 0x571a0d39U);
  t = AlTransaction{9, 1237, 919, {AlUpdate{1235, 1}}, {}};
  t.context.assign(318, al_extent_free);
  t.context[317] = 0;
  EXPECT_EQ(checksum(t), 0xc94715fcU);
  std::vector<std::byte> block(al_block_bytes);
  encode_al_initialized(block);
  EXPECT_EQ(read_be32(block, 8), 0x709cc651U);
}

}  // namespace
}  // namespace replicator
