#include "metadata/superblock.hpp"

namespace replicator {

Result<Superblock> parse_superblock(ConstBytes block) {
  if (block.size() < superblock_bytes) return failure(Fault::malformed, "superblock too short");
  Superblock s;
  s.magic = read_be32(block, 60);
  switch (s.magic) {
    case md_magic_v08:
    case md_magic_unclean: break;
    case md_magic_v09: return failure(Fault::unsupported, "v09 meta data (DRBD 9)");
    default:
      // 0.7 has fewer fields in front of it.
      if (read_be32(block, 28) == md_magic_v07) {
        return failure(Fault::unsupported, "v07 meta data; convert it first");
      }
      return failure(Fault::no_metadata, "no valid meta data found");
  }
  s.la_size_sectors = read_be64(block, 0);
  s.generations.current = read_be64(block, 8);
  s.generations.bitmap = read_be64(block, 16);
  s.generations.history[0] = read_be64(block, 24);
  s.generations.history[1] = read_be64(block, 32);
  s.device_uuid = read_be64(block, 40);
  s.flags = read_be32(block, 56);
  s.md_size_sectors = read_be32(block, 64);
  s.al_offset = static_cast<std::int32_t>(read_be32(block, 68));
  s.al_extents = read_be32(block, 72);
  s.bm_offset = static_cast<std::int32_t>(read_be32(block, 76));
  s.bm_bytes_per_bit = read_be32(block, 80);
  s.la_peer_max_bio_bytes = read_be32(block, 84);
  s.al_stripes = read_be32(block, 88);
  s.al_stripe_size_4k = read_be32(block, 92);
  return s;
}

void serialise(const Superblock& s, Bytes block) {
  fill_bytes(block.first(superblock_bytes), std::byte{0});
  write_be64(block, 0, s.la_size_sectors);
  write_be64(block, 8, s.generations.current);
  write_be64(block, 16, s.generations.bitmap);
  write_be64(block, 24, s.generations.history[0]);
  write_be64(block, 32, s.generations.history[1]);
  write_be64(block, 40, s.device_uuid);
  write_be32(block, 56, s.flags);
  write_be32(block, 60, s.magic);
  write_be32(block, 64, s.md_size_sectors);
  write_be32(block, 68, static_cast<std::uint32_t>(s.al_offset));
  write_be32(block, 72, s.al_extents);
  write_be32(block, 76, static_cast<std::uint32_t>(s.bm_offset));
  write_be32(block, 80, s.bm_bytes_per_bit);
  write_be32(block, 84, s.la_peer_max_bio_bytes);
  write_be32(block, 88, s.al_stripes);
  write_be32(block, 92, s.al_stripe_size_4k);
}

Status check_geometry(const Superblock& s, MetaDiskIndex index, std::uint64_t data_capacity,
                      std::uint64_t meta_capacity) {
  const auto mismatch = [](const char* what) { return Status(Fault::metadata_mismatch, what); };
  if (s.bm_bytes_per_bit != 4096) return mismatch("bm_bytes_per_bit is not 4096");
  if ((s.al_stripes == 0) != (s.al_stripe_size_4k == 0)) return mismatch("al_stripes");
  const AlStripes stripes = s.stripes();
  if (stripes.blocks() < 8 || stripes.blocks() > al_blocks_max)
    return mismatch("activity log size");
  const bool internal = index.kind == MetaDiskIndex::Kind::internal;
  if (!internal && meta_capacity < metadata_device_sectors_min) {
    return Status(Fault::too_small, "meta device");
  }
  const MetadataLayout layout = place_metadata(index, data_capacity, meta_capacity, stripes);
  if (layout.data_limit == 0) return Status(Fault::too_small, "device for its meta data");
  if (s.al_offset != layout.al_offset) return mismatch("al_offset");
  if (s.bm_offset != layout.bm_offset) return mismatch("bm_offset");
  // Internal meta data fills its place exactly; a device for meta data alone may have grown.
  const bool fits = internal || index.kind == MetaDiskIndex::Kind::indexed
                        ? s.md_size_sectors == layout.md_size
                        : s.md_size_sectors <= meta_capacity &&
                              s.md_size_sectors > static_cast<std::uint32_t>(s.bm_offset);
  if (!fits) return mismatch("md_size_sect");
  const std::uint64_t bitmap_sectors =
      internal ? layout.bitmap_sectors
               : s.md_size_sectors - static_cast<std::uint32_t>(s.bm_offset);
  if (bitmap_sectors < ceil_div(ceil_div(ceil_div(s.la_size_sectors, 8), 8), 512)) {
    return mismatch("bitmap area for the last agreed size");
  }
  if (s.la_size_sectors > layout.data_limit) {
    return Status(Fault::too_small, "device for its last agreed size");
  }
  return Status();
}

}  // namespace replicator
