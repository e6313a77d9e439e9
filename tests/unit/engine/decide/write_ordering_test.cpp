#include "engine/decide/write_ordering.hpp"

#include <gtest/gtest.h>

#include <string>

namespace replicator {
namespace {

TEST(WriteOrdering, FollowsFromTheDiskOptions) {
  struct Row {
    bool flushes;
    bool drain;
    char letter;
    const char* name;
  };
  for (const Row& row : {Row{true, true, 'f', "flush"}, Row{true, false, 'f', "flush"},
                         Row{false, true, 'd', "drain"}, Row{false, false, 'n', "none"}}) {
    DiskOptions disk;
    disk.disk_flushes = row.flushes;
    disk.disk_drain = row.drain;
    EXPECT_EQ(letter(write_ordering(disk)), row.letter);
    EXPECT_EQ(std::string(name(write_ordering(disk))), row.name);
  }
  EXPECT_EQ(letter(write_ordering(DiskOptions())), 'f');
}

TEST(WriteOrdering, TheWeakestVolumeDecides) {
  using W = WriteOrdering;
  EXPECT_EQ(letter(weaker(W::flush, W::drain)), 'd');
  EXPECT_EQ(letter(weaker(W::none, W::drain)), 'n');
  EXPECT_EQ(letter(weaker(W::flush, W::flush)), 'f');
}

}  // namespace
}  // namespace replicator
