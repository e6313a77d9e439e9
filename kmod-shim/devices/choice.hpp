// Which ways to a block device are taken. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace replicator::shim {

enum class DeviceWish : std::uint8_t {
  best,  // what the kernel has; another way for a device that the best one has no room for
  ublk,
  nbd,
  fuse,
  none,
};
std::optional<DeviceWish> parse_device_wish(std::string_view word) noexcept;

// What the kernel has.
struct DeviceOffers {
  bool ublk = false;
  bool nbd = false;
};

// In this order: a way is taken for a device that the one before has no room for.
struct DeviceWays {
  bool ublk = false;
  bool nbd = false;
  bool fuse = false;
  [[nodiscard]] bool any() const noexcept { return ublk || nbd || fuse; }
  bool operator==(const DeviceWays&) const = default;
};
DeviceWays choose(DeviceWish wish, const DeviceOffers& offers) noexcept;

}  // namespace replicator::shim
