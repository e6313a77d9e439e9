// `drbdsetup status` and `sh-status` as text (docs/operations.md#status): people read the first,
// scripts evaluate the second. Sizes in KiB.
#pragma once

#include <cstdint>
#include <string>

#include "engine/status.hpp"

namespace replicator::command {

struct StatusOptions {
  bool verbose = false;
  bool statistics = false;
  bool terminal = true;  // for programs there are a few words more
};

// One block of one resource with the blank line behind it.
std::string status_text(const ResourceStatus& resource, StatusOptions options);

// One block per volume, each ending in a call of _sh_status_process.
std::string sh_status_text(const ResourceStatus& resource);
std::string sh_status_text(const ResourceStatus& resource, const VolumeStatus& volume);

// For a minor that does not exist.
std::string sh_status_of_missing(std::uint32_t minor);

// Neither disk nor network: what a minor is between new-minor and attach.
bool unconfigured(const VolumeState& state) noexcept;

}  // namespace replicator::command
