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
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

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

Status begin_call(const Socket& socket, const std::string& path, const Request& request,
                  const Deadline& deadline) {
  const std::string line = encode(request);
  if (line.size() > max_request_bytes) return Status(Fault::out_of_range, "request too long");
  // A unix socket connects at once or says that the backlog is full.
  if (socket.get() < 0) return Status(Fault::no_space, "socket", errno);
  const Status connected = connect_to(socket, path);
  if (!connected.ok()) return connected;
  return send_line(socket, line, deadline);
}

Socket open_socket() {
  return Socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

}  // namespace

Client::Client(std::string socket_path) : socket_path_(std::move(socket_path)) {}

Result<Reply> Client::call(const Request& request, std::uint32_t deadline_ms) const {
  const Deadline deadline(deadline_ms);
  const Socket socket = open_socket();
  const Status sent = begin_call(socket, socket_path_, request, deadline);
  if (!sent.ok()) return tl::unexpected<Status>(sent);
  const Result<std::string> reply = receive_line(socket, deadline);
  if (!reply) return tl::unexpected<Status>(reply.error());
  return decode_reply(*reply);
}

Status LineFeed::open(const std::string& socket_path, const Request& request) {
  constexpr std::uint32_t patience_ms = 10'000;
  close();
  Socket socket = open_socket();
  const Status sent = begin_call(socket, socket_path, request, Deadline(patience_ms));
  if (sent.ok()) descriptor_ = socket.release();
  return sent;
}

void LineFeed::close() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  pending_.clear();
  reply_ = Reply();
  answered_ = false;
  ended_ = false;
}

Status LineFeed::take(const LineSink& sink) {
  char buffer[16384];
  const ssize_t received = ::recv(descriptor_, buffer, sizeof buffer, 0);
  if (received < 0 && (errno == EINTR || errno == EAGAIN)) return Status();
  if (received <= 0) return Status(Fault::closed, "daemon", received < 0 ? errno : 0);
  pending_.append(buffer, static_cast<std::size_t>(received));
  std::size_t start = 0;
  for (std::size_t end = 0; !ended_; start = end + 1) {
    end = pending_.find('\n', start);
    if (end == std::string::npos) break;
    const Status read = line(std::string_view(pending_).substr(start, end - start), sink);
    if (!read.ok()) return read;
  }
  pending_.erase(0, start);
  if (pending_.size() > max_reply_bytes) return Status(Fault::malformed, "line too long");
  return Status();
}

Status LineFeed::line(std::string_view text, const LineSink& sink) {
  if (answered_) {
    ended_ = !sink(text);
    return Status();
  }
  Result<Reply> reply = decode_reply(text);
  if (!reply) return reply.error();
  reply_ = std::move(*reply);
  answered_ = true;
  ended_ = !is_success(reply_.code);
  return Status();
}

void LineFeed::ask() const noexcept {
  static_cast<void>(::send(descriptor_, "n\n", 2, MSG_NOSIGNAL));
}

Status Client::follow(const Request& request, Reply& reply, const LineSink& line,
                      int poll_descriptor) const {
  LineFeed feed;
  const Status sent = feed.open(socket_path_, request);
  if (!sent.ok()) return sent;
  while (!feed.ended()) {
    // Before the reply the daemon does not listen for more.
    pollfd polls[2] = {{feed.descriptor(), POLLIN, 0},
                       {feed.answered() ? poll_descriptor : -1, POLLIN, 0}};
    const int ready = ::poll(polls, 2, -1);
    if (ready < 0 && errno != EINTR) return Status(Fault::io_error, "poll", errno);
    if (ready <= 0) continue;
    if (polls[0].revents != 0) {
      const Status taken = feed.take(line);
      if (feed.answered()) reply = feed.reply();
      if (!taken.ok()) return taken;
    }
    if (polls[1].revents == 0) continue;
    char buffer[512];
    const ssize_t got = ::read(poll_descriptor, buffer, sizeof buffer);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) poll_descriptor = -1;
    if (got > 0) feed.ask();
  }
  return Status();
}

}  // namespace replicator::control
