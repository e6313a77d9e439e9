// One run of drbdmeta on one opened device, and the meta data found there.
#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "metadata/layout.hpp"
#include "metadata/superblock.hpp"
#include "metatool/console.hpp"
#include "metatool/last_known.hpp"
#include "metatool/meta_call.hpp"
#include "metatool/meta_device.hpp"

namespace replicator::metatool {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_inconsistent = 5;
inline constexpr int exit_range = 10;
inline constexpr int exit_usage = 20;
inline constexpr int exit_data_in_the_way = 40;

struct Session {
  const MetaCall& call;
  MetaDevice& device;
  Console& console;
  bool stale = false;  // somebody else uses the device meanwhile; read only
  std::string state_directory = last_known_directory;
  std::uint64_t capacity = 0;  // bytes; not 0: as if the device were as small as that

  [[nodiscard]] std::uint64_t sectors() const noexcept {
    return (capacity != 0 ? capacity : device.size()) / sector_bytes;
  }
};

struct MetadataOnDisk {
  Superblock superblock;
  MetadataLayout layout;

  // On disk, for the last agreed size: whole pages where the area has them.
  [[nodiscard]] std::uint64_t bitmap_bytes() const noexcept;
};

// Where meta data of this shape would lie on the session's device.
MetadataLayout layout_of(const Session& session, AlStripes stripes) noexcept;
// Any meta data that this tool knows; geometry checked. Faults as of parse_superblock and
// check_geometry.
Result<MetadataOnDisk> read_metadata(Session& session);
// Writes the superblock and waits until it is stable.
Status write_superblock(Session& session, const Superblock& superblock,
                        const MetadataLayout& layout);
// "DEVICE: write failed: No space left on device"
void report(Session& session, const Status& status);
// Says why there is no meta data to work on; the exit code.
int without_metadata(Session& session, const Status& status);

}  // namespace replicator::metatool
