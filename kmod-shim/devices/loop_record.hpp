// Which loop devices are ours, on disk under /run, so that a daemon that was killed can take them
// over when it comes back, or let them go, and leaves those of other nodes of the same kernel
// alone. One file a minor. Calls wait for the file system (of memory) only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "devices/loop_device.hpp"

namespace replicator::shim {

struct LoopRecord {
  std::uint32_t minor = 0;
  LoopDevice loop;
  // The volume's data are no longer what the users of the device have seen.
  bool outdated = false;
  std::string volume;  // RESOURCE-NUMBER; empty in the record of an older daemon
  bool operator==(const LoopRecord&) const = default;
};

std::string text(const LoopRecord& record);
std::optional<LoopRecord> parse_loop_record(std::uint32_t minor, std::string_view text);

// In one step: whoever reads it sees all of the old one or of the new one.
Status remember_loop(const LoopRecord& record);
void forget_loop(std::uint32_t minor) noexcept;
std::optional<LoopRecord> read_loop_record(std::uint32_t minor);
std::vector<LoopRecord> read_loop_records();

// The loop device goes as soon as nobody has it open, and the names that lead to it.
void release_loop(const LoopRecord& record);

}  // namespace replicator::shim
