// Who uses a block device, for people: processes, mounts, swap, stacked devices. What this sees may
// be out of date a moment later, and processes of other process namespaces are not seen; a decision
// asks the kernel instead (detach_loop_if_unused). Never called on the reactor's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replicator::shim {

struct DeviceUser {
  enum class Kind : std::uint8_t { process, mount, stacked_device };
  Kind kind = Kind::process;
  std::string name;       // of the command, mount point or device
  std::uint32_t pid = 0;  // process; or one that sees the mount
  bool operator==(const DeviceUser&) const = default;
};

// "held open by dd (pid 4711)", "mounted on /srv", "used by dm-0".
std::string text(const DeviceUser& user);

// Somebody has it open, and all of them are udev looking at it.
bool only_udev(const std::vector<DeviceUser>& users) noexcept;

// A process by its number, with the name of its command while it runs.
DeviceUser process_user(std::uint32_t pid);

std::vector<DeviceUser> find_device_users(std::uint64_t device_number);

// Mount points of the device in the text of a mountinfo file, blanks and the like decoded.
std::vector<std::string> mount_points(std::string_view mountinfo, std::uint32_t major,
                                      std::uint32_t minor);

}  // namespace replicator::shim
