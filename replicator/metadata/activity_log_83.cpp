#include "metadata/activity_log_83.hpp"

#include <algorithm>
#include <map>

namespace replicator {

namespace {

constexpr std::uint32_t magic_83 = 0x83740267;
constexpr std::uint32_t magic_84 = 0x69cb65a2;
constexpr std::size_t sector_size = 512;
constexpr unsigned context_entries = 61;
constexpr unsigned entries = 1 + context_entries;  // the update first
constexpr unsigned sectors_max = al_83_bytes / sector_size;
constexpr std::uint32_t slots_max = 3833;
constexpr std::uint32_t free_extent = 0xffffffff;

std::size_t entry_at(unsigned entry) noexcept { return 8 + std::size_t{entry} * 8; }

bool valid(ConstBytes sector) noexcept {
  if (read_be32(sector, 0) != magic_83) return false;
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < entries; ++i)
    sum ^= read_be32(sector, entry_at(i) + 4);
  return sum == read_be32(sector, entry_at(entries));
}

std::uint32_t number_of(ConstBytes sector) noexcept { return read_be32(sector, 4); }

// Transaction numbers wrap around; those in use lie close together.
std::int32_t distance(std::uint32_t from, std::uint32_t to) noexcept {
  return static_cast<std::int32_t>(to - from);
}

}  // namespace

bool is_activity_log_83(const Superblock& superblock, ConstBytes ring) noexcept {
  const AlStripes stripes = superblock.stripes();
  return superblock.magic == md_magic_v08 && stripes.stripes == 1 && stripes.stripe_blocks == 8 &&
         ring.size() >= al_83_bytes && read_be32(ring, 0) != magic_84 &&
         read_be32(ring, 4096) != magic_84;
}

ActivityLog83 replay_activity_log_83(ConstBytes ring, std::uint32_t al_extents) {
  ActivityLog83 log;
  const std::uint32_t slots = std::min(al_extents, slots_max);
  log.sectors = std::min(sectors_max, 1 + (slots + context_entries - 1) / context_entries);
  std::vector<ConstBytes> found;
  for (unsigned i = 0; i < log.sectors; ++i) {
    const ConstBytes sector = ring.subspan(i * sector_size, sector_size);
    if (valid(sector)) found.push_back(sector);
  }
  log.valid = static_cast<unsigned>(found.size());
  if (found.empty()) return log;
  const std::uint32_t first = number_of(found.front());
  std::sort(found.begin(), found.end(), [first](ConstBytes a, ConstBytes b) {
    return distance(first, number_of(a)) < distance(first, number_of(b));
  });
  std::map<std::uint32_t, std::uint32_t> slot_extents;
  for (const ConstBytes sector : found) {
    // Context is what was before the update.
    for (unsigned i = entries; i-- > 0;) {
      const std::uint32_t slot = read_be32(sector, entry_at(i));
      const std::uint32_t extent = read_be32(sector, entry_at(i) + 4);
      if (extent != free_extent && slot < slots_max) slot_extents[slot] = extent;
    }
  }
  for (const auto& [slot, extent] : slot_extents)
    log.hot.push_back(extent);
  std::sort(log.hot.begin(), log.hot.end());
  log.hot.erase(std::unique(log.hot.begin(), log.hot.end()), log.hot.end());
  return log;
}

}  // namespace replicator
