#include "pollux/echo.hpp"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace replicator::pollux {

namespace {

// Both versions begin with type, code, checksum, identifier and sequence.
using Request = std::array<std::uint8_t, 8>;

void set_checksum(Request& request) noexcept {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < request.size(); i += 2)
    sum += static_cast<std::uint32_t>(request[i]) << 8U | request[i + 1];
  while (sum >> 16U != 0)
    sum = (sum & 0xffffU) + (sum >> 16U);
  request[2] = static_cast<std::uint8_t>(~sum >> 8U);
  request[3] = static_cast<std::uint8_t>(~sum);
}

// The kernel fills in the checksum of version 6, and of both on datagram sockets.
bool ask_once(int fd, bool six, int patience_ms) {
  Request request{};
  request[0] = six ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  request[5] = 1;
  request[7] = 1;
  if (!six) set_checksum(request);
  if (send(fd, request.data(), request.size(), 0) < 0) return false;
  // Anything that comes is from the host that the socket is connected to.
  pollfd waiting{fd, POLLIN, 0};
  if (poll(&waiting, 1, patience_ms) <= 0) return false;
  std::array<std::uint8_t, 256> answer{};
  return recv(fd, answer.data(), answer.size(), MSG_DONTWAIT) > 0;
}

int open_socket(const io::Address& host) {
  const bool six = host.family == io::AddressFamily::ipv6;
  const int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
                        six ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP));
  if (fd >= 0) return fd;
  return socket(six ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC,
                six ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP));
}

bool connect_to(int fd, const io::Address& host) {
  if (host.family == io::AddressFamily::ipv6) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_scope_id = host.scope;
    std::memcpy(&to.sin6_addr, host.host.data(), sizeof to.sin6_addr);
    return connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  std::memcpy(&to.sin_addr, host.host.data(), sizeof to.sin_addr);
  return connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

}  // namespace

Echo ask_for_echo(const io::Address& host, int patience_ms) {
  const bool six = host.family == io::AddressFamily::ipv6;
  if (!six && host.family != io::AddressFamily::ipv4) return Echo::unknown;
  const int fd = open_socket(host);
  if (fd < 0) return Echo::unknown;
  bool answered = false;
  if (connect_to(fd, host)) {
    for (int turn = 0; turn < 2 && !answered; ++turn)
      answered = ask_once(fd, six, patience_ms);
  }
  close(fd);
  return answered ? Echo::answers : Echo::silent;
}

}  // namespace replicator::pollux
