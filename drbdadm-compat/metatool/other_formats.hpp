// Meta data of other generations of DRBD: 0.7 ("v07") and 9 ("v09"). They are recognised, printed
// and turned into those of 8.4, never written. Pure; normative: docs/metadata.md#other-formats.
//   P1  any block is accepted; numbers that do not fit the device are an error
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "metadata/superblock.hpp"

namespace replicator::metatool {

inline constexpr std::size_t peer_slots_v09 = 32;

struct PeerV09 {
  std::uint64_t bitmap_uuid = 0;
  std::uint64_t bitmap_dagtag = 0;
  std::uint32_t flags = 0;
  std::int32_t bitmap_index = -1;  // which of the interleaved bitmaps; -1: none
};

struct OtherMetadata {
  enum class Format : std::uint8_t { v07, v09 } format = Format::v07;
  std::uint64_t la_size_sectors = 0;
  std::uint32_t md_size_sectors = 0;
  std::int32_t al_offset = 0;
  std::int32_t bm_offset = 0;
  std::uint32_t al_extents = 0;
  std::uint32_t max_peers = 1;
  AlStripes stripes;

  // v07: flags, then what was counted since: by hand, after a timeout, while connected, otherwise.
  std::array<std::uint32_t, 5> counters{};

  // v09
  std::uint64_t current = 0;
  std::uint64_t device_uuid = 0;
  std::uint32_t flags = 0;
  std::uint32_t bm_bytes_per_bit = 4096;
  std::uint32_t la_peer_max_bio_bytes = 0;
  std::int32_t node_id = -1;
  std::array<PeerV09, peer_slots_v09> peers{};
  std::array<std::uint64_t, peer_slots_v09> history{};

  [[nodiscard]] const char* name() const noexcept { return format == Format::v07 ? "v07" : "v09"; }
  // The activity log need not be applied. 0.7 does not say.
  [[nodiscard]] bool clean() const noexcept {
    return format == Format::v09 && (flags & md_flag_al_clean) != 0;
  }
  // Of one peer, for the last agreed size.
  [[nodiscard]] std::uint64_t peer_bitmap_bytes() const noexcept;
  // Of all, on disk.
  [[nodiscard]] std::uint64_t bitmap_bytes() const noexcept;
};

// Fault::no_metadata when it is neither.
Result<OtherMetadata> parse_other(ConstBytes block);

// Where a superblock was found. `fixed`: the internal place of 0.7, 128 MiB before the end, with
// the areas behind the superblock.
enum class OtherPlace : std::uint8_t { external, fixed, flexible };
// metadata_mismatch (`where` says which number). Sectors; `superblock` is its place on the device.
Status check_other(const OtherMetadata& metadata, OtherPlace place, std::uint64_t superblock,
                   std::uint64_t capacity);
// The first sector of 0.7's fixed place; none when the device is too small to have one.
std::optional<std::uint64_t> fixed_place(std::uint64_t capacity) noexcept;

struct Converted {
  Superblock superblock;          // without its offsets
  std::uint32_t bitmap_slot = 0;  // which of the interleaved bitmaps is the peer's
};
// `any_bit`: whether a bit is set in the bitmap. Fault::unsupported when 8.4 cannot express it.
Result<Converted> convert(const OtherMetadata& metadata, bool any_bit);

}  // namespace replicator::metatool
