// Placement, compared with numbers of the original tool; effective size.
#include "metadata/layout.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "metadata/superblock.hpp"

namespace replicator {
namespace {

struct Internal {
  std::uint64_t capacity;
  std::uint64_t superblock;
  std::uint64_t bitmap_sectors;
  std::uint32_t md_size;
  std::int32_t al_offset;
  std::int32_t bm_offset;
  std::uint64_t data;
  AlStripes stripes = {};
};

TEST(layout, internal_as_the_original_places_it) {
  const std::vector<Internal> cases{
      {2048, 2040, 8, 80, -64, -72, 1968},
      {2049, 2040, 8, 80, -64, -72, 1968},
      {8192, 8184, 8, 80, -64, -72, 8112},
      {204800, 204792, 8, 80, -64, -72, 204720},
      {2097152, 2097144, 64, 136, -64, -128, 2097016},
      {209715200, 209715192, 6400, 6472, -64, -6464, 209708728},
      {2147483648, 2147483640, 65536, 65608, -64, -65600, 2147418040},
      {1953525168, 1953525160, 59624, 59696, -64, -59688, 1953465472},
      {8388608, 8388600, 256, 776, -512, -768, 8387832, AlStripes{4, 16}},
  };
  for (const Internal& c : cases) {
    const MetadataLayout layout =
        place_metadata(MetaDiskIndex(), c.capacity, c.capacity, c.stripes);
    EXPECT_EQ(layout.superblock, c.superblock) << c.capacity;
    EXPECT_EQ(layout.bitmap_sectors, c.bitmap_sectors) << c.capacity;
    EXPECT_EQ(layout.md_size, c.md_size) << c.capacity;
    EXPECT_EQ(layout.al_offset, c.al_offset) << c.capacity;
    EXPECT_EQ(layout.bm_offset, c.bm_offset) << c.capacity;
    EXPECT_EQ(layout.data_limit, c.data) << c.capacity;
    EXPECT_EQ(layout.bitmap, c.data) << c.capacity;
    EXPECT_EQ(layout.activity_log, c.data + c.bitmap_sectors) << c.capacity;
  }
}

TEST(layout, external_as_the_original_places_it) {
  const MetaDiskIndex flexible{MetaDiskIndex::Kind::flexible, 0};
  const MetadataLayout whole = place_metadata(flexible, 1ULL << 40U, 524288, AlStripes());
  EXPECT_EQ(whole.superblock, 0U);
  EXPECT_EQ(whole.md_size, 524288U);
  EXPECT_EQ(whole.activity_log * 512, 4096U);
  EXPECT_EQ(whole.bitmap * 512, 36864U);
  EXPECT_EQ(whole.data_limit, (524288U - 72U) * 32768ULL);
  EXPECT_EQ(place_metadata(flexible, 1000000, 524288, AlStripes()).data_limit, 1000000U);

  const MetaDiskIndex second{MetaDiskIndex::Kind::indexed, 1};
  const MetadataLayout slot = place_metadata(second, 1ULL << 40U, 524288, AlStripes());
  EXPECT_EQ(slot.superblock * 512, 134217728U);
  EXPECT_EQ(slot.activity_log * 512, 134221824U);
  EXPECT_EQ(slot.bitmap * 512, 134254592U);
  EXPECT_EQ(slot.md_size, 262144U);
  EXPECT_EQ(slot.data_limit, 8587575296U);
}

TEST(layout, too_small_a_device_offers_nothing) {
  EXPECT_EQ(place_metadata(MetaDiskIndex(), 79, 79, AlStripes()).data_limit, 0U);
  EXPECT_EQ(place_metadata(MetaDiskIndex(), 0, 0, AlStripes()).data_limit, 0U);
  EXPECT_EQ(place_metadata(MetaDiskIndex(), 8192, 8192, AlStripes{1, 4096}).data_limit, 0U);
  const MetaDiskIndex flexible{MetaDiskIndex::Kind::flexible, 0};
  EXPECT_EQ(place_metadata(flexible, 8192, 72, AlStripes()).data_limit, 0U);
  const MetaDiskIndex second{MetaDiskIndex::Kind::indexed, 1};
  EXPECT_EQ(place_metadata(second, 8192, 524287, AlStripes()).data_limit, 0U);
  const MetaDiskIndex last{MetaDiskIndex::Kind::indexed, ~0U};
  EXPECT_EQ(place_metadata(last, 8192, 1ULL << 40U, AlStripes()).data_limit, 0U);
}

TEST(layout, areas_neither_overlap_nor_leave_the_device) {
  for (std::uint64_t capacity = 80; capacity < 3000000; capacity += 1 + capacity / 7) {
    const MetadataLayout l = place_metadata(MetaDiskIndex(), capacity, capacity, AlStripes());
    EXPECT_EQ(l.bitmap + l.bitmap_sectors, l.activity_log) << capacity;
    EXPECT_EQ(l.activity_log + 64, l.superblock) << capacity;
    EXPECT_LE(l.superblock + 8, capacity);
    EXPECT_EQ(l.superblock % 8, 0U);
    EXPECT_GE(l.bitmap_sectors * 32768, l.data_limit) << capacity;
  }
}

TEST(layout, effective_size) {
  struct Case {
    std::uint64_t own, peer, agreed, user, size;
  };
  const std::vector<Case> cases{
      {1000, 0, 0, 0, 1000},     {1000, 2000, 0, 0, 1000},
      {2000, 1000, 0, 0, 1000},  {2000, 3000, 1000, 0, 2000},  // both know better than the past
      {2000, 0, 1000, 0, 1000},  {500, 0, 1000, 0, 500},
      {0, 2000, 1000, 0, 1000},  {0, 500, 0, 0, 500},
      {1000, 2000, 0, 800, 800}, {1000, 2000, 0, 1200, 1000},
      {0, 0, 0, 0, 0},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(effective_size_sectors(c.own, c.peer, c.agreed, c.user), c.size)
        << c.own << " " << c.peer << " " << c.agreed << " " << c.user;
  }
}

// A disk that has become smaller than what was agreed is still found out by its effective size.
TEST(layout, size_in_use) {
  EXPECT_EQ(size_in_use_sectors(2000, 1000, 1000), 1000U);
  EXPECT_EQ(size_in_use_sectors(2000, 1500, 1000), 1500U);
  EXPECT_EQ(size_in_use_sectors(800, 1000, 1000), 800U);
  EXPECT_EQ(size_in_use_sectors(1200, 1500, 1000), 1200U);
}

// Every placement is accepted by the check that attach makes, and no other.
TEST(layout, the_geometry_check_agrees) {
  const std::uint64_t capacity = 2097152;
  for (const auto kind : {MetaDiskIndex::Kind::internal, MetaDiskIndex::Kind::flexible,
                          MetaDiskIndex::Kind::indexed}) {
    const MetaDiskIndex index{kind, kind == MetaDiskIndex::Kind::indexed ? 2U : 0U};
    const AlStripes stripes = kind == MetaDiskIndex::Kind::indexed ? AlStripes() : AlStripes{4, 16};
    const MetadataLayout layout = place_metadata(index, capacity, capacity, stripes);
    Superblock s;
    s.md_size_sectors = layout.md_size;
    s.al_offset = layout.al_offset;
    s.bm_offset = layout.bm_offset;
    s.al_stripes = stripes.stripes;
    s.al_stripe_size_4k = stripes.stripe_blocks;
    s.la_size_sectors = layout.data_limit;
    EXPECT_TRUE(check_geometry(s, index, capacity, capacity).ok());
    s.la_size_sectors += 1;
    EXPECT_EQ(check_geometry(s, index, capacity, capacity).fault(), Fault::too_small);
    s.la_size_sectors = 0;
    s.al_stripes = 2;
    EXPECT_EQ(check_geometry(s, index, capacity, capacity).fault(), Fault::metadata_mismatch);
    s.al_stripes = 0;
    s.al_stripe_size_4k = 0;
    EXPECT_EQ(check_geometry(s, index, capacity, capacity).ok(),
              kind == MetaDiskIndex::Kind::indexed);
  }
}

}  // namespace
}  // namespace replicator
