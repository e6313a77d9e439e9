#include "nbd/device.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace replicator::shim::kernel_nbd {
namespace {

// A kernel with the devices 0 to 3, which does as it is told and remembers what that was.
class FakeKernel final : public Control {
 public:
  struct Device {
    std::string identifier;
    std::uint64_t flags = 0;
    int openers = 0;
    bool connected = false;
    std::uint32_t patience = 0;
  };
  Device devices[4];
  std::vector<Message> messages;
  std::int32_t failing = 0;  // the next message does
  Status opening;

  std::int32_t issue(const Message& message, std::uint32_t& number) override {
    messages.push_back(message);
    if (failing != 0) return std::exchange(failing, 0);
    if (message.operation == Operation::connect) {
      Device* const unused = std::find_if(std::begin(devices), std::end(devices),
                                          [](Device& each) { return each.identifier.empty(); });
      number = static_cast<std::uint32_t>(unused - devices);
      unused->identifier = message.identifier;
      unused->connected = true;
      return 0;
    }
    Device& device = devices[*message.number];
    if (message.operation == Operation::disconnect) {
      device.connected = false;
      forget_unused(device);
      return 0;
    }
    if (device.identifier != message.identifier || !device.connected) return -EINVAL;
    if (message.client_flags) device.flags = *message.client_flags;
    return 0;
  }
  std::vector<std::uint32_t> numbers() override { return {0, 1, 2, 3}; }
  std::string identifier_of(std::uint32_t number) override { return devices[number].identifier; }
  Result<std::uint64_t> disk_number(std::uint32_t number) override { return 43U * 256U + number; }
  std::uint64_t size_of(std::uint32_t) override { return 0; }
  void set_patience(std::uint32_t number, std::uint32_t milliseconds) override {
    devices[number].patience = milliseconds;
  }
  Status touch(std::uint32_t number) override {
    Device& device = devices[number];
    if (opening.ok() && device.openers == 0 && device.flags == disconnect_on_close) {
      device.connected = false;
      forget_unused(device);
    }
    return opening;
  }

 private:
  static void forget_unused(Device& device) {
    if (device.openers == 0) device = Device();
  }
};

class NbdDeviceTest : public testing::Test {
 protected:
  NbdDeviceTest() : folder_(mkdtemp(path_)), records_(folder_) {
    record_.minor = 5;
    record_.token = 77;
    record_.volume = "r0-0";
    kernel_.devices[0].identifier = "somebody else's";
  }
  ~NbdDeviceTest() override {
    records_.remove(5);
    rmdir(folder_);
  }
  Status make() { return make_device(kernel_, records_, record_, io::BlockLimits(), false, 9); }
  Fate look() { return NbdLeftBehind(kernel_, records_).look_at(*records_.read(5)); }

  char path_[32] = "/tmp/pollux-records.XXXXXX";
  const char* folder_;
  DeviceRecords records_;
  FakeKernel kernel_;
  DeviceRecord record_;
};

TEST_F(NbdDeviceTest, MadeWithARecord) {
  ASSERT_TRUE(make().ok());
  EXPECT_EQ(record_.id, 1U);
  EXPECT_EQ(records_.read(5), record_);
  EXPECT_EQ(look(), Fate::waits);
  EXPECT_GT(kernel_.devices[1].patience, 0U);
}

TEST_F(NbdDeviceTest, WhatCannotBeMadeLeavesNothing) {
  kernel_.failing = -EPERM;
  EXPECT_EQ(make().error_number(), EPERM);
  EXPECT_FALSE(records_.read(5));
}

// A daemon that was killed before it knew the number of its device.
TEST_F(NbdDeviceTest, FoundWithoutItsNumber) {
  ASSERT_TRUE(make().ok());
  record_.id = ~0U;
  ASSERT_TRUE(records_.write(record_).ok());
  EXPECT_EQ(look(), Fate::useless);
  NbdLeftBehind(kernel_, records_).end(record_);
  EXPECT_FALSE(kernel_.devices[1].connected);
  EXPECT_FALSE(records_.read(5));
}

TEST_F(NbdDeviceTest, Fates) {
  ASSERT_TRUE(make().ok());
  record_.outdated = true;
  ASSERT_TRUE(records_.write(record_).ok());
  EXPECT_EQ(look(), Fate::useless);
  kernel_.devices[1].identifier = "pollux r0-0 0000000000000001";
  EXPECT_EQ(look(), Fate::not_ours);
  kernel_.devices[1].identifier.clear();
  EXPECT_EQ(look(), Fate::not_ours);
}

TEST_F(NbdDeviceTest, DisconnectedWhenNobodyHasItOpen) {
  ASSERT_TRUE(make().ok());
  EXPECT_TRUE(disconnect_if_unused(kernel_, record_).ok());
  EXPECT_EQ(kernel_.identifier_of(1), "");
  EXPECT_TRUE(disconnect_if_unused(kernel_, record_).ok()) << "it is gone";
}

TEST_F(NbdDeviceTest, StaysAsItWasWhileSomebodyHasItOpen) {
  ASSERT_TRUE(make().ok());
  const std::uint32_t patience = kernel_.devices[1].patience;
  kernel_.devices[1].openers = 1;
  EXPECT_EQ(disconnect_if_unused(kernel_, record_).fault(), Fault::busy);
  EXPECT_TRUE(kernel_.devices[1].connected);
  EXPECT_EQ(kernel_.devices[1].flags, 0U);
  EXPECT_EQ(kernel_.devices[1].patience, patience);
}

TEST_F(NbdDeviceTest, StaysAsItWasWhenItCannotBeOpened) {
  ASSERT_TRUE(make().ok());
  kernel_.opening = Status(Fault::io_error, "open", EIO);
  EXPECT_EQ(disconnect_if_unused(kernel_, record_).fault(), Fault::io_error);
  EXPECT_TRUE(kernel_.devices[1].connected);
  EXPECT_EQ(kernel_.devices[1].flags, 0U);
}

TEST_F(NbdDeviceTest, OneThatSomebodyDisconnectedIsBusyUntilItIsClosed) {
  ASSERT_TRUE(make().ok());
  kernel_.devices[1].openers = 1;
  kernel_.devices[1].connected = false;
  EXPECT_EQ(disconnect_if_unused(kernel_, record_).fault(), Fault::busy);
  EXPECT_EQ(give_socket_to(kernel_, record_, 8).fault(), Fault::not_found);
}

TEST_F(NbdDeviceTest, TheDevicesOfOthersStay) {
  ASSERT_TRUE(make().ok());
  kernel_.devices[1].identifier = "pollux r0-0 0000000000000001";
  const std::size_t asked = kernel_.messages.size();
  EXPECT_TRUE(disconnect_if_unused(kernel_, record_).ok());
  EXPECT_TRUE(disconnect_and_forget(kernel_, records_, record_).ok());
  EXPECT_EQ(kernel_.messages.size(), asked);
  EXPECT_EQ(give_socket_to(kernel_, record_, 8).fault(), Fault::not_found);
}

TEST_F(NbdDeviceTest, WhatCannotBeDisconnectedIsOutdated) {
  ASSERT_TRUE(make().ok());
  kernel_.failing = -EIO;
  EXPECT_FALSE(disconnect_and_forget(kernel_, records_, record_).ok());
  EXPECT_EQ(look(), Fate::useless);
  EXPECT_TRUE(disconnect_and_forget(kernel_, records_, record_).ok());
  EXPECT_FALSE(records_.read(5));
}

}  // namespace
}  // namespace replicator::shim::kernel_nbd
