// Any 4 KiB as a superblock: what parses is written back and parses to the same; what fits a device
// describes areas that lie on it and do not overlap.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/units.hpp"
#include "metadata/superblock.hpp"

namespace {

using namespace replicator;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_areas(const Superblock& s, MetaDiskIndex index, std::uint64_t capacity) {
  const bool internal = index.kind == MetaDiskIndex::Kind::internal;
  const std::uint64_t data = internal ? capacity : device_sectors_max;
  if (!check_geometry(s, index, data, capacity).ok()) return;
  const MetadataLayout layout = place_metadata(index, data, capacity, s.stripes());
  const auto place = [&layout](std::int32_t offset) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(layout.superblock) + offset);
  };
  const std::uint64_t log = place(s.al_offset);
  const std::uint64_t bitmap = place(s.bm_offset);
  const std::uint64_t bitmap_end = internal ? log : layout.superblock + s.md_size_sectors;
  require(layout.superblock + 8 <= capacity && log + s.stripes().sectors() <= capacity);
  require(bitmap < bitmap_end && bitmap_end <= capacity);
  require(s.la_size_sectors <= layout.data_limit);
  require((bitmap_end - bitmap) * sector_bytes * 8 >= ceil_div(s.la_size_sectors, 8));
  if (internal)
    require(s.la_size_sectors <= bitmap && log + s.stripes().sectors() == layout.superblock);
  else require(layout.superblock + 8 <= log && log + s.stripes().sectors() <= bitmap);
}

}  // namespace

// The first byte chooses the kind of place, the next two the size of the device; the rest is the
// superblock.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const ConstBytes input = std::as_bytes(std::span(data, size));
  std::array<std::byte, superblock_bytes> block{};
  const ConstBytes given = input.subspan(3, std::min(size - 3, superblock_bytes));
  copy_bytes(block, given);
  const Result<Superblock> parsed = parse_superblock(block);
  if (!parsed) return 0;
  std::array<std::byte, superblock_bytes> again{};
  serialise(*parsed, again);
  require(*parse_superblock(again) == *parsed);

  MetaDiskIndex index;
  index.kind = static_cast<MetaDiskIndex::Kind>(data[0] % 3);
  index.slot = data[0] / 3U;
  const std::uint64_t mantissa = 2048U + data[1] * 257U;
  check_areas(*parsed, index, mantissa << (data[2] % 26U));
  return 0;
}
