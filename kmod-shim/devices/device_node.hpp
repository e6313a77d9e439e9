// The names under which applications find a volume: the block node /dev/drbdN and the links
// /dev/drbd/by-res/RESOURCE/VOLUME and /dev/drbd/by-disk/DISK.
//
// The node exists as long as the volume. While the volume is Secondary it leads to a device number
// that no driver serves, so that every open fails (ENXIO): S4. It is a node and no link, so that
// mount, lsblk and blkid call the device by the name the administrator used.
//
// Path functions are pure; the others wait for the file system and run off the reactor's thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace replicator::shim {

struct DeviceNames {
  std::string resource;
  std::uint32_t volume = 0;
  std::uint32_t minor = 0;
  std::string backing_disk;  // empty when diskless
};

std::string node_path(const DeviceNames& names);
std::string by_resource_path(const DeviceNames& names);
// Empty when there is no disk, or one whose path is not below /dev.
std::string by_disk_path(const DeviceNames& names);
// From one path in /dev to another: "../../../drbd0".
std::string link_target(const std::string& link, const std::string& node);

inline constexpr std::uint64_t closed_device = 0;  // no driver serves block device 0:0

// In one step: whoever opens the node sees the old device or the new one.
Status point_node(const DeviceNames& names, std::uint64_t device_number);
Status create_links(const DeviceNames& names);
// udev looks at the device again, now that it has a name (packaging/udev).
void announce(std::uint64_t device_number) noexcept;
// Removes what is ours, and folders that became empty.
void remove_names(const DeviceNames& names) noexcept;
void remove_disk_link(const DeviceNames& names) noexcept;

}  // namespace replicator::shim
