// The size that a minor's disk had when its internal meta data was last written: where to look for
// it after the disk has grown. One small file each, in the place and format of the original tool.
//   P1  a file that does not parse counts as none
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace replicator::metatool {

inline constexpr const char* last_known_directory = "/var/lib/drbd";

struct LastKnown {
  std::uint64_t bytes = 0;
  std::string device;
  std::uint64_t device_uuid = 0;  // 0: none
  bool operator==(const LastKnown&) const noexcept = default;
};

std::optional<LastKnown> parse_last_known(std::string_view text);
std::string last_known_text(const LastKnown& last_known);

std::optional<LastKnown> load_last_known(const std::string& directory, std::uint32_t minor);
// The file is replaced at once, or stays as it was.
Status save_last_known(const std::string& directory, std::uint32_t minor,
                       const LastKnown& last_known);
void forget_last_known(const std::string& directory, std::uint32_t minor) noexcept;

}  // namespace replicator::metatool
