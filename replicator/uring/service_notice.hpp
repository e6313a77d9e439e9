// What a service manager is told (sd_notify's protocol: datagrams to the socket that NOTIFY_SOCKET
// names), so that it knows when the daemon serves and notices when its loop stands still. Nothing
// waits: a datagram that finds no room is lost, and the next one says the same.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "io/io.hpp"
#include "io/task.hpp"

namespace replicator::uring {

// What the environment says.
struct ServiceManager {
  std::string socket;  // a path, or with a leading '@' an abstract name; empty: there is none
  Duration watchdog;   // zero: it does not watch
};
// `watchdog_pid` (empty: whoever reads this) says whom the watchdog is about.
ServiceManager parse_service_manager(std::string_view socket, std::string_view watchdog_usec,
                                     std::string_view watchdog_pid, std::uint32_t own_pid);

class ServiceNotice {
 public:
  explicit ServiceNotice(ServiceManager manager);
  ServiceNotice(const ServiceNotice&) = delete;
  ServiceNotice& operator=(const ServiceNotice&) = delete;
  ~ServiceNotice();
  // Takes the variables away, so that nobody who is started speaks for this process.
  static ServiceManager take_from_environment();

  // For another program that takes over this process.
  void hand_on() const;

  void ready(std::string_view status);
  void stopping();
  // "WATCHDOG=1" twice in the time that the watchdog allows, from the loop that the clock belongs
  // to; and the status whenever it has changed. Never ends.
  Task<void> keep_telling(io::Clock& clock, std::function<std::string()> status);

 private:
  void send(std::string_view text);
  void tell_status(std::string text);

  ServiceManager manager_;
  int fd_ = -1;
  std::string status_;
  bool stopping_ = false;
};

}  // namespace replicator::uring
