#include "metatool/other_formats.hpp"

#include <algorithm>

namespace replicator::metatool {

namespace {

constexpr std::size_t magic_v07_at = 28;
constexpr std::size_t magic_v09_at = 60;
constexpr std::size_t peers_at = 112;
constexpr std::size_t peer_bytes = 32;
constexpr std::size_t history_at = peers_at + peer_slots_v09 * peer_bytes;

constexpr std::uint32_t peer_flag_connected = 0x1;
constexpr std::uint32_t peer_flag_outdated = 0x2;
constexpr std::uint32_t peer_flag_full_sync = 0x8;
constexpr std::uint32_t device_flags = md_flag_consistent | md_flag_primary |
                                       md_flag_was_up_to_date | md_flag_crashed_primary |
                                       md_flag_al_clean | md_flag_al_disabled;
// What a generation of 0.7 is made of ends with this, so that it cannot be mistaken for another.
constexpr std::uint64_t made_from_counters = 0xbabe;
constexpr std::uint64_t one_older = 0x10000;

std::int32_t read_signed(ConstBytes block, std::size_t at) {
  return static_cast<std::int32_t>(read_be32(block, at));
}

OtherMetadata parse_v07(ConstBytes block) {
  OtherMetadata m;
  m.format = OtherMetadata::Format::v07;
  // In KiB; more than fits is refused by its check.
  m.la_size_sectors = std::min<std::uint64_t>(read_be64(block, 0), device_sectors_max) * 2;
  for (std::size_t i = 0; i < m.counters.size(); ++i)
    m.counters[i] = read_be32(block, 8 + 4 * i);
  m.md_size_sectors = read_be32(block, 32) << 1U;
  m.al_offset = read_signed(block, 36);
  m.al_extents = read_be32(block, 40);
  m.bm_offset = read_signed(block, 44);
  return m;
}

OtherMetadata parse_v09(ConstBytes block) {
  OtherMetadata m;
  m.format = OtherMetadata::Format::v09;
  m.la_size_sectors = read_be64(block, 0);
  m.current = read_be64(block, 8);
  m.device_uuid = read_be64(block, 48);
  m.flags = read_be32(block, 56);
  m.md_size_sectors = read_be32(block, 64);
  m.al_offset = read_signed(block, 68);
  m.al_extents = read_be32(block, 72);
  m.bm_offset = read_signed(block, 76);
  m.bm_bytes_per_bit = read_be32(block, 80);
  m.la_peer_max_bio_bytes = read_be32(block, 84);
  m.max_peers = read_be32(block, 88);
  m.node_id = read_signed(block, 92);
  m.stripes = AlStripes{read_be32(block, 96), read_be32(block, 100)};
  for (std::size_t i = 0; i < peer_slots_v09; ++i) {
    const std::size_t at = peers_at + i * peer_bytes;
    m.peers[i] = PeerV09{read_be64(block, at), read_be64(block, at + 8), read_be32(block, at + 16),
                         read_signed(block, at + 20)};
    m.history[i] = read_be64(block, history_at + 8 * i);
  }
  return m;
}

std::uint64_t bitmap_bytes_for(std::uint64_t sectors, std::uint64_t peers) noexcept {
  const std::uint64_t bits = round_up(ceil_div(sectors, sectors_per_block), 64);
  return round_up(bits / 8 * peers, block_bytes);
}

Status mismatch(const char* what) { return Status(Fault::metadata_mismatch, what); }

Status check_numbers(const OtherMetadata& m) {
  if (m.bm_bytes_per_bit != block_bytes) return mismatch("bm_bytes_per_bit is not 4096");
  if (m.stripes.blocks() < 8 || m.stripes.blocks() > al_blocks_max) {
    return mismatch("activity log size");
  }
  if (m.max_peers < 1 || m.max_peers >= peer_slots_v09) return mismatch("max_peers");
  const auto in_range = [](std::int32_t id) {
    return id >= -1 && id < static_cast<std::int32_t>(peer_slots_v09);
  };
  if (!in_range(m.node_id)) return mismatch("node_id");
  for (const PeerV09& peer : m.peers) {
    if (!in_range(peer.bitmap_index)) return mismatch("bitmap_index");
  }
  return m.la_size_sectors <= device_sectors_max ? Status() : mismatch("la_size_sect");
}

// The one peer whose changes are noted, or the place of the first when nobody ever connected.
Result<std::size_t> only_peer(const OtherMetadata& m) {
  std::size_t found = 0;
  unsigned known = 0;
  for (std::size_t i = 0; i < m.peers.size(); ++i) {
    if (m.peers[i].bitmap_index < 0) continue;
    found = i;
    ++known;
  }
  if (known > 1) return failure(Fault::unsupported, "it knows more than one peer");
  const std::int32_t slot = m.peers[found].bitmap_index;
  if (known == 1 && static_cast<std::uint32_t>(slot) >= m.max_peers) {
    return failure(Fault::unsupported, "its peer has no bitmap");
  }
  return found;
}

Converted convert_v07(const OtherMetadata& m, bool any_bit) {
  Converted converted;
  Superblock& s = converted.superblock;
  const auto low = [](std::uint32_t counter) { return std::uint64_t{counter & 0xffffU}; };
  s.flags = m.counters[0];
  s.generations.current = low(m.counters[1]) << 48U | low(m.counters[2]) << 32U |
                          low(m.counters[3] + m.counters[4]) << 16U | made_from_counters;
  std::uint64_t older = s.generations.current;
  if (any_bit) s.generations.bitmap = older -= one_older;
  s.generations.history[0] = older -= one_older;
  s.generations.history[1] = older -= one_older;
  return converted;
}

Result<Converted> convert_v09(const OtherMetadata& m) {
  const Result<std::size_t> peer_at = only_peer(m);
  if (!peer_at) return tl::unexpected<Status>(peer_at.error());
  const PeerV09& peer = m.peers[*peer_at];
  Converted converted;
  converted.bitmap_slot = static_cast<std::uint32_t>(std::max(peer.bitmap_index, 0));
  Superblock& s = converted.superblock;
  s.flags = m.flags & device_flags;
  if ((peer.flags & peer_flag_connected) != 0) s.flags |= md_flag_connected;
  if ((peer.flags & peer_flag_outdated) != 0) s.flags |= md_flag_peer_outdated;
  if ((peer.flags & peer_flag_full_sync) != 0) s.flags |= md_flag_full_sync;
  s.generations.current = m.current;
  s.generations.bitmap = peer.bitmap_uuid;
  s.generations.history[0] = m.history[0];
  s.generations.history[1] = m.history[1];
  s.device_uuid = m.device_uuid;
  return converted;
}

}  // namespace

std::uint64_t OtherMetadata::peer_bitmap_bytes() const noexcept {
  return round_up(ceil_div(la_size_sectors, sectors_per_block), 64) / 8;
}

std::uint64_t OtherMetadata::bitmap_bytes() const noexcept {
  return bitmap_bytes_for(la_size_sectors, max_peers);
}

Result<OtherMetadata> parse_other(ConstBytes block) {
  if (block.size() < superblock_bytes) return failure(Fault::malformed, "superblock too short");
  if (read_be32(block, magic_v09_at) == md_magic_v09) return parse_v09(block);
  if (read_be32(block, magic_v07_at) == md_magic_v07) return parse_v07(block);
  return failure(Fault::no_metadata, "neither v07 nor v09");
}

Status check_other(const OtherMetadata& m, OtherPlace place, std::uint64_t superblock,
                   std::uint64_t capacity) {
  const Status numbers = check_numbers(m);
  if (!numbers.ok()) return numbers;
  const auto log = static_cast<std::int64_t>(m.stripes.sectors());
  if (place == OtherPlace::flexible) {
    const auto bitmap =
        static_cast<std::int64_t>(bitmap_bytes_for(capacity, m.max_peers) / sector_bytes);
    if (m.al_offset != -log) return mismatch("al_offset");
    if (m.bm_offset != -(log + bitmap)) return mismatch("bm_offset");
    const std::int64_t data = static_cast<std::int64_t>(superblock) + m.bm_offset;
    if (data < static_cast<std::int64_t>(m.la_size_sectors)) return mismatch("la_size_sect");
    return Status();
  }
  if (m.al_offset != 8) return mismatch("al_offset");
  if (m.bm_offset != 8 + log) return mismatch("bm_offset");
  const std::uint64_t begin = superblock + static_cast<std::uint32_t>(m.bm_offset);
  if (begin > capacity || m.bitmap_bytes() / sector_bytes > capacity - begin) {
    return mismatch("bitmap area for the last agreed size");
  }
  const bool overlaps = place == OtherPlace::fixed && m.la_size_sectors > superblock;
  return overlaps ? mismatch("la_size_sect") : Status();
}

std::optional<std::uint64_t> fixed_place(std::uint64_t capacity) noexcept {
  const std::uint64_t whole = capacity & ~7ULL;
  if (whole <= metadata_slot_sectors) return std::nullopt;
  return whole - metadata_slot_sectors;
}

Result<Converted> convert(const OtherMetadata& m, bool any_bit) {
  Result<Converted> converted =
      m.format == OtherMetadata::Format::v07 ? convert_v07(m, any_bit) : convert_v09(m);
  if (!converted) return converted;
  Superblock& s = converted->superblock;
  s.la_size_sectors = m.la_size_sectors;
  s.al_extents = m.al_extents;
  s.al_stripes = m.stripes.stripes;
  s.al_stripe_size_4k = m.stripes.stripe_blocks;
  return converted;
}

}  // namespace replicator::metatool
