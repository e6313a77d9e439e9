// The two ends of a connection with the kernel's nbd client.
#pragma once

#include "base/result.hpp"
#include "devices/file_descriptor.hpp"

namespace replicator::shim::kernel_nbd {

struct SocketPair {
  FileDescriptor ours;
  FileDescriptor kernels;  // it takes a reference of its own
};
Result<SocketPair> make_socket_pair();

}  // namespace replicator::shim::kernel_nbd
