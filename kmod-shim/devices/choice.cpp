#include "devices/choice.hpp"

namespace replicator::shim {

std::optional<DeviceWish> parse_device_wish(std::string_view word) noexcept {
  if (word == "auto") return DeviceWish::best;
  if (word == "ublk") return DeviceWish::ublk;
  if (word == "nbd") return DeviceWish::nbd;
  if (word == "fuse") return DeviceWish::fuse;
  if (word == "none") return DeviceWish::none;
  return std::nullopt;
}

DeviceWays choose(DeviceWish wish, const DeviceOffers& offers) noexcept {
  const bool best = wish == DeviceWish::best;
  DeviceWays ways;
  ways.ublk = offers.ublk && (best || wish == DeviceWish::ublk);
  ways.nbd = offers.nbd && (best || wish == DeviceWish::nbd);
  ways.fuse = best || wish == DeviceWish::fuse;
  return ways;
}

}  // namespace replicator::shim
