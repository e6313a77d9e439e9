// What the kernel's ublk driver and a server say to each other: the part of its user interface that
// is used here, in numbers. The distribution's header may be older than the kernel that runs.
#pragma once

#include <linux/ioctl.h>

#include <cstdint>
#include <type_traits>

namespace replicator::shim::ublk {

// Features, and flags of a device.
inline constexpr std::uint64_t feature_user_recovery = 1ULL << 3U;
inline constexpr std::uint64_t feature_reissue = 1ULL << 4U;
inline constexpr std::uint64_t feature_encoded_commands = 1ULL << 6U;
inline constexpr std::uint64_t feature_user_copy = 1ULL << 7U;
inline constexpr std::uint64_t feature_update_size = 1ULL << 10U;
inline constexpr std::uint64_t feature_safe_stop = 1ULL << 17U;
inline constexpr std::uint64_t feature_no_partition_scan = 1ULL << 18U;

enum class DeviceState : std::uint16_t { dead = 0, live = 1, quiesced = 2, fail_io = 3 };

struct DeviceInfo {
  std::uint16_t queues = 0;
  std::uint16_t depth = 0;
  std::uint16_t state = 0;
  std::uint16_t pad0 = 0;
  std::uint32_t largest_request = 0;  // bytes
  std::uint32_t id = 0;
  std::int32_t server_pid = 0;
  std::uint32_t pad1 = 0;
  std::uint64_t flags = 0;
  std::uint64_t servers_own = 0;  // kept for the server, never looked at
  std::uint32_t owner_uid = 0;
  std::uint32_t owner_gid = 0;
  std::uint64_t reserved1 = 0;
  std::uint64_t reserved2 = 0;
};
static_assert(sizeof(DeviceInfo) == 64);

// One command to the control device.
struct ControlCommand {
  std::uint32_t id = 0;
  std::uint16_t queue = 0xffff;
  std::uint16_t length = 0;   // of the memory at `address`
  std::uint64_t address = 0;  // in or out
  std::uint64_t value = 0;
  std::uint16_t path_length = 0;
  std::uint16_t pad = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(ControlCommand) == 32);

// One command to a device's queue.
struct QueueCommand {
  std::uint16_t queue = 0;
  std::uint16_t tag = 0;
  std::int32_t result = 0;
  std::uint64_t address = 0;
};
static_assert(sizeof(QueueCommand) == 16);

inline constexpr std::uint32_t command_get_device_info = _IOR('u', 0x02, ControlCommand);
inline constexpr std::uint32_t command_add_device = _IOWR('u', 0x04, ControlCommand);
inline constexpr std::uint32_t command_start_device = _IOWR('u', 0x06, ControlCommand);
inline constexpr std::uint32_t command_stop_device = _IOWR('u', 0x07, ControlCommand);
inline constexpr std::uint32_t command_set_parameters = _IOWR('u', 0x08, ControlCommand);
inline constexpr std::uint32_t command_get_parameters = _IOR('u', 0x09, ControlCommand);
inline constexpr std::uint32_t command_start_recovery = _IOWR('u', 0x10, ControlCommand);
inline constexpr std::uint32_t command_end_recovery = _IOWR('u', 0x11, ControlCommand);
inline constexpr std::uint32_t command_get_features = _IOR('u', 0x13, ControlCommand);
inline constexpr std::uint32_t command_delete_device_later = _IOR('u', 0x14, ControlCommand);
inline constexpr std::uint32_t command_update_size = _IOWR('u', 0x15, ControlCommand);
inline constexpr std::uint32_t command_try_stop_device = _IOWR('u', 0x17, ControlCommand);

inline constexpr std::uint32_t fetch_request = _IOWR('u', 0x20, QueueCommand);
inline constexpr std::uint32_t commit_and_fetch_request = _IOWR('u', 0x21, QueueCommand);

// A request, as it lies in the memory that the driver shares with the server.
struct Descriptor {
  std::uint32_t operation_and_flags = 0;  // 8 bits and 24 bits
  std::uint32_t sectors = 0;
  std::uint64_t first_sector = 0;
  std::uint64_t address = 0;
};
static_assert(sizeof(Descriptor) == 24);

inline constexpr std::uint32_t operation_mask = 0xff;
inline constexpr std::uint32_t operation_read = 0;
inline constexpr std::uint32_t operation_write = 1;
inline constexpr std::uint32_t operation_flush = 2;
inline constexpr std::uint32_t operation_discard = 3;
inline constexpr std::uint32_t operation_write_zeroes = 5;
inline constexpr std::uint32_t flag_force_unit_access = 1U << 13U;
inline constexpr std::uint32_t flag_no_unmap = 1U << 15U;

inline constexpr std::uint32_t depth_max = 4096;
inline constexpr std::uint32_t queues_max = 4096;
inline constexpr std::uint32_t no_id = ~0U;  // the driver chooses

// Where the data of a request is read and written in the character device.
inline constexpr std::uint64_t data_begin = 0x80000000;
inline constexpr unsigned data_tag_shift = 25;
inline constexpr unsigned data_queue_shift = 41;

inline constexpr std::uint32_t attribute_rotational = 1U << 1U;
inline constexpr std::uint32_t attribute_volatile_cache = 1U << 2U;
inline constexpr std::uint32_t attribute_force_unit_access = 1U << 3U;
inline constexpr std::uint32_t parameters_basic = 1U << 0U;
inline constexpr std::uint32_t parameters_discard = 1U << 1U;

// The beginning of the driver's structure; it takes as much of it as `length` says.
struct Parameters {
  std::uint32_t length = sizeof(Parameters);
  std::uint32_t types = 0;

  std::uint32_t attributes = 0;
  std::uint8_t logical_block_shift = 0;
  std::uint8_t physical_block_shift = 0;
  std::uint8_t optimal_io_shift = 0;
  std::uint8_t minimum_io_shift = 0;
  std::uint32_t request_sectors_max = 0;
  std::uint32_t chunk_sectors = 0;
  std::uint64_t device_sectors = 0;
  std::uint64_t virtual_boundary_mask = 0;

  std::uint32_t discard_alignment = 0;
  std::uint32_t discard_granularity = 0;
  std::uint32_t discard_sectors_max = 0;
  std::uint32_t write_zeroes_sectors_max = 0;
  std::uint16_t discard_segments_max = 0;
  std::uint16_t reserved = 0;

  std::uint32_t character_major = 0;  // the driver's answers
  std::uint32_t character_minor = 0;
  std::uint32_t disk_major = 0;
  std::uint32_t disk_minor = 0;
  std::uint32_t pad = 0;
};
static_assert(sizeof(Parameters) == 80 && std::is_trivially_copyable_v<Parameters>);

}  // namespace replicator::shim::ublk
