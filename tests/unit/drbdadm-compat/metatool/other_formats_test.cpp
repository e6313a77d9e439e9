#include "metatool/other_formats.hpp"

#include <gtest/gtest.h>

#include "metatool/convert_md.hpp"

namespace replicator::metatool {
namespace {

constexpr std::uint64_t capacity = 409600;  // 200 MiB
constexpr std::uint64_t last_block = capacity - 8;

using Block = std::vector<std::byte>;

Block v07() {
  Block block(superblock_bytes);
  write_be64(block, 0, 1000);  // KiB
  for (std::size_t i = 0; i < 5; ++i)
    write_be32(block, 8 + 4 * i, 1);
  write_be32(block, 28, md_magic_v07);
  write_be32(block, 32, 131072);
  write_be32(block, 36, 8);
  write_be32(block, 40, 257);
  write_be32(block, 44, 72);
  return block;
}

// Internal, for one peer whose node is number 1.
Block v09() {
  Block block(superblock_bytes);
  write_be64(block, 0, 2000);
  write_be64(block, 8, 0x1111111111111110);
  write_be64(block, 48, 0x2222);
  write_be32(block, 56, 0x91);
  write_be32(block, 60, md_magic_v09);
  write_be32(block, 64, 88);
  write_be32(block, 68, static_cast<std::uint32_t>(-64));
  write_be32(block, 72, 257);
  write_be32(block, 76, static_cast<std::uint32_t>(-80));
  write_be32(block, 80, 4096);
  write_be32(block, 88, 1);
  write_be32(block, 96, 1);
  write_be32(block, 100, 8);
  for (std::size_t i = 0; i < peer_slots_v09; ++i) {
    write_be32(block, 112 + 32 * i + 20, i == 1 ? 0 : 0xffffffff);
  }
  write_be64(block, 112 + 32, 0x3333333333333333);
  write_be32(block, 112 + 32 + 16, 0x1b);
  write_be64(block, 1136, 0x4444444444444444);
  write_be64(block, 1144, 0x5555555555555555);
  return block;
}

TEST(other_formats, a_generation_of_0_7_becomes_identifiers) {
  const Result<OtherMetadata> parsed = parse_other(v07());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->la_size_sectors, 2000U);
  EXPECT_EQ(parsed->md_size_sectors, 262144U);
  const Result<Converted> clean = convert(*parsed, false);
  EXPECT_EQ(clean->superblock.generations.current, 0x000100010002BABEU);
  EXPECT_EQ(clean->superblock.generations.bitmap, 0U);
  EXPECT_EQ(clean->superblock.generations.history[0], 0x000100010001BABEU);
  EXPECT_EQ(clean->superblock.generations.history[1], 0x000100010000BABEU);
  EXPECT_FALSE(clean->superblock.clean());
  const Result<Converted> marked = convert(*parsed, true);
  EXPECT_EQ(marked->superblock.generations.bitmap, 0x000100010001BABEU);
  EXPECT_EQ(marked->superblock.generations.history[1], 0x00010000FFFFBABEU);
}

TEST(other_formats, the_only_peer_of_9_is_the_peer) {
  const Result<OtherMetadata> parsed = parse_other(v09());
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->clean());
  const Result<Converted> converted = convert(*parsed, false);
  ASSERT_TRUE(converted);
  const Superblock& s = converted->superblock;
  EXPECT_EQ(s.generations.current, 0x1111111111111110U);
  EXPECT_EQ(s.generations.bitmap, 0x3333333333333333U);
  EXPECT_EQ(s.generations.history[0], 0x4444444444444444U);
  EXPECT_EQ(s.generations.history[1], 0x5555555555555555U);
  EXPECT_EQ(s.device_uuid, 0x2222U);
  EXPECT_EQ(s.flags, md_flag_consistent | md_flag_was_up_to_date | md_flag_al_clean |
                         md_flag_connected | md_flag_peer_outdated | md_flag_full_sync);
  EXPECT_TRUE(s.clean());
}

TEST(other_formats, several_peers_are_too_many) {
  Block block = v09();
  write_be32(block, 112 + 2 * 32 + 20, 1);
  const Result<Converted> converted = convert(*parse_other(block), false);
  ASSERT_FALSE(converted);
  EXPECT_EQ(converted.error().fault(), Fault::unsupported);
}

TEST(other_formats, numbers_that_do_not_fit_are_named) {
  struct Case {
    std::size_t at;
    std::uint32_t value;
    const char* where;  // nullptr: fits
  };
  const std::vector<Case> of_v09{{80, 4096, nullptr},
                                 {80, 65536, "bm_bytes_per_bit is not 4096"},
                                 {96, 0, "activity log size"},
                                 {100, 0x80000000, "activity log size"},
                                 {88, 0, "max_peers"},
                                 {88, 32, "max_peers"},
                                 {88, 31, "bm_offset"},
                                 {92, 32, "node_id"},
                                 {92, 0x80000000, "node_id"},
                                 {132, 32, "bitmap_index"},
                                 {0, 0xffffffff, "la_size_sect"},
                                 {4, 409600, "la_size_sect"},
                                 {68, 64, "al_offset"},
                                 {76, 80, "bm_offset"}};
  for (const Case& test : of_v09) {
    Block block = v09();
    write_be32(block, test.at, test.value);
    const Status fits =
        check_other(*parse_other(block), OtherPlace::flexible, last_block, capacity);
    EXPECT_EQ(fits.ok(), test.where == nullptr) << test.at << " " << test.value;
    if (test.where != nullptr) {
      EXPECT_STREQ(fits.where(), test.where) << test.at;
    }
  }
  const std::uint64_t fixed = *fixed_place(capacity);
  EXPECT_EQ(fixed, capacity - 262144);
  const std::vector<Case> of_v07{{36, 8, nullptr},
                                 {36, 0x80000000, "al_offset"},
                                 {44, 80, "bm_offset"},
                                 {0, 0xffffffff, "la_size_sect"},
                                 {4, 100000, "la_size_sect"}};
  for (const Case& test : of_v07) {
    Block block = v07();
    write_be32(block, test.at, test.value);
    const Status fits = check_other(*parse_other(block), OtherPlace::fixed, fixed, capacity);
    EXPECT_EQ(fits.ok(), test.where == nullptr) << test.at << " " << test.value;
    if (test.where != nullptr) {
      EXPECT_STREQ(fits.where(), test.where) << test.at;
    }
  }
}

TEST(other_formats, one_bitmap_of_several) {
  Block interleaved(48);
  for (std::size_t i = 0; i < interleaved.size(); ++i)
    interleaved[i] = static_cast<std::byte>(i / 4 % 3);  // three peers
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    Block picked(16, std::byte{0xff});
    pick_bitmap(interleaved, 3, slot, picked);
    EXPECT_EQ(picked, Block(16, static_cast<std::byte>(slot))) << slot;
  }
}

TEST(other_formats, any_other_block_is_neither) {
  EXPECT_EQ(parse_other(Block(superblock_bytes)).error().fault(), Fault::no_metadata);
  EXPECT_EQ(parse_other(Block(512)).error().fault(), Fault::malformed);
}

// A device in memory, whole; the writes beyond a number are lost, as at a power cut.
class SmallDevice final : public MetaDevice {
 public:
  explicit SmallDevice(Block bytes) : content(std::move(bytes)) {}
  std::vector<std::byte> content;
  unsigned writes_left = 1000000;

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return content.size(); }
  Status read(std::uint64_t offset, Bytes into) override {
    if (offset + into.size() > content.size()) return Status(Fault::io_error, "read");
    copy_bytes(into, ConstBytes(content).subspan(static_cast<std::size_t>(offset), into.size()));
    return {};
  }
  Status write(std::uint64_t offset, ConstBytes from) override {
    if (writes_left == 0 || offset + from.size() > content.size()) {
      return Status(Fault::io_error, "write");
    }
    --writes_left;
    copy_bytes(Bytes(content).subspan(static_cast<std::size_t>(offset)), from);
    return {};
  }
  Status zero(std::uint64_t offset, std::uint64_t length) override {
    return write(offset, Block(static_cast<std::size_t>(length)));
  }
  Status flush() override { return {}; }
  [[nodiscard]] int probe_descriptor() const noexcept override { return -1; }

 private:
  std::string name_ = "/dev/test";
};

// Three peers on a device of 4 GiB would need much memory; a device for meta data alone does not.
constexpr std::uint32_t three = 3;
constexpr std::uint64_t la_sectors = 40ULL << 21U;  // 40 GiB: 1.25 MiB of bitmap for each peer
constexpr std::uint64_t peer_bytes = la_sectors / 8 / 8;

Block three_peers() {
  Block block = v09();
  write_be64(block, 0, la_sectors);
  write_be32(block, 68, 8);
  write_be32(block, 76, 72);
  write_be32(block, 88, three);
  write_be32(block, 112 + 32 + 16, 0);  // no full sync
  write_be32(block, 112 + 32 + 20, 2);  // the last of the three
  Block content(8U << 20U);
  copy_bytes(content, block);
  for (std::size_t i = 0; i < peer_bytes * three / 4; ++i) {
    // Of the peer: the number of the word. Of the others: all ones.
    write_be32(content, 72 * 512 + 4 * i,
               i % three == 2 ? static_cast<std::uint32_t>(i / three) : 0xffffffff);
  }
  return content;
}

Status convert_all(SmallDevice& device) {
  std::FILE* stream = std::tmpfile();
  Console console(stdin, stream, stream, true);
  MetaCall call;
  call.index.kind = MetaDiskIndex::Kind::flexible;
  Session session{call, device, console};
  const Result<FoundOther> found = find_other(session);
  const Status status = found ? convert_md(session, *found) : found.error();
  std::fclose(stream);
  return status;
}

TEST(convert_md, takes_the_bitmap_of_the_only_peer) {
  SmallDevice device(three_peers());
  ASSERT_TRUE(convert_all(device).ok());
  const Result<Superblock> superblock = parse_superblock(ConstBytes(device.content).first(4096));
  ASSERT_TRUE(superblock);
  EXPECT_TRUE(superblock->clean());
  EXPECT_EQ(superblock->flags & md_flag_full_sync, 0U);
  for (std::size_t i = 0; i < peer_bytes / 4; ++i)
    ASSERT_EQ(read_be32(device.content, 72 * 512 + 4 * i), i) << i;
}

TEST(convert_md, interrupted_anywhere_nothing_is_forgotten) {
  const Block before = three_peers();
  for (unsigned writes = 0;; ++writes) {
    SmallDevice device(before);
    device.writes_left = writes;
    if (convert_all(device).ok()) break;
    if (device.content == before) continue;
    const Result<Superblock> superblock = parse_superblock(ConstBytes(device.content).first(4096));
    ASSERT_TRUE(superblock) << writes;
    EXPECT_NE(superblock->flags & md_flag_full_sync, 0U) << writes;
    EXPECT_FALSE(superblock->clean()) << writes;
  }
}

}  // namespace
}  // namespace replicator::metatool
