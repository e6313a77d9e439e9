#include "devices/choice.hpp"

#include <gtest/gtest.h>

namespace replicator::shim {
namespace {

TEST(DeviceChoice, EveryWishAndOffer) {
  const struct {
    DeviceWish wish;
    DeviceOffers offers;
    DeviceWays ways;
  } cases[] = {
      {DeviceWish::best, {true, true}, {true, true, true}},
      {DeviceWish::best, {true, false}, {true, false, true}},
      {DeviceWish::best, {false, true}, {false, true, true}},
      {DeviceWish::best, {false, false}, {false, false, true}},
      {DeviceWish::ublk, {true, true}, {true, false, false}},
      {DeviceWish::ublk, {false, true}, {false, false, false}},
      {DeviceWish::nbd, {true, true}, {false, true, false}},
      {DeviceWish::nbd, {true, false}, {false, false, false}},
      {DeviceWish::fuse, {true, true}, {false, false, true}},
      {DeviceWish::fuse, {false, false}, {false, false, true}},
      {DeviceWish::none, {true, true}, {false, false, false}},
      {DeviceWish::none, {false, false}, {false, false, false}},
  };
  for (const auto& each : cases)
    EXPECT_EQ(choose(each.wish, each.offers), each.ways)
        << static_cast<int>(each.wish) << each.offers.ublk << each.offers.nbd;
}

TEST(DeviceChoice, Words) {
  EXPECT_EQ(parse_device_wish("auto"), DeviceWish::best);
  EXPECT_EQ(parse_device_wish("ublk"), DeviceWish::ublk);
  EXPECT_EQ(parse_device_wish("nbd"), DeviceWish::nbd);
  EXPECT_EQ(parse_device_wish("fuse"), DeviceWish::fuse);
  EXPECT_EQ(parse_device_wish("none"), DeviceWish::none);
  for (const char* word : {"", "loop", "Auto", "ublk "})
    EXPECT_EQ(parse_device_wish(word), std::nullopt) << word;
}

}  // namespace
}  // namespace replicator::shim
