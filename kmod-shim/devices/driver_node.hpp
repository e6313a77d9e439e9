// The device files of a ublk device: the character device for its server, the disk for
// applications. System calls that may wait for the server: never on the reactor's thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "devices/file_descriptor.hpp"
#include "ublk/driver_interface.hpp"

namespace replicator::shim::ublk {

Result<FileDescriptor> open_character(std::uint32_t id, const Parameters& parameters);

// Keeps everybody out who wants the disk for himself (a file system, swap, a stacked device), and
// fails with Fault::busy when there is one.
Result<FileDescriptor> claim_disk(std::uint32_t id, const Parameters& parameters);

// Whether it turns; of a file, the disk under its file system. False when nobody knows.
bool is_rotational(const std::string& path);

}  // namespace replicator::shim::ublk
