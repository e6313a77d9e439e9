#include "devices/choice.hpp"

namespace replicator::shim {

std::optional<DeviceWish> parse_device_wish(std::string_view word) noexcept {
  if (word == "auto") return DeviceWish::best;
  if (word == "ublk") return DeviceWish::ublk;
  if (word == "fuse") return DeviceWish::fuse;
  if (word == "none") return DeviceWish::none;
  return std::nullopt;
}

DeviceWays choose(DeviceWish wish, bool ublk_offered) noexcept {
  DeviceWays ways;
  ways.ublk = ublk_offered && (wish == DeviceWish::best || wish == DeviceWish::ublk);
  ways.fuse = wish == DeviceWish::best || wish == DeviceWish::fuse;
  return ways;
}

}  // namespace replicator::shim
