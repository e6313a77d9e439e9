#include "daemon/system_log.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace replicator {

namespace {

int priority(log::Level level) noexcept {
  switch (level) {
    case log::Level::error: return LOG_DAEMON | LOG_ERR;
    case log::Level::warning: return LOG_DAEMON | LOG_WARNING;
    case log::Level::info: return LOG_DAEMON | LOG_INFO;
    default: return LOG_DAEMON | LOG_DEBUG;
  }
}

}  // namespace

SystemLog::~SystemLog() {
  if (fd_ >= 0) close(fd_);
}

void SystemLog::sink(void* context, log::Level level, std::string_view line) {
  static_cast<SystemLog*>(context)->add(level, line);
}

bool SystemLog::connect_to_it() noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  if (fd_ < 0) fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return fd_ >= 0 && connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

// As the C library's syslog() writes it: <PRIORITY>DATE PROGRAM[PROCESS]: TEXT
bool SystemLog::send_line(log::Level level, std::string_view line) noexcept {
  const time_t now = time(nullptr);
  tm parts{};
  localtime_r(&now, &parts);
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char head[64];
  const int length = std::snprintf(
      head, sizeof head, "<%d>%s %2d %02d:%02d:%02d polluxd[%d]: ", priority(level),
      months[parts.tm_mon], parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, getpid());
  iovec pieces[2] = {{head, static_cast<std::size_t>(length)},
                     {const_cast<char*>(line.data()), line.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (fd_ >= 0 && sendmsg(fd_, &message, flags) >= 0) return true;
  if (fd_ >= 0 && (errno == EAGAIN || errno == ENOBUFS)) return false;
  // Nobody is there, or the service has started again since.
  return connect_to_it() && sendmsg(fd_, &message, flags) >= 0;
}

void SystemLog::add(log::Level level, std::string_view line) {
  if (lost_ != 0) {
    char text[96];
    std::snprintf(text, sizeof text, "lines lost: %llu; the system's log was full or away",
                  static_cast<unsigned long long>(lost_));
    if (send_line(log::Level::warning, text)) lost_ = 0;
  }
  if (lost_ != 0 || !send_line(level, line)) ++lost_;
}

}  // namespace replicator
