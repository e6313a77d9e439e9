// Disks whose bitmap is larger than any single buffer (P6): all of it is written, and read again.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class LargeDiskTest : public EngineTest {
 protected:
  static constexpr std::uint64_t disk_bytes = 200ULL << 30U;
  LargeDiskTest() : EngineTest(ByteCount(disk_bytes)) {}
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
};

TEST_F(LargeDiskTest, the_whole_bitmap_survives) {
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  const std::uint64_t all = volume(pair_.n1).backing()->bitmap().weight().value();
  EXPECT_GT(all, disk_bytes / 4096 - 4096);
  pair_.n1.kill();
  boot(pair_.n1);
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(volume(pair_.n1).backing()->bitmap().weight().value(), all);
}

// E2: what the ring cannot describe is not made hot.
TEST_F(LargeDiskTest, al_extents_beyond_the_ring_are_not_used) {
  al_extents = 20000;
  ASSERT_EQ(attach(pair_.n1), 0);
  EXPECT_EQ(volume(pair_.n1).backing()->superblock().al_extents, 6433U);
}

}  // namespace
}  // namespace replicator
