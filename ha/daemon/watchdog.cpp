#include "ha/daemon/watchdog.hpp"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace ha::daemon {

Watchdog::~Watchdog() {
  if (fd_ >= 0) close(fd_);
}

// Without O_NONBLOCK a FIFO that nobody reads would hold up the program, and so would a full one.
Status Watchdog::open(const std::string& path, Duration timeout) {
  fd_ = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) return Status(Fault::io_error, "watchdog", errno);
  struct stat about{};
  device_ = fstat(fd_, &about) == 0 && S_ISCHR(about.st_mode);
  said_ = timeout;
  if (!device_) return Status();
  int seconds = static_cast<int>(timeout.milliseconds() / 1000);
  const int wanted = seconds;
  if (ioctl(fd_, WDIOC_SETTIMEOUT, &seconds) != 0) {
    const int error = errno;
    if (ioctl(fd_, WDIOC_GETTIMEOUT, &seconds) != 0)
      return Status(Fault::io_error, "watchdog", error);
  }
  said_ = Duration::seconds(seconds);
  return seconds > wanted ? Status(Fault::incompatible, "watchdog") : Status();
}

void Watchdog::pet() noexcept {
  if (fd_ < 0) return;
  if (write(fd_, "1", 1) == 1 || device_) return;
  // A FIFO nobody reads is full: what is in it is old.
  char old[4096];
  while (read(fd_, old, sizeof old) == static_cast<ssize_t>(sizeof old)) {
  }
}

void Watchdog::disarm() noexcept {
  if (fd_ < 0) return;
  static_cast<void>(write(fd_, "V", 1) == 1);
  close(fd_);
  fd_ = -1;
}

}  // namespace ha::daemon
