// How findings write numbers, lists and places.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace replicator::doctor {

std::string size_words(std::uint64_t kib);                  // "12 KiB", "1.5 GiB"
std::string joined(const std::vector<std::string>& words);  // "a, b, c"
std::string folder_of(const std::string& path);             // "/usr/sbin"

}  // namespace replicator::doctor
