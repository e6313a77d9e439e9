#include "metadata/layout.hpp"

#include <algorithm>

#include "base/units.hpp"

namespace replicator {

namespace {

constexpr std::uint64_t superblock_sectors = 8;
constexpr std::uint64_t sectors_per_bitmap_sector = 32768;

MetadataLayout place_internal(std::uint64_t capacity, AlStripes stripes) noexcept {
  MetadataLayout layout;
  const std::uint64_t al = stripes.sectors();
  const std::uint64_t bitmap = round_up(ceil_div(capacity, sectors_per_bitmap_sector), 8);
  const std::uint64_t area = bitmap + al + superblock_sectors;
  const std::uint64_t aligned = capacity & ~7ULL;
  if (aligned < area) return layout;
  layout.superblock = aligned - superblock_sectors;
  layout.activity_log = layout.superblock - al;
  layout.bitmap = layout.activity_log - bitmap;
  layout.bitmap_sectors = bitmap;
  layout.al_offset = -static_cast<std::int32_t>(al);
  layout.bm_offset = -static_cast<std::int32_t>(bitmap + al);
  layout.md_size = static_cast<std::uint32_t>(area);
  layout.data_limit = std::min(layout.bitmap, device_sectors_max);
  return layout;
}

MetadataLayout place_external(std::uint64_t superblock, std::uint64_t area,
                              std::uint64_t data_capacity, AlStripes stripes) noexcept {
  MetadataLayout layout;
  const std::uint64_t al = stripes.sectors();
  if (area <= superblock_sectors + al) return layout;
  layout.superblock = superblock;
  layout.activity_log = superblock + superblock_sectors;
  layout.bitmap = layout.activity_log + al;
  layout.bitmap_sectors = area - superblock_sectors - al;
  layout.al_offset = static_cast<std::int32_t>(superblock_sectors);
  layout.bm_offset = static_cast<std::int32_t>(superblock_sectors + al);
  layout.md_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(area, UINT32_MAX));
  layout.data_limit = std::min(
      {data_capacity, layout.bitmap_sectors * sectors_per_bitmap_sector, device_sectors_max});
  return layout;
}

}  // namespace

MetadataLayout place_metadata(MetaDiskIndex index, std::uint64_t data_capacity,
                              std::uint64_t meta_capacity, AlStripes stripes) noexcept {
  switch (index.kind) {
    case MetaDiskIndex::Kind::internal: return place_internal(data_capacity, stripes);
    case MetaDiskIndex::Kind::flexible:
      return place_external(0, meta_capacity, data_capacity, stripes);
    case MetaDiskIndex::Kind::indexed: {
      const std::uint64_t begin = metadata_slot_sectors * index.slot;
      if (meta_capacity < begin + metadata_slot_sectors) return MetadataLayout();
      return place_external(begin, metadata_slot_sectors, data_capacity, stripes);
    }
  }
  return MetadataLayout();
}

std::uint64_t effective_size_sectors(std::uint64_t own, std::uint64_t peer,
                                     std::uint64_t last_agreed, std::uint64_t user) noexcept {
  std::uint64_t size = 0;
  if (own != 0 && peer != 0) {
    size = std::min(own, peer);
  } else if (last_agreed != 0) {
    size = last_agreed;
    if (own != 0) size = std::min(size, own);
    if (peer != 0) size = std::min(size, peer);
  } else {
    size = own != 0 ? own : peer;
  }
  return user != 0 && user <= size ? user : size;
}

std::uint64_t size_in_use_sectors(std::uint64_t effective, std::uint64_t last_agreed,
                                  std::uint64_t used) noexcept {
  return std::min(effective, std::max(last_agreed, used));
}

}  // namespace replicator
