#include "nbd/socket_pair.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace replicator::shim::kernel_nbd {

namespace {

// A few of the largest requests: whoever sends need not wait for whoever receives in between.
constexpr int send_buffer_bytes = 1 << 20;

}  // namespace

Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return failure(Fault::io_error, "socketpair", errno);
  for (const int end : ends)
    setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer_bytes, sizeof send_buffer_bytes);
  SocketPair pair;
  pair.ours = FileDescriptor(ends[0]);
  pair.kernels = FileDescriptor(ends[1]);
  return pair;
}

}  // namespace replicator::shim::kernel_nbd
