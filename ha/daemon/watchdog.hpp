// /dev/watchdog, or what stands in its place: resets the machine when it is not told for a while
// that all is well. Opened once and for good; only an orderly end disarms it.
#pragma once

#include <string>

#include "ha/words.hpp"

namespace ha::daemon {

class Watchdog {
 public:
  Watchdog() = default;
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // The device counts from now on. Fault::incompatible: it does not take that time; `said` is the
  // one it has then. A file or a FIFO is written to and has no time of its own.
  Status open(const std::string& path, Duration timeout);
  [[nodiscard]] bool armed() const noexcept { return fd_ >= 0; }
  [[nodiscard]] bool is_device() const noexcept { return device_; }
  [[nodiscard]] Duration said() const noexcept { return said_; }
  void pet() noexcept;
  void disarm() noexcept;

 private:
  int fd_ = -1;
  bool device_ = false;
  Duration said_;
};

}  // namespace ha::daemon
