#include <gtest/gtest.h>

#include "metadata/activity_log_format.hpp"
#include "metatool/commands.hpp"
#include "tests/support/metadata_image.hpp"

namespace replicator::metatool {
namespace {

using test::MemoryMetaDevice;

std::string said(std::FILE* stream) {
  std::string text;
  std::fflush(stream);
  std::rewind(stream);
  for (int c = std::fgetc(stream); c != EOF; c = std::fgetc(stream)) {
    text.push_back(static_cast<char>(c));
  }
  return text;
}

struct Outcome {
  int code = 0;
  std::string text;  // both streams
};

Outcome apply(MemoryMetaDevice& device) {
  std::FILE* stream = std::tmpfile();
  Console console(stdin, stream, stream, false);
  MetaCall call;
  Session session{call, device, console};
  Outcome run;
  run.code = apply_al(session);
  run.text = said(stream);
  std::fclose(stream);
  return run;
}

MemoryMetaDevice disk(const std::string& name) {
  return {test::image_disk_bytes, test::metadata_image(name)};
}

constexpr std::size_t bitmap_at = test::image_tail_bytes - 80 * 512;
constexpr std::size_t ring_at = bitmap_at + 4096;
constexpr std::size_t superblock_at = test::image_tail_bytes - 4096;

Superblock superblock_of(MemoryMetaDevice& device) {
  return *parse_superblock(ConstBytes(device.tail()).subspan(superblock_at));
}
void store(MemoryMetaDevice& device, const Superblock& superblock) {
  serialise(superblock, Bytes(device.tail()).subspan(superblock_at));
}

TEST(apply_al, does_what_the_original_does) {
  const std::map<std::string, std::string> cases{
      {"n1-crashed-primary", "Marked additional 16 MB as out-of-sync based on AL.\n"},
      {"n1-csums", "Marked additional 4096 KB as out-of-sync based on AL.\n"},
      {"n2-survivor", ""}};
  for (const auto& [name, text] : cases) {
    MemoryMetaDevice device = disk(name);
    const Outcome run = apply(device);
    EXPECT_EQ(run.code, 0) << name;
    EXPECT_EQ(run.text, text) << name;
    EXPECT_EQ(device.tail(), test::metadata_image(name + ".applied")) << name;
  }
}

TEST(apply_al, a_second_time_writes_nothing) {
  MemoryMetaDevice device = disk("n1-crashed-primary");
  EXPECT_EQ(apply(device).code, 0);
  const unsigned writes = device.writes;
  EXPECT_EQ(apply(device).code, 0);
  EXPECT_EQ(device.writes, writes);
}

TEST(apply_al, interrupted_anywhere_it_can_be_run_again) {
  const std::vector<std::byte> expected = test::metadata_image("n1-crashed-primary.applied");
  const std::uint64_t patterns[] = {0, ~0ULL, 1, 2, 0x5555555555555555, 0xfff0f0f0f0f0f0ff};
  for (const std::uint64_t torn : patterns) {
    unsigned left = 0;
    for (;; ++left) {
      MemoryMetaDevice device = disk("n1-crashed-primary");
      device.writes_left = left;
      device.torn = torn;
      if (apply(device).code == 0) break;
      device.writes_left.reset();
      EXPECT_EQ(apply(device).code, 0) << left;
      EXPECT_EQ(device.tail(), expected) << left;
    }
    // The bitmap's page, the superblock, the log, the superblock.
    EXPECT_EQ(left, 4U);
  }
}

// Nothing was written to the extents of a transaction that never became stable.
TEST(apply_al, a_torn_transaction_is_skipped) {
  MemoryMetaDevice device = disk("n1-crashed-primary");
  const Bytes ring = Bytes(device.tail()).subspan(ring_at, 8 * al_block_bytes);
  AlTransaction newest;
  std::size_t newest_block = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    AlTransaction t;
    if (decode_al_block(ring.subspan(i * al_block_bytes), t) != AlBlockKind::transaction) continue;
    if (t.number < newest.number) continue;
    newest = t;
    newest_block = i;
  }
  ASSERT_FALSE(newest.updates.empty());
  fill_bytes(ring.subspan(newest_block * al_block_bytes + 2048, 2048), std::byte{0});
  EXPECT_EQ(apply(device).code, 0);
  for (const AlUpdate& update : newest.updates) {
    const ConstBytes marks =
        ConstBytes(device.tail()).subspan(bitmap_at + update.extent * 128, 128);
    EXPECT_TRUE(all_zero(marks)) << update.extent;
  }
}

TEST(apply_al, without_a_usable_log_a_primary_is_refused_and_left_alone) {
  MemoryMetaDevice device = disk("n1-crashed-primary");
  fill_bytes(Bytes(device.tail()).subspan(ring_at, 8 * al_block_bytes), std::byte{0});
  const std::vector<std::byte> before = device.tail();
  const Outcome run = apply(device);
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.text.find("No usable activity log found. Do you need to create-md?\n"),
            std::string::npos);
  EXPECT_EQ(device.tail(), before);
}

TEST(apply_al, without_a_usable_log_a_secondary_starts_afresh) {
  MemoryMetaDevice device = disk("n2-survivor");
  fill_bytes(Bytes(device.tail()).subspan(ring_at, 8 * al_block_bytes), std::byte{0});
  EXPECT_EQ(apply(device).code, 0);
  EXPECT_EQ(device.tail(), test::metadata_image("n2-survivor.applied"));
}

TEST(apply_al, extents_beyond_the_bitmap_are_named_and_skipped) {
  MemoryMetaDevice device = disk("n1-crashed-primary");
  const Bytes ring = Bytes(device.tail()).subspan(ring_at, 8 * al_block_bytes);
  for (std::size_t i = 0; i < 8; ++i) {
    encode_al_initialized(ring.subspan(i * al_block_bytes, al_block_bytes));
  }
  const AlTransaction t{0, 1237, 0, {{0, 1}, {1, 31}, {2, 32}, {3, 0xfffffffe}}, {}};
  encode_al_transaction(t, ring.first(al_block_bytes));
  const Outcome run = apply(device);
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.text,
            "extent 32 beyond end of bitmap!\nextent 4294967294 beyond end of bitmap!\n"
            "Marked additional 8192 KB as out-of-sync based on AL.\n");
}

TEST(apply_al, refuses_what_is_no_metadata) {
  MemoryMetaDevice device = disk("n1-crashed-primary");
  Superblock superblock = superblock_of(device);
  superblock.bm_offset += 8;
  store(device, superblock);
  const std::vector<std::byte> before = device.tail();
  Outcome run = apply(device);
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.text,
            "/dev/test: meta data does not fit the device: bm_offset\nNo valid meta data found\n");
  superblock.magic = 0;
  store(device, superblock);
  run = apply(device);
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.text, "No valid meta data found\n");
}

}  // namespace
}  // namespace replicator::metatool
