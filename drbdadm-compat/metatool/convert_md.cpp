#include "metatool/convert_md.hpp"

#include <algorithm>
#include <vector>

#include "metatool/create_parts.hpp"

namespace replicator::metatool {

namespace {

constexpr std::uint64_t piece_bytes = 64U << 10U;

Result<FoundOther> read_at(Session& session, OtherPlace place, std::uint64_t superblock) {
  AlignedBuffer block(superblock_bytes);
  const Status read = session.device.read(superblock * sector_bytes, block.bytes());
  if (!read.ok()) return tl::unexpected<Status>(read);
  const Result<OtherMetadata> parsed = parse_other(block.bytes());
  if (!parsed) return tl::unexpected<Status>(parsed.error());
  if (place == OtherPlace::fixed && parsed->format != OtherMetadata::Format::v07) {
    return failure(Fault::no_metadata, "only v07 has a fixed place");
  }
  const Status fits = check_other(*parsed, place, superblock, session.sectors());
  if (!fits.ok()) return tl::unexpected<Status>(fits);
  return FoundOther{*parsed, place, superblock};
}

bool any_bit(ConstBytes bytes) noexcept {
  return std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
}

// 0.7 has at most 128 MiB of it, which the new areas may overlap: into memory before any write.
Result<std::vector<std::byte>> read_whole(Session& session, std::uint64_t begin,
                                          std::uint64_t bytes) {
  std::vector<std::byte> whole(static_cast<std::size_t>(bytes));
  AlignedBuffer buffer(piece_bytes);
  for (std::uint64_t done = 0; done < bytes;) {
    const auto piece = static_cast<std::size_t>(std::min(piece_bytes, bytes - done));
    const Status read =
        session.device.read(begin * sector_bytes + done, buffer.bytes().first(piece));
    if (!read.ok()) return tl::unexpected<Status>(read);
    copy_bytes(Bytes(whole).subspan(static_cast<std::size_t>(done)), buffer.bytes().first(piece));
    done += piece;
  }
  return whole;
}

Status write_whole(Session& session, std::uint64_t begin, ConstBytes whole) {
  AlignedBuffer buffer(piece_bytes);
  for (std::size_t done = 0; done < whole.size();) {
    const std::size_t piece = std::min<std::size_t>(piece_bytes, whole.size() - done);
    copy_bytes(buffer.bytes(), whole.subspan(done, piece));
    const Status written =
        session.device.write(begin * sector_bytes + done, buffer.bytes().first(piece));
    if (!written.ok()) return written;
    done += piece;
  }
  return Status();
}

struct Source {
  std::uint64_t begin;  // bytes
  std::uint64_t bytes;
  std::uint32_t max_peers;
  std::uint32_t slot;
};

Status pick_piece(Session& session, const Source& source, std::uint64_t target, std::uint64_t at,
                  AlignedBuffer& from, AlignedBuffer& to) {
  const std::uint64_t read_at = at * source.max_peers;
  const auto length =
      static_cast<std::size_t>(std::min(piece_bytes * source.max_peers, source.bytes - read_at));
  const Status read = session.device.read(source.begin + read_at, from.bytes().first(length));
  if (!read.ok()) return read;
  fill_bytes(to.bytes(), std::byte{0});
  pick_bitmap(from.bytes().first(length), source.max_peers, source.slot, to.bytes());
  const auto written =
      static_cast<std::size_t>(round_up(ceil_div(length, source.max_peers), block_bytes));
  return session.device.write(target + at, to.bytes().first(written));
}

// The new bitmap lies within the old ones: at their begin, or (internal) at their end. Copied from
// that side no piece is overwritten before it was read.
Status pick_all(Session& session, const Source& source, std::uint64_t target) {
  AlignedBuffer from(static_cast<std::size_t>(piece_bytes * source.max_peers));
  AlignedBuffer to(piece_bytes);
  const std::uint64_t pieces = ceil_div(source.bytes, piece_bytes * source.max_peers);
  const bool backwards = target > source.begin;
  for (std::uint64_t i = 0; i < pieces; ++i) {
    const std::uint64_t at = (backwards ? pieces - 1 - i : i) * piece_bytes;
    const Status picked = pick_piece(session, source, target, at, from, to);
    if (!picked.ok()) return picked;
  }
  return Status();
}

Status write_interim(Session& session, Superblock superblock, const MetadataLayout& layout) {
  superblock.magic = md_magic_unclean;
  superblock.flags |= md_flag_full_sync;
  return write_superblock(session, superblock, layout);
}

Status move_v07(Session& session, const FoundOther& found, const MetadataLayout& layout,
                const Superblock& superblock, ConstBytes bitmap) {
  const Result<std::vector<std::byte>> log =
      read_whole(session, found.activity_log(), found.metadata.stripes.sectors() * sector_bytes);
  if (!log) return log.error();
  Status status = write_interim(session, superblock, layout);
  if (status.ok()) status = write_whole(session, layout.activity_log, *log);
  if (status.ok()) status = write_whole(session, layout.bitmap, bitmap);
  if (status.ok()) status = session.device.flush();
  return status;
}

Status pick_v09(Session& session, const FoundOther& found, const MetadataLayout& layout,
                const Converted& converted) {
  Status status = write_interim(session, converted.superblock, layout);
  const Source source{found.bitmap() * sector_bytes, found.metadata.bitmap_bytes(),
                      found.metadata.max_peers, converted.bitmap_slot};
  if (status.ok()) status = pick_all(session, source, layout.bitmap * sector_bytes);
  if (status.ok()) status = session.device.flush();
  return status;
}

Status fits_here(const Superblock& superblock, const MetadataLayout& layout) {
  if (superblock.la_size_sectors <= layout.data_limit) return Status();
  return Status(Fault::unsupported, "there is no room for meta data of v08 behind its data");
}

}  // namespace

Result<FoundOther> find_other(Session& session) {
  const MetadataLayout layout = layout_of(session, AlStripes());
  if (layout.data_limit == 0) return failure(Fault::too_small, "device for its meta data");
  const bool internal = session.call.index.kind == MetaDiskIndex::Kind::internal;
  if (!internal) return read_at(session, OtherPlace::external, layout.superblock);
  const std::optional<std::uint64_t> fixed = fixed_place(session.sectors());
  if (fixed) {
    Result<FoundOther> found = read_at(session, OtherPlace::fixed, *fixed);
    if (found) return found;
  }
  return read_at(session, OtherPlace::flexible, layout.superblock);
}

void pick_bitmap(ConstBytes interleaved, std::uint32_t max_peers, std::uint32_t slot, Bytes into) {
  constexpr std::size_t word = 4;
  std::size_t to = 0;
  for (std::size_t at = slot * word; at + word <= interleaved.size() && to + word <= into.size();
       at += word * max_peers) {
    copy_bytes(into.subspan(to, word), interleaved.subspan(at, word));
    to += word;
  }
}

Status convert_md(Session& session, const FoundOther& found) {
  const bool v07 = found.metadata.format == OtherMetadata::Format::v07;
  std::vector<std::byte> bitmap;
  if (v07) {
    Result<std::vector<std::byte>> read =
        read_whole(session, found.bitmap(), found.metadata.bitmap_bytes());
    if (!read) return read.error();
    bitmap = std::move(*read);
  }
  Result<Converted> converted = convert(found.metadata, any_bit(bitmap));
  if (!converted) return converted.error();
  Superblock& superblock = converted->superblock;
  const MetadataLayout layout = layout_of(session, found.metadata.stripes);
  Status status = fits_here(superblock, layout);
  if (!status.ok()) return status;
  superblock.md_size_sectors = layout.md_size;
  superblock.al_offset = layout.al_offset;
  superblock.bm_offset = layout.bm_offset;
  superblock.la_peer_max_bio_bytes = session.call.peer_max_bio_bytes;
  const bool moves = layout.bitmap != found.bitmap();
  if (v07 && moves) status = move_v07(session, found, layout, superblock, bitmap);
  if (!v07 && found.metadata.max_peers > 1) status = pick_v09(session, found, layout, *converted);
  if (status.ok()) status = write_superblock(session, superblock, layout);
  // Not when the new areas have grown over it.
  const bool left_behind = found.superblock != layout.superblock &&
                           found.superblock + superblock_bytes / sector_bytes <= layout.bitmap;
  if (!status.ok() || !left_behind) return status;
  status = session.device.zero(found.superblock * sector_bytes, superblock_bytes);
  return status.ok() ? session.device.flush() : status;
}

}  // namespace replicator::metatool
