#include "nbd/messages.hpp"

#include <fmt/core.h>

#include "base/units.hpp"
#include "frontend/nbd/wire.hpp"

namespace replicator::shim::kernel_nbd {

namespace {

// Kernels leave out what they do not know of these.
std::uint64_t server_flags(bool rotational) noexcept {
  std::uint64_t flags =
      nbd::has_flags | nbd::send_flush | nbd::send_fua | nbd::send_trim | nbd::send_write_zeroes;
  if (rotational) flags |= nbd::rotational;
  return flags;
}

std::uint64_t size_of(const io::BlockLimits& limits) noexcept {
  return round_down(limits.size.value(), limits.block_bytes);
}

Message change(const DeviceRecord& record) {
  Message message;
  message.operation = Operation::reconfigure;
  message.number = record.id;
  message.identifier = identifier(record);
  return message;
}

}  // namespace

std::string identifier(const DeviceRecord& record) {
  return fmt::format("pollux {} {:016x}", record.volume, record.token);
}

Message connect(const io::BlockLimits& limits, bool rotational, const DeviceRecord& record,
                int socket) {
  Message message;
  message.size_bytes = size_of(limits);
  message.block_bytes = limits.block_bytes;
  message.request_seconds = 0;
  message.dead_connection_seconds = dead_connection_seconds;
  message.server_flags = server_flags(rotational);
  message.client_flags = 0;
  message.socket = socket;
  message.identifier = identifier(record);
  return message;
}

// Whoever served it before may have been killed while it asked whether the device is in use.
Message give_socket(const DeviceRecord& record, int socket) {
  Message message = change(record);
  message.client_flags = 0;
  message.socket = socket;
  return message;
}

Message resize(const DeviceRecord& record, const io::BlockLimits& limits) {
  Message message = change(record);
  message.size_bytes = size_of(limits);
  return message;
}

Message set_disconnect_on_close(const DeviceRecord& record, bool on) {
  Message message = change(record);
  message.client_flags = on ? disconnect_on_close : 0;
  return message;
}

Message disconnect(std::uint32_t number) {
  Message message;
  message.operation = Operation::disconnect;
  message.number = number;
  return message;
}

}  // namespace replicator::shim::kernel_nbd
