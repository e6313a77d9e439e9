// Which way to a block device is taken. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace replicator::shim {

enum class DeviceWish : std::uint8_t {
  best,  // what the kernel has; another way for a device that the best one has no room for
  ublk,
  fuse,
  none,
};
std::optional<DeviceWish> parse_device_wish(std::string_view word) noexcept;

struct DeviceWays {
  bool ublk = false;
  bool fuse = false;
  bool operator==(const DeviceWays&) const = default;
};
// Both: ublk first.
DeviceWays choose(DeviceWish wish, bool ublk_offered) noexcept;

}  // namespace replicator::shim
