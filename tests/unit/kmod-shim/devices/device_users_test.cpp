#include "devices/device_users.hpp"

#include <gtest/gtest.h>

namespace replicator::shim {
namespace {

using Kind = DeviceUser::Kind;

TEST(DeviceUsers, UdevIsToldFromThoseWhoStay) {
  const DeviceUser worker{Kind::process, "(udev-worker)", 7};
  const DeviceUser older{Kind::process, "systemd-udevd", 8};
  const DeviceUser copy{Kind::process, "dd", 9};
  const DeviceUser mount{Kind::mount, "(udev-worker)", 0};
  EXPECT_FALSE(only_udev({}));
  EXPECT_TRUE(only_udev({worker}));
  EXPECT_TRUE(only_udev({worker, older}));
  EXPECT_FALSE(only_udev({worker, copy}));
  EXPECT_FALSE(only_udev({mount}));
}

}  // namespace
}  // namespace replicator::shim
