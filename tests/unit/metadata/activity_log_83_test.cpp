#include "metadata/activity_log_83.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "metadata/activity_log_format.hpp"

namespace replicator {
namespace {

using Entry = std::pair<std::uint32_t, std::uint32_t>;  // slot, extent

std::vector<std::byte> empty_ring() { return std::vector<std::byte>(al_83_bytes); }

// As the kernel of 8.3 writes it.
void put(std::vector<std::byte>& ring, std::size_t sector, std::uint32_t number,
         const std::vector<Entry>& entries) {
  const Bytes at = Bytes(ring).subspan(sector * 512, 512);
  write_be32(at, 0, 0x83740267);
  write_be32(at, 4, number);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 62; ++i) {
    const Entry entry = i < entries.size() ? entries[i] : Entry{0xffffffff, 0xffffffff};
    write_be32(at, 8 + i * 8, entry.first);
    write_be32(at, 12 + i * 8, entry.second);
    sum ^= entry.second;
  }
  write_be32(at, 504, sum);
}

using Extents = std::vector<std::uint32_t>;

TEST(ActivityLog83, IsToldApartByTheMagicOfItsBlocks) {
  auto ring = empty_ring();
  Superblock superblock;
  EXPECT_TRUE(is_activity_log_83(superblock, ring));
  encode_al_initialized(Bytes(ring).subspan(4096, 4096));
  EXPECT_FALSE(is_activity_log_83(superblock, ring));
  ring = empty_ring();
  superblock.magic = md_magic_unclean;
  EXPECT_FALSE(is_activity_log_83(superblock, ring));
  superblock.magic = md_magic_v08;
  superblock.al_stripes = 2;
  superblock.al_stripe_size_4k = 8;
  EXPECT_FALSE(is_activity_log_83(superblock, ring));
}

TEST(ActivityLog83, AnUpdateReplacesWhatTheContextHad) {
  auto ring = empty_ring();
  // 127 extents: 1 + 3 sectors.
  put(ring, 0, 8, {{5, 100}, {0, 7}, {1, 9}});
  put(ring, 1, 5, {{61, 50}, {5, 99}});
  put(ring, 2, 6, {{2, 11}});
  put(ring, 3, 7, {{2, 12}, {122, 13}});
  const ActivityLog83 log = replay_activity_log_83(ring, 127);
  EXPECT_EQ(log.sectors, 4U);
  EXPECT_EQ(log.valid, 4U);
  EXPECT_EQ(log.hot, (Extents{7, 9, 12, 13, 50, 100}));
}

TEST(ActivityLog83, NumbersWrapAroundAndTornSectorsAreLeftOut) {
  auto ring = empty_ring();
  put(ring, 0, 1, {{0, 30}});
  put(ring, 1, 0xffffffff, {{0, 10}});
  put(ring, 2, 0, {{0, 20}, {1, 21}});
  put(ring, 3, 2, {{1, 99}});
  ring[3 * 512 + 400] = std::byte{0x55};
  ring[3 * 512 + 12] = std::byte{0x55};
  const ActivityLog83 log = replay_activity_log_83(ring, 127);
  EXPECT_EQ(log.valid, 3U);
  EXPECT_EQ(log.hot, (Extents{21, 30}));
}

TEST(ActivityLog83, AnyBytesAreAccepted) {
  auto ring = empty_ring();
  EXPECT_EQ(replay_activity_log_83(ring, 0).valid, 0U);
  EXPECT_EQ(replay_activity_log_83(ring, 0xffffffff).sectors, 64U);
  std::uint32_t seed = 1;
  for (std::size_t sector = 0; sector < 64; ++sector) {
    std::vector<Entry> entries(62);
    for (Entry& entry : entries) {
      seed = seed * 1664525 + 1013904223;
      entry = {seed, seed * 31};
    }
    put(ring, sector, seed, entries);
  }
  EXPECT_EQ(replay_activity_log_83(ring, 3833).valid, 64U);
}

}  // namespace
}  // namespace replicator
