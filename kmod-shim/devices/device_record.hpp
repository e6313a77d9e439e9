// Which devices of a driver of the kernel are ours, on disk under /run, so that a daemon that was
// killed can take them over when it comes back. One file for each minor. A device is known by its
// number and by a random token that the driver keeps for its server: numbers are used again, and
// other nodes of the same kernel have devices too. Calls wait for the file system (of memory) only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace replicator::shim {

struct DeviceRecord {
  std::uint32_t minor = 0;
  std::uint32_t id = 0;  // of the driver's device
  std::uint64_t token = 0;
  // The volume's data are no longer what the users of the device have seen.
  bool outdated = false;
  std::string volume;  // RESOURCE-NUMBER
  bool operator==(const DeviceRecord&) const = default;
};

std::string text(const DeviceRecord& record);
std::optional<DeviceRecord> parse_record(std::uint32_t minor, std::string_view text);

// Those of one driver.
class DeviceRecords {
 public:
  explicit constexpr DeviceRecords(const char* folder) noexcept : folder_(folder) {}
  Status write(const DeviceRecord& record) const;
  void remove(std::uint32_t minor) const noexcept;
  [[nodiscard]] std::optional<DeviceRecord> read(std::uint32_t minor) const;
  [[nodiscard]] std::vector<DeviceRecord> all() const;

 private:
  [[nodiscard]] std::string path_of(std::uint32_t minor) const;

  const char* folder_;
};

inline constexpr DeviceRecords ublk_records("/run/pollux/ublk");
inline constexpr DeviceRecords nbd_records("/run/pollux/nbd-devices");

}  // namespace replicator::shim
