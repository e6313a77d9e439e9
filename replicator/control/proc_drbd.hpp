// The text of /proc/drbd as DRBD 8.4.11 prints it. Monitoring tools split it at blanks and colons,
// so the device and counter lines keep exactly its words in its order (docs/operations.md#proc).
// Pure: status in, text out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/status.hpp"

namespace replicator::control {

inline constexpr std::string_view drbd_version = "8.4.11";
// Of the kernel module whose behaviour we keep; readers skip the line but expect it.
inline constexpr std::string_view drbd_source_version = "56E4FE5F0DAB5FF4DCEF15A";

// All volumes of all resources, by minor number.
std::string proc_drbd(std::span<const ResourceStatus> resources);

// Work done, in tenths of a percent, rounded down: 1000 means that nothing is left.
std::uint32_t done_permil(const SyncProgress& progress) noexcept;

}  // namespace replicator::control
