// Device files that a driver's devices have in the kernel's own /dev, and what their disks are.
// System calls that may wait for the device's server: never on the reactor's thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "devices/file_descriptor.hpp"

namespace replicator::shim {

// The node at `path`, which is made (anew) when it does not lead to the device. Fault::busy when
// somebody keeps others out (O_EXCL).
Result<FileDescriptor> open_character_node(const std::string& path, std::uint64_t number,
                                           int flags);
Result<FileDescriptor> open_block_node(const std::string& path, std::uint64_t number, int flags);

// Whether it turns; of a file, the disk under its file system. False when nobody knows.
bool is_rotational(const std::string& path);

}  // namespace replicator::shim
