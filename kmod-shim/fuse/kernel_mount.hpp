// The system calls that mount a FUSE file system. They may wait for a server, perhaps for this very
// process: never called on the reactor's thread.
#pragma once

#include <string>

#include "base/result.hpp"

namespace replicator::shim {

// Makes the directory, takes away whatever a predecessor that died left mounted there, and mounts.
// The result is the non-blocking descriptor through which the kernel talks to the server.
Result<int> mount_fuse(const std::string& path, bool for_everybody);

// Takes the mount away, even when it is in use. Who uses it sees errors, whoever else has the
// descriptor.
void unmount_at_once(const std::string& path) noexcept;

}  // namespace replicator::shim
