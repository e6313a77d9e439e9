#include "metatool/disk_facts.hpp"

#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "metatool/existing_data.hpp"
#include "metatool/file_meta_device.hpp"
#include "metatool/session.hpp"

namespace replicator::metatool {
namespace {

using Opened = Result<std::unique_ptr<MetaDevice>>;

Opened open_shared(const std::string& path, bool& in_use) {
  OpenRequest request{path, true, false};
  Opened device = open_meta_device(request);
  if (device || device.error().fault() != Fault::busy) return device;
  in_use = true;
  request.share = true;
  return open_meta_device(request);
}

std::string why(const std::string& path, const Status& status) {
  const std::string reason = status.error_number() != 0
                                 ? std::string(std::strerror(status.error_number()))
                                 : std::string(text(status.fault()));
  return path + ": " + reason;
}

}  // namespace

DiskFacts look_at_disk(const std::string& disk, const std::string& meta_disk, MetaDiskIndex index) {
  DiskFacts facts;
  const Opened data = open_shared(disk, facts.in_use);
  if (!data) {
    facts.problem = why(disk, data.error());
    return facts;
  }
  const bool internal = index.kind == MetaDiskIndex::Kind::internal;
  const Opened other = internal ? Opened() : open_shared(meta_disk, facts.in_use);
  if (!internal && !other) {
    facts.problem = why(meta_disk, other.error());
    return facts;
  }
  MetaDevice& meta = internal ? **data : **other;
  const std::uint64_t data_sectors = (*data)->size() / sector_bytes;
  const MetadataLayout layout =
      place_metadata(index, data_sectors, meta.size() / sector_bytes, AlStripes());
  facts.data_kib = layout.data_limit / 2;
  MetaCall call;
  call.index = index;
  call.meta_device = meta_disk;
  Console silent(stdin, stdout, stderr, true);
  Session session{call, meta, silent, true};
  if (const Result<MetadataOnDisk> found = read_metadata(session)) {
    facts.metadata = true;
    facts.agreed_kib = found->superblock.la_size_sectors / 2;
  }
  const Result<ExistingData> existing = find_existing_data(**data);
  if (existing && existing->kind != ExistingData::Kind::unknown) facts.content = existing->name;
  return facts;
}

}  // namespace replicator::metatool
