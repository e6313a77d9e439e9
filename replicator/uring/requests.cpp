// How a Request becomes a submission entry.
#include <poll.h>

#include <cstring>

#include "uring/impl.hpp"

namespace replicator::uring {

namespace {
constexpr std::size_t command_offset = 48;  // within a submission entry
}

void Reactor::Impl::prepare(io_uring_sqe& entry, Request& request) const {
  io_uring_sqe* const sqe = &entry;
  const int fd = request.fd;
  auto* const memory = request.memory + request.moved;
  const auto length = static_cast<unsigned>(request.length - request.moved);
  const std::uint64_t offset = request.offset + request.moved;
  switch (request.opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE: {
      const bool reads = request.opcode == IORING_OP_READ;
      const int fixed = fixed_buffer(memory, length);
      if (reads && fixed >= 0) io_uring_prep_read_fixed(sqe, fd, memory, length, offset, fixed);
      else if (reads) io_uring_prep_read(sqe, fd, memory, length, offset);
      else if (fixed >= 0) io_uring_prep_write_fixed(sqe, fd, memory, length, offset, fixed);
      else io_uring_prep_write(sqe, fd, memory, length, offset);
      entry.rw_flags = request.flags;
      break;
    }
    case IORING_OP_FSYNC: io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC); break;
    case IORING_OP_FALLOCATE:
      io_uring_prep_fallocate(sqe, fd, request.flags, static_cast<off_t>(offset),
                              static_cast<off_t>(request.length - request.moved));
      break;
    case IORING_OP_POLL_ADD: io_uring_prep_poll_add(sqe, fd, POLLIN); break;
    case IORING_OP_RECV: io_uring_prep_recv(sqe, fd, memory, length, 0); break;
    case IORING_OP_SENDMSG:
      io_uring_prep_sendmsg(sqe, fd, reinterpret_cast<msghdr*>(request.memory),
                            MSG_NOSIGNAL | MSG_WAITALL);
      break;
    case IORING_OP_ACCEPT: io_uring_prep_accept(sqe, fd, nullptr, nullptr, SOCK_CLOEXEC); break;
    case IORING_OP_CONNECT:
      io_uring_prep_connect(sqe, fd, reinterpret_cast<sockaddr*>(request.memory),
                            static_cast<socklen_t>(request.length));
      break;
    case IORING_OP_URING_CMD:
      io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, nullptr, 0, offset);
      std::memcpy(reinterpret_cast<std::byte*>(sqe) + command_offset, request.content.data(),
                  sizeof request.content);
      break;
    default: ensure(false && "unknown operation");
  }
}

}  // namespace replicator::uring
