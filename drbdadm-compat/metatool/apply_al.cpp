#include <algorithm>
#include <bit>

#include "metadata/activity_log_83.hpp"
#include "metadata/activity_log_format.hpp"
#include "metatool/commands.hpp"

namespace replicator::metatool {

namespace {

constexpr std::uint64_t extent_bitmap_bytes = extent_bytes / block_bytes / 8;
constexpr std::uint64_t ring_bytes_max = al_blocks_max * al_block_bytes;

std::uint64_t count_set(ConstBytes bytes) noexcept {
  std::uint64_t set = 0;
  for (const std::byte byte : bytes) {
    set += static_cast<std::uint64_t>(std::popcount(std::to_integer<unsigned>(byte)));
  }
  return set;
}

// Sets the bits of all extents (ascending) in the bitmap on disk; how many were clear before.
Result<std::uint64_t> mark(Session& session, const MetadataOnDisk& found,
                           const std::vector<std::uint32_t>& extents) {
  const std::uint64_t begin = found.layout.bitmap * sector_bytes;
  const std::uint64_t total = found.bitmap_bytes();
  AlignedBuffer buffer(block_bytes);
  std::uint64_t marked = 0;
  for (std::size_t i = 0; i < extents.size();) {
    const std::uint64_t page = extents[i] * extent_bitmap_bytes / block_bytes * block_bytes;
    if (page >= total) {
      session.console.err("extent {} beyond end of bitmap!\n", extents[i++]);
      continue;
    }
    const std::uint64_t length = std::min(block_bytes, total - page);
    const Bytes bytes = buffer.bytes().first(static_cast<std::size_t>(length));
    const Status read = session.device.read(begin + page, bytes);
    if (!read.ok()) return tl::unexpected<Status>(read);
    const std::uint64_t before = count_set(bytes);
    for (; i < extents.size(); ++i) {
      const std::uint64_t at = extents[i] * extent_bitmap_bytes - page;
      if (at >= block_bytes) break;
      if (at >= length) {
        session.console.err("extent {} beyond end of bitmap!\n", extents[i]);
        continue;
      }
      const std::uint64_t count = std::min(extent_bitmap_bytes, length - at);
      fill_bytes(bytes.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count)),
                 std::byte{0xff});
    }
    marked += count_set(bytes) - before;
    const Status written = session.device.write(begin + page, bytes);
    if (!written.ok()) return tl::unexpected<Status>(written);
  }
  const Status flushed = session.device.flush();
  if (!flushed.ok()) return tl::unexpected<Status>(flushed);
  return marked;
}

bool all_initialized(ConstBytes ring) {
  AlTransaction transaction;
  for (std::size_t at = 0; at < ring.size(); at += al_block_bytes) {
    const ConstBytes block = ring.subspan(at, al_block_bytes);
    if (decode_al_block(block, transaction) != AlBlockKind::initialized) return false;
  }
  return true;
}

Status initialise_ring(Session& session, const MetadataOnDisk& found, Bytes ring) {
  for (std::size_t at = 0; at < ring.size(); at += al_block_bytes) {
    encode_al_initialized(ring.subspan(at, al_block_bytes));
  }
  const std::uint64_t begin = found.layout.activity_log * sector_bytes;
  const Status written = session.device.write(begin, ring);
  return written.ok() ? session.device.flush() : written;
}

int failed(Session& session, const Status& status) {
  report(session, status);
  return exit_failed;
}

// The first time after an upgrade. A log of that kind without a single transaction is no error: the
// node was never Primary.
std::vector<std::uint32_t> extents_of_83(Session& session, const MetadataOnDisk& found,
                                         ConstBytes ring) {
  ActivityLog83 log = replay_activity_log_83(ring, found.superblock.al_extents);
  if (log.valid == 0) {
    session.console.err("No usable activity log found.\n");
  } else if (log.valid != log.sectors) {
    session.console.err(
        "{} corrupt or uninitialized AL transactions found\n"
        "You can safely ignore this if this node was cleanly stopped (no crash).\n",
        log.sectors - log.valid);
  }
  if ((found.superblock.flags & md_flag_primary) == 0) log.hot.clear();
  return std::move(log.hot);
}

// The extents to mark; an unusable log matters only to a node that was Primary.
Result<std::vector<std::uint32_t>> extents_to_mark(Session& session, const MetadataOnDisk& found,
                                                   ConstBytes ring) {
  const bool primary = (found.superblock.flags & md_flag_primary) != 0;
  if (is_activity_log_83(found.superblock, ring)) return extents_of_83(session, found, ring);
  Result<std::vector<std::uint32_t>> hot = replay_activity_log(ring, found.superblock.stripes());
  const bool applied = (found.superblock.flags & md_flag_al_clean) != 0;
  if (!hot && (!primary || applied)) {
    session.console.err("{}\nError ignored, no need to apply the AL\n", hot.error().where());
    return std::vector<std::uint32_t>();
  }
  if (hot && !primary) hot->clear();
  return hot;
}

}  // namespace

int apply_al(Session& session) {
  Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  Superblock& superblock = found->superblock;
  const std::uint64_t ring_bytes = superblock.stripes().blocks() * al_block_bytes;
  if (ring_bytes > ring_bytes_max) {
    session.console.err("{}: activity logs of more than {} are not supported\n",
                        session.device.name(), size_text(ring_bytes_max / 1024));
    return exit_failed;
  }
  AlignedBuffer buffer(static_cast<std::size_t>(ring_bytes));
  const Bytes ring = buffer.bytes();
  const Status read = session.device.read(found->layout.activity_log * sector_bytes, ring);
  if (!read.ok()) return failed(session, read);
  const bool empty = all_initialized(ring);
  if (empty && superblock.clean()) return exit_ok;

  const Result<std::vector<std::uint32_t>> hot = extents_to_mark(session, *found, ring);
  if (!hot) {
    session.console.err("{}\nNo usable activity log found. Do you need to create-md?\n",
                        hot.error().where());
    return exit_failed;
  }
  if (!hot->empty()) {
    const Result<std::uint64_t> marked = mark(session, *found, *hot);
    if (!marked) return failed(session, marked.error());
    session.console.err("Marked additional {} as out-of-sync based on AL.\n",
                        size_text(*marked * block_bytes / 1024));
  }
  superblock.flags |= md_flag_al_clean;
  if (!empty) {
    // From here on nobody needs the log, which an interruption would leave damaged; but nobody may
    // take the device into use before the log is empty, hence still the unclean magic.
    superblock.magic = md_magic_unclean;
    const Status applied = write_superblock(session, superblock, found->layout);
    if (!applied.ok()) return failed(session, applied);
    const Status emptied = initialise_ring(session, *found, ring);
    if (!emptied.ok()) return failed(session, emptied);
  }
  superblock.magic = md_magic_v08;
  const Status written = write_superblock(session, superblock, found->layout);
  if (written.ok()) return exit_ok;
  report(session, written);
  session.console.err("update of super block flags failed\n");
  return exit_failed;
}

}  // namespace replicator::metatool
