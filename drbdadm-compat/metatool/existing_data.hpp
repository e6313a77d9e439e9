// What lies on a device already, and whether meta data may be placed beside it. The probe is
// libblkid's; the verdict is a pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "metatool/meta_device.hpp"

namespace replicator::metatool {

struct ExistingData {
  enum class Kind : std::uint8_t {
    none,
    unknown,     // not empty, no known content
    filesystem,  // file system
    other        // swap space, a partition table, an LVM volume, …
  } kind = Kind::none;
  std::string name;                    // "ext3 filesystem"
  std::optional<std::uint64_t> bytes;  // how much of the device it uses, where that is known
};

// Fault::io_error when the device cannot be probed: then nobody knows what would be lost.
Result<ExistingData> find_existing_data(MetaDevice& device);

// How much of its device the file system whose first 4096 bytes these are uses; `type` as blkid
// names it. None when this is not known for the type.
std::optional<std::uint64_t> filesystem_bytes(const std::string& type, ConstBytes begin) noexcept;

enum class Verdict : std::uint8_t {
  proceed,
  confirm_guess,       // it seems to leave enough room
  confirm_unknown,     // nobody knows what it is
  ignored,             // the user said so
  refuse_overwrite,    // it would be overwritten
  refuse_truncate,     // a file system would lose its end
  refuse_unshrinkable  // as before, but it cannot be shrunk, or its size is not known
};
// `internal`: meta data goes to the end and leaves `usable` bytes; otherwise the device is for meta
// data alone.
Verdict judge(const ExistingData& data, bool internal, std::uint64_t usable,
              bool ignore_sanity_checks) noexcept;

}  // namespace replicator::metatool
