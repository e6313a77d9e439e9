#include "uring/service_notice.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace replicator::uring {

namespace {

constexpr Duration usual_pause = Duration::seconds(10);

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end ? value : 0;
}

std::string taken(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  unsetenv(name);
  return text;
}

// Lines in a datagram are settings.
std::string one_line(std::string text) {
  for (char& each : text) {
    if (each == '\n') each = ' ';
  }
  return text;
}

}  // namespace

ServiceManager parse_service_manager(std::string_view socket, std::string_view watchdog_usec,
                                     std::string_view watchdog_pid, std::uint32_t own_pid) {
  constexpr std::uint64_t longest_usec = 24ULL * 3600 * 1000000;
  ServiceManager manager;
  const bool known = socket.size() > 1 && socket.size() < sizeof(sockaddr_un::sun_path) &&
                     (socket[0] == '/' || socket[0] == '@');
  if (!known) return manager;
  manager.socket = socket;
  const bool about_us = watchdog_pid.empty() || number(watchdog_pid) == own_pid;
  const std::uint64_t usec = number(watchdog_usec);
  if (about_us && usec <= longest_usec)
    manager.watchdog = Duration::microseconds(static_cast<std::int64_t>(usec));
  return manager;
}

ServiceNotice::ServiceNotice(ServiceManager manager) : manager_(std::move(manager)) {
  if (!manager_.socket.empty()) fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

ServiceNotice::~ServiceNotice() {
  if (fd_ >= 0) close(fd_);
}

ServiceManager ServiceNotice::take_from_environment() {
  const std::string socket = taken("NOTIFY_SOCKET");
  const std::string usec = taken("WATCHDOG_USEC");
  const std::string pid = taken("WATCHDOG_PID");
  return parse_service_manager(socket, usec, pid, static_cast<std::uint32_t>(getpid()));
}

void ServiceNotice::hand_on() const {
  if (manager_.socket.empty()) return;
  setenv("NOTIFY_SOCKET", manager_.socket.c_str(), 1);
  const std::int64_t usec = manager_.watchdog.nanoseconds() / 1000;
  if (usec > 0) setenv("WATCHDOG_USEC", std::to_string(usec).c_str(), 1);
}

void ServiceNotice::ready(std::string_view status) {
  status_ = one_line(std::string(status));
  send("READY=1\nSTATUS=" + status_);
}

void ServiceNotice::stopping() {
  stopping_ = true;
  send("STOPPING=1\nSTATUS=ending");
}

Task<void> ServiceNotice::keep_telling(io::Clock& clock, std::function<std::string()> status) {
  if (fd_ < 0) co_return;
  const bool watched = manager_.watchdog > Duration();
  const Duration pause = watched ? manager_.watchdog / 2 : usual_pause;
  for (;;) {
    if (watched) send("WATCHDOG=1");
    tell_status(status());
    io::Op rest;
    clock.sleep(rest, pause);
    const std::int32_t slept = co_await rest;
    static_cast<void>(slept);
  }
}

void ServiceNotice::tell_status(std::string text) {
  text = one_line(std::move(text));
  if (stopping_ || text == status_) return;
  status_ = std::move(text);
  send("STATUS=" + status_);
}

void ServiceNotice::send(std::string_view text) {
  if (fd_ < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, manager_.socket.data(), manager_.socket.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + manager_.socket.size());
  static_cast<void>(sendto(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                           reinterpret_cast<const sockaddr*>(&to), length));
}

}  // namespace replicator::uring
