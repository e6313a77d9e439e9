// What the kernel's nbd client is told, as plain values. Pure.
//
// One connection for each device. With several, or with a time limit for requests, the kernel gives
// up the connection of a request that takes long and sends the request again over another one,
// while the first is still being carried out: a replicator that is suspended for long would see
// each request several times, and an old write could overtake a newer one. With one connection and
// no limit it only says in its log that a request takes long.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "devices/device_record.hpp"
#include "io/block_device.hpp"

namespace replicator::shim::kernel_nbd {

enum class Operation : std::uint8_t { connect, disconnect, reconfigure };

// Each value as the driver's attribute of that name.
struct Message {
  Operation operation = Operation::connect;
  std::optional<std::uint32_t> number;  // of the device; without one the kernel chooses
  std::optional<std::uint64_t> size_bytes;
  std::optional<std::uint64_t> block_bytes;
  std::optional<std::uint64_t> request_seconds;
  std::optional<std::uint64_t> dead_connection_seconds;
  std::optional<std::uint64_t> server_flags;
  std::optional<std::uint64_t> client_flags;
  int socket = -1;
  std::string identifier;
  bool operator==(const Message&) const = default;
};

// How long users wait for a daemon that is gone before they see errors: 24 days, as much as every
// kernel can count in its ticks.
inline constexpr std::uint64_t dead_connection_seconds = 1U << 21U;
inline constexpr std::uint64_t disconnect_on_close = 1U << 1U;

// What tells our devices from others', and from each other.
std::string identifier(const DeviceRecord& record);

Message connect(const io::BlockLimits& limits, bool rotational, const DeviceRecord& record,
                int socket);
// The device gets a connection in place of its dead one.
Message give_socket(const DeviceRecord& record, int socket);
Message resize(const DeviceRecord& record, const io::BlockLimits& limits);
// Whether the last one to close the device also disconnects it.
Message set_disconnect_on_close(const DeviceRecord& record, bool on);
Message disconnect(std::uint32_t number);

}  // namespace replicator::shim::kernel_nbd
