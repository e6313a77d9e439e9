// What a disk is and holds, found without changing it and whoever else uses it: for those who want
// to know what a command would do.
#pragma once

#include <cstdint>
#include <string>

#include "metadata/meta_disk_index.hpp"

namespace replicator::metatool {

struct DiskFacts {
  std::string problem;           // why it could not be looked at; then nothing else is known
  std::uint64_t data_kib = 0;    // what there is for data, beside new meta data
  bool in_use = false;           // by the daemon, a mount, …
  bool metadata = false;         // ours, and readable
  std::uint64_t agreed_kib = 0;  // size of the device, as of the meta data
  std::string content;           // "ext4 filesystem"; empty: nothing that is known
};

DiskFacts look_at_disk(const std::string& disk, const std::string& meta_disk, MetaDiskIndex index);

}  // namespace replicator::metatool
