// UDP and ICMP sockets: received through the ring, sent at once.
#include <net/if.h>
#include <netinet/in.h>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "uring/impl.hpp"

namespace replicator::uring {

namespace {

sockaddr_in to_system(const io::Address& address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  std::memcpy(&out.sin_addr, address.host.data(), 4);
  return out;
}

class Socket final : public io::DatagramSocket {
 public:
  Socket(Reactor::Impl& impl, int fd, const sockaddr_in& to) : impl_(impl), fd_(fd), to_(to) {}
  ~Socket() override { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void receive(io::Op& op, Bytes into) override {
    impl_.start(op);
    if (closed_) return Reactor::Impl::done(op, -ECANCELED);
    Request& request = impl_.take(op, received);
    pending_ = &request;
    request.fd = fd_;
    request.owner = this;
    request.opcode = IORING_OP_RECV;
    request.memory = into.data();
    request.length = into.size();
    impl_.submit(request);
  }

  int send(ConstBytes datagram) noexcept override {
    const ssize_t sent =
        ::sendto(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
    return sent < 0 ? -errno : 0;
  }

  void close() noexcept override {
    closed_ = true;
    if (pending_ != nullptr) impl_.cancel(*pending_);
  }

 private:
  static void received(Reactor::Impl& impl, Request& request, std::int32_t result) {
    auto& self = *static_cast<Socket*>(request.owner);
    if ((result == -EINTR || result == -EAGAIN) && !self.closed_) return impl.submit(request);
    self.pending_ = nullptr;
    io::Op& op = *request.op;
    impl.give(request);
    Reactor::Impl::done(op, result);
  }

  Reactor::Impl& impl_;
  int fd_;
  sockaddr_in to_;
  Request* pending_ = nullptr;
  bool closed_ = false;
};

bool set_option(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Of the interface's network; an address without one (`ip address add` sets none) leaves the one
// that means everybody on the link.
void find_broadcast_address(int fd, const std::string& interface, sockaddr_in& to) {
  ifreq request{};
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  to.sin_addr.s_addr = htonl(INADDR_BROADCAST);
  if (ioctl(fd, SIOCGIFBRDADDR, &request) != 0) return;
  const auto& found = reinterpret_cast<const sockaddr_in&>(request.ifr_broadaddr);
  if (found.sin_addr.s_addr != 0) to.sin_addr = found.sin_addr;
}

bool join(int fd, const io::DatagramPath& path, const sockaddr_in& to) {
  ip_mreqn group{};
  group.imr_multiaddr = to.sin_addr;
  group.imr_ifindex = static_cast<int>(if_nametoindex(path.interface.c_str()));
  return set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, path.ttl) &&
         set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, path.loop ? 1 : 0) &&
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof group) == 0 &&
         setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0;
}

// Bound to the interface, so that a link is what its name says, whatever the routes are.
bool set_up_udp(int fd, const io::DatagramPath& path, sockaddr_in& to) {
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(path.port);
  to.sin_port = htons(path.port);
  to.sin_family = AF_INET;
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
      setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, path.interface.c_str(),
                 static_cast<socklen_t>(path.interface.size())) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) {
    return false;
  }
  if (path.kind == io::DatagramKind::broadcast) {
    find_broadcast_address(fd, path.interface, to);
    return set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);
  }
  return path.kind == io::DatagramKind::unicast || join(fd, path, to);
}

// Of linux/icmp.h, which does not go together with net/if.h.
constexpr int icmp_filter_option = 1;
constexpr std::uint32_t echo_reply_type = 0;

// Echo replies of that address, nothing else.
bool set_up_echo(int fd, const sockaddr_in& to) {
  const std::uint32_t others = ~(1U << echo_reply_type);
  return setsockopt(fd, SOL_RAW, icmp_filter_option, &others, sizeof others) == 0 &&
         connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

class Datagrams final : public io::DatagramNetwork {
 public:
  explicit Datagrams(Reactor::Impl& impl) : impl_(impl) {}

  Result<std::unique_ptr<io::DatagramSocket>> open(const io::DatagramPath& path) override {
    const bool echo = path.kind == io::DatagramKind::echo;
    if (path.interface.size() >= IFNAMSIZ) return failure(Fault::malformed, "interface");
    const int fd = echo ? socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)
                        : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return failure(Fault::io_error, "socket", errno);
    sockaddr_in to = to_system(path.to, 0);
    if (!(echo ? set_up_echo(fd, to) : set_up_udp(fd, path, to))) {
      const int error = errno;
      ::close(fd);
      return failure(error == ENODEV ? Fault::not_found : Fault::io_error, "heartbeat socket",
                     error);
    }
    return std::unique_ptr<io::DatagramSocket>(std::make_unique<Socket>(impl_, fd, to));
  }

 private:
  Reactor::Impl& impl_;
};

}  // namespace

std::unique_ptr<io::DatagramNetwork> Reactor::datagrams() {
  return std::make_unique<Datagrams>(*impl_);
}

}  // namespace replicator::uring
