#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "devices/device_users.hpp"
#include "doctor/gather.hpp"
#include "metatool/existing_data.hpp"
#include "metatool/file_meta_device.hpp"
#include "metatool/session.hpp"

namespace replicator::doctor {

namespace {

using metatool::MetaDevice;
using Opened = std::unique_ptr<MetaDevice>;

std::string why(const std::string& path, const Status& status) {
  const char* const reason =
      status.error_number() != 0 ? std::strerror(status.error_number()) : status.where();
  return path + ": " + reason;
}

// Who has it, but for our daemon.
std::vector<std::string> users_of(const std::string& path, std::uint32_t daemon_pid, bool& ours) {
  std::vector<std::string> users;
  struct stat about{};
  if (stat(path.c_str(), &about) != 0 || !S_ISBLK(about.st_mode)) return users;
  for (const shim::DeviceUser& user : shim::find_device_users(about.st_rdev)) {
    const bool daemon =
        user.kind == shim::DeviceUser::Kind::process && daemon_pid != 0 && user.pid == daemon_pid;
    ours = ours || daemon;
    if (!daemon) users.push_back(shim::text(user));
  }
  return users;
}

// Ours: the daemon has it for this volume, or as the meta disk of several.
Opened open_disk(DiskState& disk, bool attached, bool shared, std::uint32_t daemon_pid) {
  metatool::OpenRequest request{disk.path, true, attached};
  Result<Opened> opened = metatool::open_meta_device(request);
  if (!opened && opened.error().fault() == Fault::busy) {
    bool ours = false;
    disk.users = users_of(disk.path, daemon_pid, ours);
    disk.in_use = !(shared && ours && disk.users.empty());
    request.share = true;
    opened = metatool::open_meta_device(request);
  }
  if (opened) return std::move(*opened);
  disk.problem = why(disk.path, opened.error());
  return nullptr;
}

void look_at_metadata(VolumeFacts& facts, const config::LocalVolume& volume, MetaDevice& data,
                      MetaDevice& meta) {
  metatool::MetaCall call;
  call.index = volume.meta_index;
  call.meta_device = meta.name();
  metatool::Console silent(stdin, stdout, stderr, true);
  metatool::Session session{call, meta, silent, true};
  const Result<metatool::MetadataOnDisk> found = metatool::read_metadata(session);
  const AlStripes stripes = found ? found->superblock.stripes() : AlStripes();
  facts.data_kib = place_metadata(volume.meta_index, data.size() / sector_bytes,
                                  meta.size() / sector_bytes, stripes)
                       .data_limit /
                   2;
  if (found) {
    facts.metadata = true;
    facts.agreed_kib = found->superblock.la_size_sectors / 2;
    facts.unclean = !found->superblock.clean();
    facts.crashed_primary = (found->superblock.flags & md_flag_primary) != 0;
    return;
  }
  if (found.error().fault() != Fault::no_metadata) {
    facts.metadata_problem =
        std::string(text(found.error().fault())) + ": " +
        (found.error().error_number() != 0 ? std::strerror(found.error().error_number())
                                           : found.error().where());
    return;
  }
  const Result<metatool::ExistingData> existing = metatool::find_existing_data(data);
  if (existing && existing->kind != metatool::ExistingData::Kind::unknown)
    facts.content = existing->name;
}

}  // namespace

VolumeFacts gather_volume(const std::string& resource, const config::LocalVolume& volume,
                          const VolumeStatus* running, std::uint32_t daemon_pid) {
  VolumeFacts facts;
  facts.name = resource + "/" + std::to_string(volume.number);
  facts.minor = volume.minor;
  facts.diskless = volume.diskless();
  if (facts.diskless) return facts;
  facts.attached = running != nullptr && !running->backing_disk.empty();
  facts.disk.path = volume.disk;
  const Opened data = open_disk(facts.disk, facts.attached, false, daemon_pid);
  Opened other;
  const bool internal = volume.meta_index.kind == MetaDiskIndex::Kind::internal;
  if (!internal) {
    facts.meta_disk = DiskState{};
    facts.meta_disk->path = volume.meta_disk;
    other = open_disk(*facts.meta_disk, facts.attached || volume.meta_disk == volume.disk, true,
                      daemon_pid);
  }
  MetaDevice* const meta = internal ? data.get() : other.get();
  if (data != nullptr && meta != nullptr) look_at_metadata(facts, volume, *data, *meta);
  return facts;
}

}  // namespace replicator::doctor
