// Any 4 KiB as meta data of DRBD 0.7 or 9: what fits a device has its areas on it, and what can be
// converted is a superblock of 8.4 that is read back.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/units.hpp"
#include "metatool/dump_text.hpp"

namespace {

using namespace replicator;
using namespace replicator::metatool;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_areas(const FoundOther& found, std::uint64_t capacity) {
  const OtherMetadata& m = found.metadata;
  if (!check_other(m, found.place, found.superblock, capacity).ok()) return;
  require(found.activity_log() + m.stripes.sectors() <= capacity);
  require(found.bitmap() + m.bitmap_bytes() / sector_bytes <= capacity);
  require(m.peer_bitmap_bytes() * m.max_peers <= m.bitmap_bytes());
  if (found.place != OtherPlace::external) {
    require(m.la_size_sectors <= std::min(found.superblock, found.bitmap()));
  }
  require(!dump_head(found).empty());
  const Result<Converted> converted = convert(m, true);
  if (!converted) return;
  require(converted->bitmap_slot < m.max_peers);
  std::array<std::byte, superblock_bytes> block{};
  serialise(converted->superblock, block);
  require(*parse_superblock(block) == converted->superblock);
}

}  // namespace

// The first byte chooses the place, the second the size of the device; the rest is the superblock.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ConstBytes input = std::as_bytes(std::span(data, size));
  std::array<std::byte, superblock_bytes> block{};
  copy_bytes(block, input.subspan(2, std::min(size - 2, superblock_bytes)));
  const Result<OtherMetadata> parsed = parse_other(block);
  if (!parsed) return 0;
  const std::uint64_t capacity = 409600ULL << (data[1] % 22U);
  FoundOther found{*parsed, static_cast<OtherPlace>(data[0] % 3), 0};
  if (found.place == OtherPlace::fixed) found.superblock = *fixed_place(capacity);
  if (found.place == OtherPlace::flexible) found.superblock = capacity - 8;
  check_areas(found, capacity);
  return 0;
}
