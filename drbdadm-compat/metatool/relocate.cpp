#include "metatool/relocate.hpp"

#include <algorithm>

namespace replicator::metatool {

namespace {

constexpr std::uint64_t piece_bytes = 1U << 20U;

Session in_old_place(const Session& session, const LastKnown& last_known) {
  Session old = session;
  old.capacity = last_known.bytes;
  return old;
}

int failed(Session& session, const Status& status) {
  report(session, status);
  session.console.err("operation failed\n");
  return exit_failed;
}

Status copy(Session& session, std::uint64_t from, std::uint64_t to, std::uint64_t length) {
  AlignedBuffer buffer(piece_bytes);
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t piece = std::min(piece_bytes, length - done);
    const Bytes bytes = buffer.bytes().first(static_cast<std::size_t>(piece));
    const Status read = session.device.read(from + done, bytes);
    if (!read.ok()) return read;
    const Status written = session.device.write(to + done, bytes);
    if (!written.ok()) return written;
    done += piece;
  }
  return Status();
}

// The new bitmap begins as a copy of the old one; what it has beyond that is zero.
Status copy_areas(Session& session, const MetadataOnDisk& old, const MetadataLayout& fresh) {
  const std::uint64_t bitmap = fresh.bitmap * sector_bytes;
  const Status zeroed = session.device.zero(bitmap, fresh.bitmap_sectors * sector_bytes);
  if (!zeroed.ok()) return zeroed;
  const Status bits = copy(session, old.layout.bitmap * sector_bytes, bitmap, old.bitmap_bytes());
  if (!bits.ok()) return bits;
  const Status log =
      copy(session, old.layout.activity_log * sector_bytes, fresh.activity_log * sector_bytes,
           old.superblock.stripes().sectors() * sector_bytes);
  return log.ok() ? session.device.flush() : log;
}

Status move(Session& session, const MetadataOnDisk& old, const MetadataLayout& fresh) {
  const Status areas = copy_areas(session, old, fresh);
  if (!areas.ok()) return areas;
  Superblock superblock = old.superblock;
  superblock.md_size_sectors = fresh.md_size;
  superblock.al_offset = fresh.al_offset;
  superblock.bm_offset = fresh.bm_offset;
  const Status written = write_superblock(session, superblock, fresh);
  if (!written.ok()) return written;
  const Status wiped = session.device.zero(old.layout.superblock * sector_bytes, superblock_bytes);
  return wiped.ok() ? session.device.flush() : wiped;
}

}  // namespace

std::optional<LastKnown> find_displaced(Session& session) {
  const MetaCall& call = session.call;
  if (call.index.kind != MetaDiskIndex::Kind::internal || !call.minor) return std::nullopt;
  const std::optional<LastKnown> known = load_last_known(session.state_directory, *call.minor);
  if (!known || known->bytes >= session.device.size()) return std::nullopt;
  if (read_metadata(session)) return std::nullopt;
  Session old = in_old_place(session, *known);
  const Result<MetadataOnDisk> found = read_metadata(old);
  if (!found) return std::nullopt;
  const std::uint64_t uuid = found->superblock.device_uuid;
  if (uuid == known->device_uuid) return known;
  session.console.err("Last known and found uuid differ!?\n{:016X} != {:016X}\n",
                      known->device_uuid, uuid);
  if (!call.force) {
    session.console.err("You may --force me to ignore that.\n");
    return std::nullopt;
  }
  session.console.err("You --force'ed me to ignore that.\n");
  return known;
}

int move_to_the_end(Session& session, const LastKnown& last_known) {
  session.console.err("Moving the internal meta data to its proper location\n");
  Session old_session = in_old_place(session, last_known);
  const Result<MetadataOnDisk> old = read_metadata(old_session);
  if (!old) return without_metadata(old_session, old.error());
  const MetadataLayout fresh = layout_of(session, old->superblock.stripes());
  if (fresh.bitmap < old->layout.superblock + superblock_bytes / sector_bytes) {
    session.console.err(
        "{} grew from {} to {} bytes: too little to move {} kB of meta data out of its own way.\n"
        "Grow it further, or shrink it back to the old size.\n",
        session.device.name(), last_known.bytes, session.device.size(), fresh.md_size / 2);
    return exit_failed;
  }
  const Status moved = move(session, *old, fresh);
  if (!moved.ok()) return failed(session, moved);
  session.console.out("Internal drbd meta data successfully moved.\n");
  return exit_ok;
}

void remember_size(Session& session) {
  const MetaCall& call = session.call;
  if (call.index.kind != MetaDiskIndex::Kind::internal || !call.minor) return;
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return forget_last_known(session.state_directory, *call.minor);
  const LastKnown now{session.device.size(), session.device.name(), found->superblock.device_uuid};
  const std::optional<LastKnown> before = load_last_known(session.state_directory, *call.minor);
  if (before == now) return;
  const Status saved = save_last_known(session.state_directory, *call.minor, now);
  if (saved.ok()) return;
  session.console.err(
      "the size of {} could not be noted under {}; its meta data would not be found after the\n"
      "device has grown\n",
      session.device.name(), session.state_directory);
}

}  // namespace replicator::metatool
