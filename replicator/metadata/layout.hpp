// Where meta data lies and how large a device may be. Pure arithmetic in 512-byte sectors, checked
// by table tests against the original tool. Normative: docs/metadata.md#placement.
#pragma once

#include <cstdint>

#include "metadata/meta_disk_index.hpp"

namespace replicator {

// 1 GiB; more is nothing that a log could need, and a replay has it in memory.
inline constexpr std::uint64_t al_blocks_max = 262144;

struct AlStripes {
  std::uint32_t stripes = 1;
  std::uint32_t stripe_blocks = 8;  // 4 KiB blocks each
  [[nodiscard]] constexpr std::uint64_t blocks() const noexcept {
    return std::uint64_t{stripes} * stripe_blocks;
  }
  [[nodiscard]] constexpr std::uint64_t sectors() const noexcept { return blocks() * 8; }
};

// Absolute sectors on the meta device, and the offsets that the superblock stores.
struct MetadataLayout {
  std::uint64_t superblock = 0;
  std::uint64_t activity_log = 0;
  std::uint64_t bitmap = 0;
  std::uint64_t bitmap_sectors = 0;
  std::int32_t al_offset = 0;  // relative to the superblock
  std::int32_t bm_offset = 0;
  std::uint32_t md_size = 0;     // the whole area
  std::uint64_t data_limit = 0;  // sectors that can be used for data

  bool operator==(const MetadataLayout&) const noexcept = default;
};

inline constexpr std::uint64_t metadata_slot_sectors = 262144;  // 128 MiB, indexed
inline constexpr std::uint64_t indexed_bitmap_sectors = 262072;
inline constexpr std::uint64_t device_sectors_max = 1ULL << 41U;  // 1 PiB
inline constexpr std::uint64_t metadata_device_sectors_min = 2048;
inline constexpr std::uint64_t internal_device_bytes_min = 68ULL * 1024U;

// `data_capacity` and `meta_capacity` in sectors; equal for internal meta data. A device that is
// too small for its meta data gives data_limit 0.
MetadataLayout place_metadata(MetaDiskIndex index, std::uint64_t data_capacity,
                              std::uint64_t meta_capacity, AlStripes stripes) noexcept;

// new_dev_size: `own` what the disk offers, `peer` what the peer's offers (0 unknown),
// `last_agreed` from the superblock, `user` the configured size (0 = all). Sectors.
std::uint64_t effective_size_sectors(std::uint64_t own, std::uint64_t peer,
                                     std::uint64_t last_agreed, std::uint64_t user) noexcept;

// Of a disk that is attached to a device in use through the peer: it may shrink what is offered,
// not grow what is used; that takes both nodes.
std::uint64_t size_in_use_sectors(std::uint64_t effective, std::uint64_t last_agreed,
                                  std::uint64_t used) noexcept;

}  // namespace replicator
