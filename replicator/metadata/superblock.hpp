// The 4 KiB superblock of DRBD 8.4's meta data ("v08"). Normative: docs/metadata.md#superblock.
//   D6  one 4 KiB block, always written whole; the magic and the plausibility rules recognise
//   anything else
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "metadata/generations.hpp"
#include "metadata/layout.hpp"

namespace replicator {

inline constexpr std::size_t superblock_bytes = 4096;

inline constexpr std::uint32_t md_flag_consistent = 0x001;
inline constexpr std::uint32_t md_flag_primary = 0x002;
inline constexpr std::uint32_t md_flag_connected = 0x004;
inline constexpr std::uint32_t md_flag_full_sync = 0x008;
inline constexpr std::uint32_t md_flag_was_up_to_date = 0x010;
inline constexpr std::uint32_t md_flag_peer_outdated = 0x020;
inline constexpr std::uint32_t md_flag_crashed_primary = 0x040;
inline constexpr std::uint32_t md_flag_al_clean = 0x080;
inline constexpr std::uint32_t md_flag_al_disabled = 0x100;

inline constexpr std::uint32_t md_magic_v07 = 0x8374026a;
inline constexpr std::uint32_t md_magic_v08 = 0x8374026b;
inline constexpr std::uint32_t md_magic_unclean = 0x8374026c;
inline constexpr std::uint32_t md_magic_v09 = 0x8374026d;

struct Superblock {
  std::uint64_t la_size_sectors = 0;
  GenerationSet generations;
  std::uint64_t device_uuid = 0;
  std::uint32_t flags = 0;
  std::uint32_t magic = md_magic_v08;
  std::uint32_t md_size_sectors = 0;
  std::int32_t al_offset = 0;
  std::uint32_t al_extents = 257;
  std::int32_t bm_offset = 0;
  std::uint32_t bm_bytes_per_bit = 4096;
  std::uint32_t la_peer_max_bio_bytes = 0;
  std::uint32_t al_stripes = 0;
  std::uint32_t al_stripe_size_4k = 0;

  bool operator==(const Superblock&) const noexcept = default;

  // Both fields 0 means 1 x 8.
  [[nodiscard]] AlStripes stripes() const noexcept {
    return al_stripes == 0 && al_stripe_size_4k == 0 ? AlStripes()
                                                     : AlStripes{al_stripes, al_stripe_size_4k};
  }
  // The activity log need not be replayed.
  [[nodiscard]] bool clean() const noexcept {
    return magic == md_magic_v08 && (flags & md_flag_al_clean) != 0;
  }
};

// Fault::no_metadata when the magic is none of ours; unsupported for v07 and v09 (`where` names
// them).
Result<Superblock> parse_superblock(ConstBytes block);
void serialise(const Superblock& superblock, Bytes block);

// Geometry fits this device? metadata_mismatch (`where` says which number) or too_small. Sectors.
Status check_geometry(const Superblock& superblock, MetaDiskIndex index,
                      std::uint64_t data_capacity, std::uint64_t meta_capacity);

}  // namespace replicator
