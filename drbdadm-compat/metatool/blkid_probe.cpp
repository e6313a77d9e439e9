// The only place that knows libblkid.
#include <blkid/blkid.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/units.hpp"
#include "metatool/existing_data.hpp"

namespace replicator::metatool {

namespace {

constexpr std::size_t looked_at = 128U << 10U;  // where unknown content is searched for

struct FreeProbe {
  void operator()(blkid_probe probe) const noexcept { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, FreeProbe>;

std::string value_of(blkid_probe probe, const char* name) {
  const char* data = nullptr;
  std::size_t length = 0;
  if (blkid_probe_lookup_value(probe, name, &data, &length) != 0 || data == nullptr) return {};
  return std::string(data);
}

// Where the last partition ends.
std::optional<std::uint64_t> partitioned_bytes(blkid_probe probe) {
  blkid_partlist list = blkid_probe_get_partitions(probe);
  if (list == nullptr) return std::nullopt;
  std::uint64_t end = 0;
  for (int i = 0; i < blkid_partlist_numof_partitions(list); ++i) {
    blkid_partition part = blkid_partlist_get_partition(list, i);
    const auto start = static_cast<std::uint64_t>(blkid_partition_get_start(part));
    const auto size = static_cast<std::uint64_t>(blkid_partition_get_size(part));
    end = std::max(end, (start + size) * sector_bytes);
  }
  return end;
}

// The names under which the original tool knows them; ext4 is one of its ext3.
std::string filesystem_name(const std::string& type) {
  if (type == "ext4" || type == "ext4dev") return "ext3 filesystem";
  if (type == "reiserfs") return "reiser filesystem";
  if (type == "jfs") return "JFS filesystem";
  return type + " filesystem";
}

ExistingData describe(blkid_probe probe, ConstBytes begin) {
  const std::string type = value_of(probe, "TYPE");
  const std::string usage = value_of(probe, "USAGE");
  const std::string table = value_of(probe, "PTTYPE");
  if (usage == "filesystem") {
    return {ExistingData::Kind::filesystem, filesystem_name(type), filesystem_bytes(type, begin)};
  }
  if (type == "swap") return {ExistingData::Kind::other, "swap space signature", std::nullopt};
  if (type == "LVM2_member") {
    return {ExistingData::Kind::other, "LVM2 physical volume signature", std::nullopt};
  }
  if (!type.empty()) return {ExistingData::Kind::other, type + " signature", std::nullopt};
  if (!table.empty()) {
    return {ExistingData::Kind::other, table + " partition table", partitioned_bytes(probe)};
  }
  return {ExistingData::Kind::unknown, "some data", std::nullopt};
}

}  // namespace

Result<ExistingData> find_existing_data(MetaDevice& device) {
  AlignedBuffer buffer(static_cast<std::size_t>(
      std::min<std::uint64_t>(looked_at, round_down(device.size(), block_bytes))));
  const Status read = device.read(0, buffer.bytes());
  if (!read.ok()) return tl::unexpected<Status>(read);
  const Probe probe(blkid_new_probe());
  // DRBD's own meta data is what this tool writes, and asks about elsewhere.
  char drbd[] = "drbd";
  char* ours[] = {drbd, nullptr};
  if (probe == nullptr ||
      blkid_probe_set_device(probe.get(), device.probe_descriptor(), 0, 0) != 0 ||
      blkid_probe_enable_superblocks(probe.get(), 1) != 0 ||
      blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE) != 0 ||
      blkid_probe_filter_superblocks_type(probe.get(), BLKID_FLTR_NOTIN, ours) != 0 ||
      blkid_probe_enable_partitions(probe.get(), 1) != 0) {
    return failure(Fault::io_error, "probing for existing data", errno != 0 ? errno : EIO);
  }
  constexpr int nothing = 1;
  constexpr int ambiguous = -2;
  const int found = blkid_do_safeprobe(probe.get());
  if (found == 0) return describe(probe.get(), buffer.bytes());
  if (found == ambiguous) {
    return ExistingData{ExistingData::Kind::other, "several signatures", std::nullopt};
  }
  if (found != nothing) return failure(Fault::io_error, "probing for existing data", EIO);
  if (all_zero(buffer.bytes())) return ExistingData();
  return ExistingData{ExistingData::Kind::unknown, "some data", std::nullopt};
}

}  // namespace replicator::metatool
