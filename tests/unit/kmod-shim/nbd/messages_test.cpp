#include "nbd/messages.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "nbd/netlink.hpp"

namespace replicator::shim::kernel_nbd {
namespace {

DeviceRecord record() {
  DeviceRecord made;
  made.minor = 3;
  made.id = 17;
  made.token = 0x3addfb45a16b23e;
  made.volume = "r0-0";
  return made;
}

io::BlockLimits limits() {
  io::BlockLimits made;
  made.size = ByteCount((1ULL << 40U) + 512);
  made.block_bytes = 4096;
  return made;
}

TEST(NbdMessages, TheIdentifierIsTheVolumesAndTheDevices) {
  DeviceRecord made = record();
  EXPECT_EQ(identifier(made), "pollux r0-0 03addfb45a16b23e");
  made.token = 1;
  EXPECT_EQ(identifier(made), "pollux r0-0 0000000000000001");
}

TEST(NbdMessages, Connect) {
  const Message message = connect(limits(), false, record(), 5);
  EXPECT_EQ(message.operation, Operation::connect);
  EXPECT_FALSE(message.number) << "the kernel chooses";
  EXPECT_EQ(message.size_bytes, 1ULL << 40U) << "whole blocks";
  EXPECT_EQ(message.block_bytes, 4096U);
  EXPECT_EQ(message.request_seconds, 0U) << "a suspended volume answers when it is resumed";
  EXPECT_EQ(message.client_flags, 0U);
  EXPECT_EQ(message.socket, 5);
  // Has flags, flush, FUA, trim, write zeroes; neither read only nor several connections.
  EXPECT_EQ(message.server_flags, 1U + 4U + 8U + 32U + 64U);
  EXPECT_EQ(connect(limits(), true, record(), 5).server_flags, 1U + 4U + 8U + 16U + 32U + 64U);
}

// Kernels count in ticks, up to 1000 a second, in 32 bits with a sign where they have no more.
TEST(NbdMessages, TheWaitForADaemonFitsIntoTicks) {
  EXPECT_LT(dead_connection_seconds * 1000, 1ULL << 31U);
  EXPECT_GT(dead_connection_seconds, 14U * 24U * 3600U);
}

TEST(NbdMessages, ChangesNameTheDeviceAndWhoseItIs) {
  const Message messages[] = {give_socket(record(), 5), resize(record(), limits()),
                              set_disconnect_on_close(record(), true),
                              set_disconnect_on_close(record(), false)};
  for (const Message& message : messages) {
    EXPECT_EQ(message.operation, Operation::reconfigure);
    EXPECT_EQ(message.number, 17U);
    EXPECT_EQ(message.identifier, identifier(record()));
    EXPECT_FALSE(message.request_seconds);
  }
  EXPECT_EQ(messages[0].socket, 5);
  EXPECT_EQ(messages[0].client_flags, 0U);
  EXPECT_FALSE(messages[0].size_bytes) << "a change of size waits for what is in flight";
  EXPECT_EQ(messages[1].size_bytes, 1ULL << 40U);
  EXPECT_FALSE(messages[1].client_flags);
  EXPECT_EQ(messages[2].client_flags, 2U);
  EXPECT_EQ(messages[3].client_flags, 0U);
}

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
  std::vector<std::byte> made;
  for (const unsigned value : values)
    made.push_back(static_cast<std::byte>(value));
  return made;
}

// Length and number of the attribute, then its value, up to a multiple of four bytes.
TEST(NbdMessages, AsAttributes) {
  EXPECT_EQ(attributes(disconnect(7)), bytes({8, 0, 1, 0, 7, 0, 0, 0}));
  Message message;
  message.size_bytes = 0x0102030405060708;
  message.identifier = "ab";
  message.socket = 9;
  EXPECT_EQ(attributes(message), bytes({7,  0, 10, 0,    'a', 'b', 0, 0,     // identifier
                                        12, 0, 2,  0,    8,   7,   6, 5,     // size
                                        4,  3, 2,  1,                        //
                                        16, 0, 7,  0x80, 12,  0,   1, 0x80,  // sockets
                                        8,  0, 1,  0,    9,   0,   0, 0}));
  EXPECT_GT(attributes(connect(limits(), true, record(), 5)).size(), 100U);
}

}  // namespace
}  // namespace replicator::shim::kernel_nbd
