// The keeper: a small process that holds duplicates of a daemon's descriptors, so that what the
// kernel does when the last of them is closed (it aborts a FUSE connection, and the users of the
// devices over it see errors) is not done when the daemon is killed. It looks at none of them.
//
// It ends with SIGTERM, and when no daemon is connected and nothing is kept. All other signals are
// ignored, and it is in no process group of a daemon's: what ends that shall not end it.
#pragma once

#include <string>

#include "devices/file_descriptor.hpp"

namespace replicator::shim::keeper {

// A connection to the keeper that listens at `path`, which is started when there is none. While the
// process is young: it is forked. Without one (the reason is in errno) nothing outlives the daemon.
FileDescriptor find_or_start(const std::string& path);

// What the process does, until it ends. `listener`: non-blocking.
void serve(FileDescriptor listener);

}  // namespace replicator::shim::keeper
