#include "command/generations_text.hpp"
#include "metatool/commands.hpp"
#include "metatool/generations_text.hpp"

namespace replicator::metatool {

namespace {

int store(Session& session, const MetadataOnDisk& found) {
  const Status written = write_superblock(session, found.superblock, found.layout);
  if (written.ok()) return exit_ok;
  report(session, written);
  session.console.err("update failed\n");
  return exit_failed;
}

}  // namespace

int get_gi(Session& session) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  session.console.out("{}\n", generations_text(found->superblock));
  return exit_ok;
}

int show_gi(Session& session) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  const Superblock& superblock = found->superblock;
  Console& console = session.console;
  console.out("{}", command::under_legend(generations_text(superblock)));
  console.out("flags: {}\n", flags_text(superblock));
  const bool applied = (superblock.flags & md_flag_al_clean) != 0;
  console.out("meta-data: {}\n", applied ? "clean" : "need apply-al");
  if (superblock.la_size_sectors == 0) {
    console.out("zero size device -- never seen peer yet?\n");
    return exit_ok;
  }
  console.out("last agreed size: {} ({} sectors)\n", size_text(superblock.la_size_sectors / 2),
              superblock.la_size_sectors);
  console.out("last agreed max bio size: {} Byte\n", superblock.la_peer_max_bio_bytes);
  return exit_ok;
}

int set_gi(Session& session) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  const std::string& wanted = session.call.arguments.front();
  const std::optional<Superblock> changed = with_generations(found->superblock, wanted);
  if (!changed) {
    session.console.err("'{}' are not generation identifiers\n", wanted);
    return exit_range;
  }
  session.console.out("previously {}\nset GI to  {}\n", generations_text(found->superblock),
                      generations_text(*changed));
  if (!session.console.confirm("Write new GI to disk?")) {
    session.console.out("Operation canceled.\n");
    return exit_failed;
  }
  return store(session, MetadataOnDisk{*changed, found->layout});
}

int dstate(Session& session) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  session.console.out("{}\n", disk_state_text(found->superblock));
  return exit_ok;
}

int outdate(Session& session) {
  Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  if ((found->superblock.flags & md_flag_consistent) == 0) {
    session.console.err("Device is inconsistent.\n");
    return exit_inconsistent;
  }
  found->superblock.flags &= ~md_flag_was_up_to_date;
  return store(session, *found);
}

int invalidate(Session& session) {
  Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  found->superblock.flags &= ~(md_flag_consistent | md_flag_was_up_to_date);
  found->superblock.flags |= md_flag_full_sync;
  return store(session, *found);
}

int read_dev_uuid(Session& session) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  session.console.out("{:016X}\n", found->superblock.device_uuid);
  return exit_ok;
}

int write_dev_uuid(Session& session) {
  Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  const std::optional<std::uint64_t> uuid = parse_hex(session.call.arguments.front());
  if (!uuid) {
    session.console.err("'{}' is not a device identifier\n", session.call.arguments.front());
    return exit_range;
  }
  found->superblock.device_uuid = *uuid;
  return store(session, *found);
}

}  // namespace replicator::metatool
