#include "ublk/control.hpp"

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "devices/file_descriptor.hpp"
#include "ublk/requests.hpp"

namespace replicator::shim::ublk {

namespace {

// Of the place for a command in an entry of twice the usual size.
constexpr std::size_t command_offset = 48;

std::uint64_t address_of(void* memory) noexcept { return reinterpret_cast<std::uintptr_t>(memory); }

ControlCommand about(std::uint32_t id) noexcept {
  ControlCommand command;
  command.id = id;
  return command;
}

template <class Memory>
ControlCommand about(std::uint32_t id, Memory& memory) noexcept {
  ControlCommand command = about(id);
  command.length = sizeof(Memory);
  command.address = address_of(&memory);
  return command;
}

// The driver wants to know who serves, and checks it.
ControlCommand served_by_us(std::uint32_t id) noexcept {
  ControlCommand command = about(id);
  command.value = static_cast<std::uint64_t>(getpid());
  return command;
}

}  // namespace

std::int32_t Control::features(std::uint64_t& features) {
  return issue(command_get_features, about(no_id, features));
}

std::int32_t Control::add(DeviceInfo& info) {
  return issue(command_add_device, about(info.id, info));
}

std::int32_t Control::set(std::uint32_t id, Parameters parameters) {
  return issue(command_set_parameters, about(id, parameters));
}

std::int32_t Control::get(std::uint32_t id, Parameters& parameters) {
  return issue(command_get_parameters, about(id, parameters));
}

std::int32_t Control::info(std::uint32_t id, DeviceInfo& info) {
  return issue(command_get_device_info, about(id, info));
}

std::int32_t Control::start(std::uint32_t id) {
  return issue(command_start_device, served_by_us(id));
}

std::int32_t Control::end_recovery(std::uint32_t id) {
  return issue(command_end_recovery, served_by_us(id));
}

std::int32_t Control::start_recovery(std::uint32_t id) {
  return issue(command_start_recovery, about(id));
}

std::int32_t Control::stop(std::uint32_t id) { return issue(command_stop_device, about(id)); }

std::int32_t Control::stop_if_unused(std::uint32_t id) {
  return issue(command_try_stop_device, about(id));
}

std::int32_t Control::remove(std::uint32_t id) {
  return issue(command_delete_device_later, about(id));
}

std::int32_t Control::update_size(std::uint32_t id, std::uint64_t sectors) {
  ControlCommand command = about(id);
  command.value = sectors;
  return issue(command_update_size, command);
}

std::int32_t DriverControl::issue(std::uint32_t operation, ControlCommand command) {
  const FileDescriptor device(open("/dev/ublk-control", O_RDWR | O_CLOEXEC));
  if (!device) return -errno;
  io_uring ring{};
  const int made = io_uring_queue_init(2, &ring, IORING_SETUP_SQE128);
  if (made < 0) return made;
  io_uring_sqe* entry = io_uring_get_sqe(&ring);
  std::memset(entry, 0, 2 * sizeof *entry);
  entry->opcode = IORING_OP_URING_CMD;
  entry->fd = device.get();
  entry->off = operation;
  std::memcpy(reinterpret_cast<std::byte*>(entry) + command_offset, &command, sizeof command);
  std::int32_t result = io_uring_submit(&ring);
  io_uring_cqe* completion = nullptr;
  if (result >= 0) {
    // The memory of the command is the driver's until it is done.
    do {
      result = io_uring_wait_cqe(&ring, &completion);
    } while (result == -EINTR);
  }
  if (result >= 0) result = completion->res;
  io_uring_queue_exit(&ring);
  return result;
}

Result<std::uint64_t> offered_features(Control& control) {
  std::uint64_t features = 0;
  const std::int32_t asked = control.features(features);
  if (asked == -ENOENT || asked == -ENXIO || asked == -ENODEV)
    return failure(Fault::unsupported, "the module ublk_drv is not loaded", -asked);
  if (asked == -EACCES || asked == -EPERM)
    return failure(Fault::unsupported, "ublk is not permitted", -asked);
  if (asked < 0)
    return failure(Fault::unsupported, "this kernel's ublk is older than Linux 6.5", -asked);
  if (!serves_us(features))
    return failure(Fault::unsupported, "this kernel's ublk cannot copy or recover");
  return features;
}

}  // namespace replicator::shim::ublk
