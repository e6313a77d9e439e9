#include "metatool/relocate.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "metatool/commands.hpp"
#include "tests/support/metadata_image.hpp"

namespace replicator::metatool {
namespace {

using test::MemoryMetaDevice;

TEST(last_known, there_and_back) {
  const LastKnown plain{16777216, "/dev/vg/lv one", 0};
  EXPECT_EQ(last_known_text(plain), "16777216\t/dev/vg/lv one\n");
  EXPECT_EQ(parse_last_known(last_known_text(plain)), plain);
  const LastKnown named{1, "d", 0xab};
  EXPECT_EQ(last_known_text(named), "1\td\nuuid:\t00000000000000AB\n");
  EXPECT_EQ(parse_last_known(last_known_text(named)), named);
}

TEST(last_known, anything_else_counts_as_none) {
  for (const char* text : {"", "\n", "16777216", "x\ty\n", "-1\td\n", "1x\td\n", "1\td\nuid:\t1\n",
                           "1\td\nuuid:\t\n", "1\td\nuuid:\tfoo\n", "18446744073709551616\td\n"}) {
    EXPECT_FALSE(parse_last_known(text)) << text;
  }
}

class Relocation : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/pollux-relocate.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    const LastKnown known{test::image_disk_bytes, "/dev/test", 0xAA42C078C7F7E3CC};
    ASSERT_TRUE(save_last_known(directory_, 3, known).ok());
    call_.minor = 3;
    said_ = std::fopen("/dev/null", "w");
  }
  void TearDown() override {
    std::fclose(said_);
    forget_last_known(directory_, 3);
    rmdir(directory_.c_str());
  }

  // The end of the old disk, then `growth` bytes.
  static MemoryMetaDevice grown(std::uint64_t growth) {
    std::vector<std::byte> tail = test::metadata_image("n1-crashed-primary");
    tail.resize(tail.size() + growth, std::byte{0});
    return {test::image_disk_bytes + growth, std::move(tail)};
  }
  int resize(MemoryMetaDevice& device) {
    Console console(stdin, said_, said_, false);
    Session session{call_, device, console, false, directory_, 0};
    return check_resize(session);
  }
  Result<MetadataOnDisk> metadata(MemoryMetaDevice& device) {
    Console console(stdin, said_, said_, false);
    Session session{call_, device, console, false, directory_, 0};
    return read_metadata(session);
  }

  MetaCall call_;
  std::string directory_;
  std::FILE* said_ = nullptr;
};

TEST_F(Relocation, interrupted_anywhere_it_can_be_run_again) {
  MemoryMetaDevice whole = grown(1U << 20U);
  EXPECT_FALSE(metadata(whole));
  ASSERT_EQ(resize(whole), 0);
  ASSERT_TRUE(metadata(whole));
  for (const std::uint64_t torn : {0ULL, ~0ULL, 0x5555555555555555ULL}) {
    unsigned left = 0;
    for (;; ++left) {
      MemoryMetaDevice device = grown(1U << 20U);
      device.writes_left = left;
      device.torn = torn;
      if (resize(device) == 0) break;
      device.writes_left.reset();
      ASSERT_EQ(resize(device), 0) << left;
      const Result<MetadataOnDisk> found = metadata(device);
      ASSERT_TRUE(found) << left;
      EXPECT_EQ(found->superblock, metadata(whole)->superblock);
    }
    EXPECT_EQ(left, 5U);
  }
}

TEST_F(Relocation, too_little_growth_leaves_everything_as_it_is) {
  MemoryMetaDevice device = grown(4096);
  const std::vector<std::byte> before = device.tail();
  EXPECT_EQ(resize(device), 1);
  EXPECT_EQ(device.tail(), before);
  // 40 KiB of meta data fit behind the old ones.
  MemoryMetaDevice enough = grown(40U << 10U);
  EXPECT_EQ(resize(enough), 0);
}

TEST_F(Relocation, is_for_internal_metadata_of_a_known_minor) {
  MemoryMetaDevice device = grown(1U << 20U);
  call_.minor = 4;
  EXPECT_EQ(resize(device), 1);
  call_.minor.reset();
  EXPECT_EQ(resize(device), 1);
}

}  // namespace
}  // namespace replicator::metatool
