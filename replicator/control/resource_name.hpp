// Names of resources, which become names of sockets and files, and fields of files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace replicator::control {

inline constexpr std::size_t resource_name_max = 127;  // that of DRBD, in bytes

// Visible characters and blanks, no way out of a directory, no hidden file.
constexpr bool is_resource_name(std::string_view name) noexcept {
  const auto unfit = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '/' || byte < 0x20 || byte == 0x7f;
  };
  return !name.empty() && name.size() <= resource_name_max && name.front() != '.' &&
         std::none_of(name.begin(), name.end(), unfit);
}

}  // namespace replicator::control
