#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "devices/device_users.hpp"
#include "doctor/gather.hpp"
#include "doctor/parse.hpp"
#include "io/address.hpp"

namespace replicator::doctor {

namespace {

Reach from_error(int error) {
  switch (error) {
    case 0: return Reach::reached;
    case ECONNREFUSED: return Reach::refused;
    case ETIMEDOUT: return Reach::silent;
    default: return Reach::unreachable;
  }
}

int begin_connection(const io::Address& address, int& error) {
  const bool six = address.family == io::AddressFamily::ipv6;
  const int fd =
      socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) {
    error = errno;
    return fd;
  }
  sockaddr_storage to{};
  socklen_t size = 0;
  if (six) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    v6.sin6_scope_id = address.scope;
    std::memcpy(&v6.sin6_addr, address.host.data(), sizeof v6.sin6_addr);
    std::memcpy(&to, &v6, size = sizeof v6);
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.host.data(), sizeof v4.sin_addr);
    std::memcpy(&to, &v4, size = sizeof v4);
  }
  error = connect(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0 ? 0 : errno;
  return fd;
}

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Reach outcome(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return from_error(error);
}

// Of the process that has the socket; nothing when it is not seen from here.
std::uint32_t process_with_socket(std::uint64_t inode) {
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(opendir("/proc"), closedir);
  if (processes == nullptr) return 0;
  while (const dirent* process = readdir(processes.get())) {
    if (process->d_name[0] < '0' || process->d_name[0] > '9') continue;
    const std::string folder = std::string("/proc/") + process->d_name + "/fd";
    const std::unique_ptr<DIR, int (*)(DIR*)> descriptors(opendir(folder.c_str()), closedir);
    if (descriptors == nullptr) continue;
    while (const dirent* each = readdir(descriptors.get())) {
      char target[64] = "";
      const ssize_t length =
          readlink((folder + "/" + each->d_name).c_str(), target, sizeof target - 1);
      if (length > 0 && wanted == target)
        return static_cast<std::uint32_t>(std::strtoul(process->d_name, nullptr, 10));
    }
  }
  return 0;
}

}  // namespace

std::vector<Reach> reach(const std::vector<Endpoint>& endpoints, int patience_ms) {
  std::vector<Reach> answers(endpoints.size(), Reach::unreachable);
  std::vector<pollfd> waiting(endpoints.size(), pollfd{-1, POLLOUT, 0});
  std::size_t open = 0;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const Endpoint& end = endpoints[i];
    const Result<io::Address> address =
        end.family == "ipv6" ? io::parse_ipv6(end.ip, end.port) : io::parse_ipv4(end.ip, end.port);
    if (!address) continue;
    int error = 0;
    const int fd = begin_connection(*address, error);
    answers[i] = error == EINPROGRESS ? Reach::silent : from_error(error);
    if (error == EINPROGRESS) {
      waiting[i].fd = fd;
      ++open;
    } else if (fd >= 0) {
      close(fd);
    }
  }
  const std::int64_t end = now_ms() + patience_ms;
  for (std::int64_t left = patience_ms; open > 0 && left > 0; left = end - now_ms()) {
    if (poll(waiting.data(), waiting.size(), static_cast<int>(left)) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
      answers[i] = outcome(waiting[i].fd);
      close(std::exchange(waiting[i].fd, -1));
      --open;
    }
  }
  for (const pollfd& each : waiting) {
    if (each.fd >= 0) close(each.fd);
  }
  return answers;
}

void look_for_port_owner(ResourceFacts& resource, std::uint32_t daemon_pid) {
  std::vector<Listener> all = parse_listeners(file_text("/proc/net/tcp"), false);
  for (Listener& each : parse_listeners(file_text("/proc/net/tcp6"), true))
    all.push_back(std::move(each));
  for (const Listener& each : all) {
    if (!takes(each, resource.local_ip, resource.port)) continue;
    const std::uint32_t pid = process_with_socket(each.inode);
    if (pid != 0 && pid == daemon_pid) {
      resource.port_use = PortUse::ours;
      continue;
    }
    resource.port_use = PortUse::foreign;
    if (pid != 0)
      resource.port_owner = shim::process_user(pid).name + " (pid " + std::to_string(pid) + ")";
    return;
  }
}

}  // namespace replicator::doctor
