#include "devices/choice.hpp"

#include <gtest/gtest.h>

namespace replicator::shim {
namespace {

TEST(DeviceChoice, EveryWishAndOffer) {
  const struct {
    DeviceWish wish;
    bool offered;
    DeviceWays ways;
  } cases[] = {
      {DeviceWish::best, true, {true, true}},   {DeviceWish::best, false, {false, true}},
      {DeviceWish::ublk, true, {true, false}},  {DeviceWish::ublk, false, {false, false}},
      {DeviceWish::fuse, true, {false, true}},  {DeviceWish::fuse, false, {false, true}},
      {DeviceWish::none, true, {false, false}}, {DeviceWish::none, false, {false, false}},
  };
  for (const auto& each : cases)
    EXPECT_EQ(choose(each.wish, each.offered), each.ways) << static_cast<int>(each.wish);
}

TEST(DeviceChoice, Words) {
  EXPECT_EQ(parse_device_wish("auto"), DeviceWish::best);
  EXPECT_EQ(parse_device_wish("ublk"), DeviceWish::ublk);
  EXPECT_EQ(parse_device_wish("fuse"), DeviceWish::fuse);
  EXPECT_EQ(parse_device_wish("none"), DeviceWish::none);
  for (const char* word : {"", "loop", "Auto", "ublk "})
    EXPECT_EQ(parse_device_wish(word), std::nullopt) << word;
}

}  // namespace
}  // namespace replicator::shim
