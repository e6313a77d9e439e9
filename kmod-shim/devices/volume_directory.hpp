// Where volumes are files, for loop devices: /run/pollux/volumes/RESOURCE-VOLUME, root only.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "fuse/directory.hpp"

namespace replicator::shim {

// Before, it lets go what a daemon that was killed has left behind.
Task<Result<std::unique_ptr<Directory>>> mount_volume_directory(uring::Reactor& reactor);

}  // namespace replicator::shim
