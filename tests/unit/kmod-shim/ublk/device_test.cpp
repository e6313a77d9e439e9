#include "ublk/device.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "ublk/requests.hpp"

namespace replicator::shim::ublk {
namespace {

// A driver with one device, which does as it is told and remembers what that was.
class FakeDriver final : public Control {
 public:
  std::vector<std::uint32_t> asked;
  std::vector<ControlCommand> commands;
  DeviceInfo device;
  std::uint64_t offered = ~0ULL;
  int busy = 0;               // this many recoveries are refused first
  bool open = false;          // somebody has the disk open
  std::uint32_t failing = 0;  // this command fails
  std::int32_t error = -EIO;

 protected:
  std::int32_t issue(std::uint32_t operation, ControlCommand command) override {
    asked.push_back(operation);
    commands.push_back(command);
    if (operation == failing) return error;
    void* const memory = reinterpret_cast<void*>(static_cast<std::uintptr_t>(command.address));
    switch (operation) {
      case command_get_features: std::memcpy(memory, &offered, sizeof offered); return 0;
      case command_get_device_info: std::memcpy(memory, &device, sizeof device); return 0;
      case command_start_recovery: return busy-- > 0 ? -EBUSY : 0;
      case command_try_stop_device: return open ? -EBUSY : 0;
      case command_get_parameters: {
        Parameters parameters;
        parameters.disk_major = 259;
        parameters.disk_minor = 5;
        std::memcpy(memory, &parameters, sizeof parameters);
        return 0;
      }
      default: return 0;
    }
  }
};

DeviceRecord record() {
  DeviceRecord made;
  made.id = 4;
  made.token = 77;
  made.volume = "r0-0";
  return made;
}

TEST(UblkDevice, WhatADriverOffers) {
  FakeDriver driver;
  EXPECT_EQ(offered_features(driver), ~0ULL);
  driver.offered = feature_encoded_commands;
  EXPECT_EQ(offered_features(driver).error().fault(), Fault::unsupported);
  driver.failing = command_get_features;
  const struct {
    int error;
    const char* why;
  } cases[] = {{ENOENT, "the module ublk_drv is not loaded"},
               {EPERM, "ublk is not permitted"},
               {EOPNOTSUPP, "this kernel's ublk is older than Linux 6.5"}};
  for (const auto& each : cases) {
    driver.error = -each.error;
    EXPECT_STREQ(offered_features(driver).error().where(), each.why);
  }
}

TEST(UblkDevice, ARecoveryWaitsForTheServerBefore) {
  FakeDriver driver;
  driver.busy = 2;
  driver.device.id = 4;
  driver.device.servers_own = record().token;
  driver.device.queues = 3;
  driver.device.depth = 32;
  const Result<Handle> handle = begin_recovery(driver, record());
  ASSERT_TRUE(handle);
  // As it was made, not as a device would be made now.
  EXPECT_EQ(handle->info.queues, 3);
  EXPECT_EQ(handle->info.depth, 32);
  EXPECT_EQ(disk_number(*handle), 259U << 8U | 5U);
  const std::vector<std::uint32_t> wanted = {command_get_device_info, command_start_recovery,
                                             command_start_recovery,  command_start_recovery,
                                             command_get_device_info, command_get_parameters};
  EXPECT_EQ(driver.asked, wanted);
  for (const ControlCommand& command : driver.commands)
    EXPECT_EQ(command.id, 4U);
}

TEST(UblkDevice, ADeviceThatCannotBeRecoveredSaysWhy) {
  FakeDriver driver;
  EXPECT_EQ(begin_recovery(driver, record()).error().fault(), Fault::not_found);  // another's
  driver.device.servers_own = record().token;
  driver.failing = command_start_recovery;
  driver.error = -EINVAL;
  const Result<Handle> handle = begin_recovery(driver, record());
  ASSERT_FALSE(handle);
  EXPECT_EQ(handle.error().error_number(), EINVAL);
}

TEST(UblkDevice, WhereTheDriverCountsOpenersItDecides) {
  FakeDriver driver;
  Handle handle;
  handle.info.flags = feature_safe_stop;
  driver.open = true;
  EXPECT_EQ(stop_if_unused(driver, handle).fault(), Fault::busy);
  driver.open = false;
  EXPECT_TRUE(stop_if_unused(driver, handle).ok());
  const std::vector<std::uint32_t> wanted(2, command_try_stop_device);
  EXPECT_EQ(driver.asked, wanted);
}

TEST(UblkDevice, WhatIsLeftBehindIsLookedAt) {
  FakeDriver driver;
  driver.device.servers_own = 77;
  driver.device.state = static_cast<std::uint16_t>(DeviceState::quiesced);
  EXPECT_EQ(UblkLeftBehind(driver).look_at(record()), Fate::waits);
  driver.failing = command_get_device_info;
  driver.error = -ENODEV;
  EXPECT_EQ(UblkLeftBehind(driver).look_at(record()), Fate::not_ours);
}

TEST(UblkDevice, WhatBecomesOfOneThatWasLeftBehind) {
  const DeviceRecord current = record();
  DeviceRecord outdated = current;
  outdated.outdated = true;
  const auto device = [&](DeviceState state, std::uint64_t token) {
    DeviceInfo info;
    info.state = static_cast<std::uint16_t>(state);
    info.servers_own = token;
    return info;
  };
  const std::uint64_t ours = current.token;
  EXPECT_EQ(fate(current, 0, device(DeviceState::quiesced, ours)), Fate::waits);
  EXPECT_EQ(fate(current, 0, device(DeviceState::live, ours)), Fate::waits);
  EXPECT_EQ(fate(current, 0, device(DeviceState::dead, ours)), Fate::useless);
  EXPECT_EQ(fate(current, 0, device(DeviceState::fail_io, ours)), Fate::useless);
  EXPECT_EQ(fate(outdated, 0, device(DeviceState::quiesced, ours)), Fate::useless);
  EXPECT_EQ(fate(current, 0, device(DeviceState::quiesced, ours + 1)), Fate::not_ours);
  EXPECT_EQ(fate(outdated, 0, device(DeviceState::quiesced, ours + 1)), Fate::not_ours);
  EXPECT_EQ(fate(current, -ENODEV, device(DeviceState::quiesced, ours)), Fate::not_ours);
  EXPECT_EQ(fate(current, -EMFILE, DeviceInfo{}), Fate::waits);
  EXPECT_EQ(fate(current, -EPERM, DeviceInfo{}), Fate::waits);
  EXPECT_EQ(fate(outdated, -EMFILE, DeviceInfo{}), Fate::not_ours);
}

}  // namespace
}  // namespace replicator::shim::ublk
