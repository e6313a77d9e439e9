// Which ublk devices are ours, on disk under /run, so that a daemon that was killed can take them
// over when it comes back. One file for each minor. A device is known by its number and by a random
// token that the driver keeps for its server: numbers are used again, and other nodes of the same
// kernel have devices too. Calls wait for the file system (of memory) only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ublk/driver_interface.hpp"

namespace replicator::shim::ublk {

struct Record {
  std::uint32_t minor = 0;
  std::uint32_t id = 0;  // of the ublk device
  std::uint64_t token = 0;
  // The volume's data are no longer what the users of the device have seen.
  bool outdated = false;
  std::string volume;  // RESOURCE-NUMBER
  bool operator==(const Record&) const = default;
};

std::string text(const Record& record);
std::optional<Record> parse_record(std::uint32_t minor, std::string_view text);

// What becomes of a device that the record names; `asked` is what the driver answered, 0 or -errno.
enum class Fate : std::uint8_t {
  not_ours,  // or gone
  waits,     // for a server; its users wait with it
  useless,
};
Fate fate(const Record& record, std::int32_t asked, const DeviceInfo& info) noexcept;

Status write_record(const Record& record);
void remove_record(std::uint32_t minor) noexcept;
std::optional<Record> read_record(std::uint32_t minor);
std::vector<Record> read_records();

}  // namespace replicator::shim::ublk
