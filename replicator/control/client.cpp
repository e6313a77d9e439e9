#include "control/client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace replicator::control {
namespace {

class Socket {
 public:
  explicit Socket(int descriptor) noexcept : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

std::int64_t now_ms() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Milliseconds for poll(): what is left, -1 without a deadline.
class Deadline {
 public:
  explicit Deadline(std::uint32_t ms) noexcept : end_(ms == 0 ? -1 : now_ms() + ms) {}
  [[nodiscard]] int left() const noexcept {
    if (end_ < 0) return -1;
    const std::int64_t left = end_ - now_ms();
    return left < 0 ? 0 : static_cast<int>(left);
  }

 private:
  std::int64_t end_;
};

Status connect_failure(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED: return Status(Fault::not_found, "control socket", error);
    case EACCES:
    case EPERM: return Status(Fault::not_permitted, "control socket", error);
    case EAGAIN: return Status(Fault::busy, "control socket", error);
    default: return Status(Fault::io_error, "control socket", error);
  }
}

Status connect_to(const Socket& socket, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Status(Fault::out_of_range, "path of the control socket");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket.get(), generic, sizeof address) != 0) return connect_failure(errno);
  return Status();
}

Status wait_for(const Socket& socket, short events, const Deadline& deadline) {
  pollfd poll{socket.get(), events, 0};
  for (;;) {
    const int ready = ::poll(&poll, 1, deadline.left());
    if (ready > 0) return Status();
    if (ready == 0) return Status(Fault::timed_out, "reply of the daemon");
    if (errno != EINTR) return Status(Fault::io_error, "poll", errno);
  }
}

Status send_line(const Socket& socket, std::string_view line, const Deadline& deadline) {
  while (!line.empty()) {
    const ssize_t sent = ::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      line.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      const Status ready = wait_for(socket, POLLOUT, deadline);
      if (!ready.ok()) return ready;
    } else if (errno != EINTR) {
      return Status(Fault::closed, "daemon", errno);
    }
  }
  return Status();
}

Result<std::string> receive_line(const Socket& socket, const Deadline& deadline) {
  std::string line;
  char buffer[16384];
  for (;;) {
    const Status ready = wait_for(socket, POLLIN, deadline);
    if (!ready.ok()) return tl::unexpected<Status>(ready);
    const ssize_t received = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (received == 0) return failure(Fault::closed, "daemon");
    if (received < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return failure(Fault::closed, "daemon", errno);
    }
    const std::string_view chunk(buffer, static_cast<std::size_t>(received));
    line.append(chunk);
    if (chunk.find('\n') != std::string_view::npos) break;
    if (line.size() > max_reply_bytes) return failure(Fault::malformed, "reply too long");
  }
  line.resize(line.find('\n'));
  return line;
}

}  // namespace

Client::Client(std::string socket_path) : socket_path_(std::move(socket_path)) {}

Result<Reply> Client::call(const Request& request, std::uint32_t deadline_ms) const {
  const std::string line = encode(request);
  if (line.size() > max_request_bytes) return failure(Fault::out_of_range, "request too long");
  const Deadline deadline(deadline_ms);
  // A unix socket connects at once or says that the backlog is full.
  const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return failure(Fault::no_space, "socket", errno);
  const Status connected = connect_to(socket, socket_path_);
  if (!connected.ok()) return tl::unexpected<Status>(connected);
  const Status sent = send_line(socket, line, deadline);
  if (!sent.ok()) return tl::unexpected<Status>(sent);
  const Result<std::string> reply = receive_line(socket, deadline);
  if (!reply) return tl::unexpected<Status>(reply.error());
  return decode_reply(*reply);
}

}  // namespace replicator::control
