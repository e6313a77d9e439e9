#include "metatool/session.hpp"

#include <algorithm>
#include <cstring>

#include "metatool/relocate.hpp"

namespace replicator::metatool {

std::uint64_t MetadataOnDisk::bitmap_bytes() const noexcept {
  const std::uint64_t bits = ceil_div(superblock.la_size_sectors, sectors_per_block);
  return std::min(round_up(ceil_div(bits, 64) * 8, block_bytes),
                  layout.bitmap_sectors * sector_bytes);
}

MetadataLayout layout_of(const Session& session, AlStripes stripes) noexcept {
  const std::uint64_t capacity = session.sectors();
  const bool internal = session.call.index.kind == MetaDiskIndex::Kind::internal;
  // The data device is not known for external meta data; it limits nothing here.
  return place_metadata(session.call.index, internal ? capacity : device_sectors_max, capacity,
                        stripes);
}

Result<MetadataOnDisk> read_metadata(Session& session) {
  const MetadataLayout place = layout_of(session, AlStripes());
  if (place.data_limit == 0) return failure(Fault::too_small, "device for its meta data");
  AlignedBuffer block(superblock_bytes);
  const Status read = session.device.read(place.superblock * sector_bytes, block.bytes());
  if (!read.ok()) return tl::unexpected<Status>(read);
  const Result<Superblock> parsed = parse_superblock(block.bytes());
  if (!parsed) return tl::unexpected<Status>(parsed.error());
  const std::uint64_t capacity = session.sectors();
  const bool internal = session.call.index.kind == MetaDiskIndex::Kind::internal;
  const Status fits = check_geometry(*parsed, session.call.index,
                                     internal ? capacity : device_sectors_max, capacity);
  if (!fits.ok()) return tl::unexpected<Status>(fits);
  MetadataOnDisk found{*parsed, layout_of(session, parsed->stripes())};
  if (!internal) {
    // The device may have grown since.
    found.layout.md_size = parsed->md_size_sectors;
    found.layout.bitmap_sectors =
        parsed->md_size_sectors - static_cast<std::uint32_t>(parsed->bm_offset);
  }
  return found;
}

Status write_superblock(Session& session, const Superblock& superblock,
                        const MetadataLayout& layout) {
  AlignedBuffer block(superblock_bytes);
  serialise(superblock, block.bytes());
  const Status written = session.device.write(layout.superblock * sector_bytes, block.bytes());
  return written.ok() ? session.device.flush() : written;
}

void report(Session& session, const Status& status) {
  const std::string reason = status.error_number() != 0
                                 ? std::string(std::strerror(status.error_number()))
                                 : std::string(text(status.fault()));
  session.console.err("{}: {} failed: {}\n", session.device.name(), status.where(), reason);
}

int without_metadata(Session& session, const Status& status) {
  if (status.fault() == Fault::io_error) {
    report(session, status);
  } else if (status.fault() != Fault::no_metadata) {
    session.console.err("{}: {}: {}\n", session.device.name(), text(status.fault()),
                        status.where());
  }
  session.console.err("No valid meta data found\n");
  const std::optional<LastKnown> displaced = find_displaced(session);
  if (displaced) {
    session.console.err(
        "It still lies where {} ended when it had {} bytes; check-resize moves it.\n",
        session.device.name(), displaced->bytes);
  }
  return exit_failed;
}

}  // namespace replicator::metatool
