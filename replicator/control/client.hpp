// The tools' end of the control socket: blocking, with a deadline, one connection per call.
#pragma once

#include <cstdint>
#include <string>

#include "control/line_feed.hpp"
#include "control/messages.hpp"

namespace replicator::control {

class Client {
 public:
  explicit Client(std::string socket_path = default_socket_path);
  virtual ~Client() = default;

  // The reply of the daemon. Fault::not_found: no daemon is running (the socket is missing or
  // nobody listens), so nothing is configured. Fault::not_permitted: the caller may not talk to it.
  // Fault::timed_out, Fault::closed, Fault::malformed: it did not answer properly. A deadline of 0
  // waits for ever.
  [[nodiscard]] virtual Result<Reply> call(const Request& request, std::uint32_t deadline_ms) const;

  // A command that is answered by a stream (events2): `line` gets each line without its newline
  // until it returns false, which is success, or the daemon hangs up (Fault::closed). What can be
  // read from `poll_descriptor` (-1: none) is passed on; its end is not an end. Failures to get
  // that far are those of call(); a reply that is no success is in `reply` and ends it well.
  using LineSink = control::LineSink;
  [[nodiscard]] virtual Status follow(const Request& request, Reply& reply, const LineSink& line,
                                      int poll_descriptor) const;

  [[nodiscard]] const std::string& socket_path() const noexcept { return socket_path_; }

 private:
  std::string socket_path_;
};

}  // namespace replicator::control
