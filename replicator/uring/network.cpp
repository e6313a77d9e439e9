// TCP and unix sockets.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "uring/impl.hpp"

namespace replicator::uring {

namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

bool to_system(const io::Address& address, SocketAddress& out) {
  switch (address.family) {
    case io::AddressFamily::none: return false;
    case io::AddressFamily::ipv4: {
      auto* in = reinterpret_cast<sockaddr_in*>(&out.storage);
      in->sin_family = AF_INET;
      in->sin_port = htons(address.port);
      std::memcpy(&in->sin_addr, address.host.data(), 4);
      out.size = sizeof *in;
      return true;
    }
    case io::AddressFamily::ipv6: {
      auto* in = reinterpret_cast<sockaddr_in6*>(&out.storage);
      in->sin6_family = AF_INET6;
      in->sin6_port = htons(address.port);
      in->sin6_scope_id = address.scope;
      std::memcpy(&in->sin6_addr, address.host.data(), 16);
      out.size = sizeof *in;
      return true;
    }
    case io::AddressFamily::unix_path: break;
  }
  auto* un = reinterpret_cast<sockaddr_un*>(&out.storage);
  if (address.path.size() >= sizeof un->sun_path) return false;
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, address.path.c_str(), address.path.size() + 1);
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.path.size() + 1);
  return true;
}

io::Address from_system(const SocketAddress& from) {
  io::Address address;
  if (from.storage.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&from.storage);
    address.family = io::AddressFamily::ipv4;
    address.port = ntohs(in->sin_port);
    std::memcpy(address.host.data(), &in->sin_addr, 4);
  } else if (from.storage.ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&from.storage);
    address.family = io::AddressFamily::ipv6;
    address.port = ntohs(in->sin6_port);
    address.scope = in->sin6_scope_id;
    std::memcpy(address.host.data(), &in->sin6_addr, 16);
  }
  return address;
}

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

// What suits a LAN: no Nagle, and not whatever the system's default congestion control may be.
void tune(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  static constexpr char cubic[] = "cubic";
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cubic, sizeof cubic - 1);
}

void size_buffers(int fd, const io::SocketOptions& options) {
  if (options.send_buffer_bytes != 0) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(options.send_buffer_bytes));
  }
  if (options.receive_buffer_bytes != 0) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, static_cast<int>(options.receive_buffer_bytes));
  }
}

class SocketStream final : public io::Stream {
 public:
  SocketStream(Reactor::Impl& impl, int fd) : impl_(impl), fd_(fd) {
    SocketAddress own;
    own.size = sizeof own.storage;
    if (getsockname(fd, own.get(), &own.size) == 0) local_ = from_system(own);
    SocketAddress other;
    other.size = sizeof other.storage;
    if (getpeername(fd, other.get(), &other.size) == 0) peer_ = from_system(other);
    if (own.storage.ss_family == AF_UNIX) {
      ucred credentials{};
      socklen_t size = sizeof credentials;
      if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
        user_ = credentials.uid;
        process_ = static_cast<std::uint32_t>(credentials.pid);
      }
    } else {
      tune(fd);
    }
  }
  ~SocketStream() override { close(fd_); }
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  void receive(io::Op& op, Bytes into, Duration patience) override {
    impl_.start(op);
    Request& request = impl_.take(op, received);
    request.fd = fd_;
    request.owner = this;
    request.opcode = IORING_OP_RECV;
    request.memory = into.data();
    request.length = into.size();
    if (!patience.is_forever()) receive_until_ = impl_.nanoseconds() + patience.nanoseconds();
    impl_.submit_timed(request, patience);
  }

  void send(io::Op& op, std::span<const io::IoSlice> slices, Duration patience) override {
    impl_.start(op);
    vectors_.clear();
    total_ = 0;
    for (const io::IoSlice& slice : slices) {
      if (slice.size == 0) continue;
      vectors_.push_back(iovec{const_cast<std::byte*>(slice.data), slice.size});
      total_ += slice.size;
    }
    first_vector_ = 0;
    patience_ = patience;
    Request& request = impl_.take(op, sent);
    request.fd = fd_;
    request.owner = this;
    request.opcode = IORING_OP_SENDMSG;
    send_more(request);
  }

  void shutdown() noexcept override {
    ended_ = true;
    ::shutdown(fd_, SHUT_RDWR);
  }

  [[nodiscard]] bool alive() noexcept override {
    std::byte peek{};
    const ssize_t got = recv(fd_, &peek, 1, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
  }
  [[nodiscard]] io::Address local() const noexcept override { return local_; }
  [[nodiscard]] io::Address peer() const noexcept override { return peer_; }
  [[nodiscard]] std::uint32_t peer_user() const noexcept override { return user_; }
  [[nodiscard]] std::uint32_t peer_process() const noexcept override { return process_; }

 private:
  void send_more(Request& request) {
    message_ = msghdr{};
    message_.msg_iov = vectors_.data() + first_vector_;
    message_.msg_iovlen = std::min<std::size_t>(vectors_.size() - first_vector_, 1024);
    request.memory = reinterpret_cast<std::byte*>(&message_);
    request.moved = 0;
    impl_.submit_timed(request, patience_);
  }
  static void received(Reactor::Impl& impl, Request& request, std::int32_t result) {
    const auto& stream = *static_cast<SocketStream*>(request.owner);
    if ((result == -EINTR || result == -EAGAIN) && !stream.ended_) {
      if (!request.timed) return impl.submit(request);
      const auto left = Duration::nanoseconds(stream.receive_until_ - impl.nanoseconds());
      if (left > Duration()) return impl.submit_timed(request, left);
      result = -ECANCELED;
    }
    if (result == -ECANCELED && request.timed) result = stream.ended_ ? 0 : -ETIMEDOUT;
    end(impl, request, result);
  }
  static void sent(Reactor::Impl& impl, Request& request, std::int32_t result) {
    auto& stream = *static_cast<SocketStream*>(request.owner);
    if (result == -EINTR || result == -EAGAIN) return stream.send_more(request);
    if (result == -ECANCELED && request.timed) result = -ETIMEDOUT;
    if (result < 0) return end(impl, request, result);
    if (stream.advance(static_cast<std::size_t>(result))) return stream.send_more(request);
    end(impl, request, static_cast<std::int32_t>(std::min<std::size_t>(stream.total_, INT32_MAX)));
  }
  // True: something is left.
  bool advance(std::size_t moved) {
    while (first_vector_ < vectors_.size() && moved >= vectors_[first_vector_].iov_len) {
      moved -= vectors_[first_vector_].iov_len;
      ++first_vector_;
    }
    if (first_vector_ == vectors_.size()) return false;
    iovec& rest = vectors_[first_vector_];
    rest.iov_base = static_cast<std::byte*>(rest.iov_base) + moved;
    rest.iov_len -= moved;
    return true;
  }
  static void end(Reactor::Impl& impl, Request& request, std::int32_t result) {
    io::Op& op = *request.op;
    impl.give(request);
    Reactor::Impl::done(op, result);
  }

  Reactor::Impl& impl_;
  int fd_;
  io::Address local_;
  io::Address peer_;
  std::uint32_t user_ = ~0U;
  std::uint32_t process_ = 0;
  bool ended_ = false;
  std::vector<iovec> vectors_;
  std::size_t first_vector_ = 0;
  std::size_t total_ = 0;
  Duration patience_ = Duration::forever();
  std::int64_t receive_until_ = 0;  // when the receive has a limit
  msghdr message_{};
};

class SocketListener final : public io::Listener {
 public:
  SocketListener(Reactor::Impl& impl, int fd, std::string path, io::SocketOptions options)
      : impl_(impl), fd_(fd), path_(std::move(path)), options_(options) {
    if (!path_.empty()) impl_.unix_listeners[path_] = fd_;
  }
  ~SocketListener() override {
    ::close(fd_);
    if (path_.empty()) return;
    impl_.unix_listeners.erase(path_);
    unlink(path_.c_str());
  }
  SocketListener(const SocketListener&) = delete;
  SocketListener& operator=(const SocketListener&) = delete;

  void accept(io::Op& op, std::unique_ptr<io::Stream>& accepted, Duration patience) override {
    impl_.start(op);
    Request& request = impl_.take(op, arrived);
    if (closed_) {
      Reactor::Impl::done(op, -ECANCELED);
      impl_.give(request);
      return;
    }
    slot_ = &accepted;
    pending_ = &request;
    request.fd = fd_;
    request.owner = this;
    request.opcode = IORING_OP_ACCEPT;
    impl_.submit_timed(request, patience);
  }
  void close() noexcept override {
    closed_ = true;
    if (pending_ != nullptr) impl_.cancel(*pending_);
  }

 private:
  static void arrived(Reactor::Impl& impl, Request& request, std::int32_t result) {
    auto& self = *static_cast<SocketListener*>(request.owner);
    self.pending_ = nullptr;
    io::Op& op = *request.op;
    impl.give(request);
    if (result >= 0) {
      // Unix sockets do not inherit them.
      if (!self.path_.empty()) size_buffers(result, self.options_);
      *self.slot_ = std::make_unique<SocketStream>(impl, result);
      result = 0;
    } else if (result == -ECANCELED || result == -EINTR) {
      result = self.closed_ ? -ECANCELED : -ETIMEDOUT;
    }
    Reactor::Impl::done(op, result);
  }

  Reactor::Impl& impl_;
  int fd_;
  std::string path_;
  io::SocketOptions options_;
  std::unique_ptr<io::Stream>* slot_ = nullptr;
  Request* pending_ = nullptr;
  bool closed_ = false;
};

class SystemNetwork final : public io::Network {
 public:
  explicit SystemNetwork(Reactor::Impl& impl) : impl_(impl) {}

  Result<std::unique_ptr<io::Listener>> listen(const io::Address& at,
                                               io::SocketOptions options) override {
    SocketAddress address;
    if (!to_system(at, address)) return failure(Fault::malformed, "listen address");
    const bool is_unix = at.family == io::AddressFamily::unix_path;
    if (is_unix && impl_.options.inherited_listener >= 0 && at.path == impl_.options.inherited_path)
      return take_inherited(at.path, options);
    const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return failure(Fault::io_error, "socket", errno);
    size_buffers(fd, options);
    if (is_unix) remove_stale(at.path, address);
    else set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // The socket file is never open to others, not even between bind and a later chmod.
    const mode_t before = is_unix ? umask(0177) : 0;
    const int bound = bind(fd, address.get(), address.size);
    const int error = errno;
    if (is_unix) umask(before);
    if (bound != 0 || ::listen(fd, 64) != 0) {
      const int why = bound != 0 ? error : errno;
      ::close(fd);
      return failure(why == EADDRINUSE ? Fault::busy : Fault::io_error, "listen", why);
    }
    return std::unique_ptr<io::Listener>(
        std::make_unique<SocketListener>(impl_, fd, is_unix ? at.path : std::string(), options));
  }

  std::unique_ptr<io::Listener> take_inherited(const std::string& path, io::SocketOptions options) {
    const int fd = std::exchange(impl_.options.inherited_listener, -1);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return std::make_unique<SocketListener>(impl_, fd, path, options);
  }

  void connect(io::Op& op, const io::Address& from, const io::Address& to,
               io::SocketOptions options, std::unique_ptr<io::Stream>& connected,
               Duration patience) override {
    impl_.start(op);
    auto attempt = std::make_unique<Attempt>();
    attempt->slot = &connected;
    SocketAddress local;
    const bool usable = to_system(to, attempt->target);
    attempt->fd =
        usable ? socket(attempt->target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (attempt->fd < 0) return Reactor::Impl::done(op, usable ? -errno : -EINVAL);
    size_buffers(attempt->fd, options);
    if (from.family == io::AddressFamily::ipv4 || from.family == io::AddressFamily::ipv6) {
      io::Address any_port = from;
      any_port.port = 0;
      if (!to_system(any_port, local) || bind(attempt->fd, local.get(), local.size) != 0) {
        const int error = errno;
        ::close(attempt->fd);
        return Reactor::Impl::done(op, -error);
      }
    }
    Request& request = impl_.take(op, ended);
    request.fd = attempt->fd;
    request.opcode = IORING_OP_CONNECT;
    request.memory = reinterpret_cast<std::byte*>(attempt->target.get());
    request.length = attempt->target.size;
    op.backend_pointer = &request;
    request.owner = attempt.release();
    impl_.submit_timed(request, patience);
  }

  void cancel(io::Op& op) noexcept override {
    if (op.in_flight()) impl_.cancel(*static_cast<Request*>(op.backend_pointer));
  }

 private:
  struct Attempt {
    SocketAddress target;
    int fd = -1;
    std::unique_ptr<io::Stream>* slot = nullptr;
  };

  static void ended(Reactor::Impl& impl, Request& request, std::int32_t result) {
    const std::unique_ptr<Attempt> attempt(static_cast<Attempt*>(request.owner));
    io::Op& op = *request.op;
    const bool asked = request.wants_cancel;
    impl.give(request);
    if (result == 0) {
      *attempt->slot = std::make_unique<SocketStream>(impl, attempt->fd);
    } else {
      ::close(attempt->fd);
      if (result == -ECANCELED && !asked) result = -ETIMEDOUT;
    }
    Reactor::Impl::done(op, result);
  }

  // A socket file that nobody listens on is left over from a daemon that was killed.
  static void remove_stale(const std::string& path, SocketAddress& address) {
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return;
    if (::connect(probe, address.get(), address.size) != 0 && errno == ECONNREFUSED) {
      unlink(path.c_str());
    }
    ::close(probe);
  }

  Reactor::Impl& impl_;
};

}  // namespace

std::unique_ptr<io::Stream> Reactor::adopt(int socket) {
  return std::make_unique<SocketStream>(*impl_, socket);
}

std::unique_ptr<io::Network> make_network(Reactor::Impl& impl) {
  return std::make_unique<SystemNetwork>(impl);
}

}  // namespace replicator::uring
