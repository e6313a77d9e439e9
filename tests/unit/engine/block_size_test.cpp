// Two disks with logical blocks of different sizes.
#include "engine/admin_codes.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class BlockSizeTest : public EngineTest {
 protected:
  void SetUp() override {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    ASSERT_TRUE(volume(pair_.n1).open(true).ok());
    ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, false)).code, 0);
  }
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
  Status read(std::uint64_t at, std::size_t size) {
    return pair_.run(volume(pair_.n1).read(ByteRange(ByteOffset(at), ByteCount(size)),
                                           Bytes(into_).first(size)));
  }
  alignas(4096) std::array<std::byte, 4096> into_{};
};

// What the only good disk cannot read is refused, and the disk stays.
TEST_F(BlockSizeTest, a_small_read_through_a_peer_with_large_blocks_fails_alone) {
  pair_.n2.disk().options().logical_block_bytes = 4096;
  EXPECT_FALSE(read(512, 512).ok());
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "UpToDate");
  EXPECT_TRUE(read(4096, 4096).ok());
}

TEST_F(BlockSizeTest, a_disk_with_larger_blocks_is_not_attached_under_an_open_device) {
  pair_.n1.disk().options().logical_block_bytes = 4096;
  EXPECT_EQ(attach(pair_.n1), admin_open_disk);
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "Diskless");
  EXPECT_TRUE(read(512, 512).ok());
  volume(pair_.n1).close(true);
  EXPECT_EQ(attach(pair_.n1), 0);
}

}  // namespace
}  // namespace replicator
