// A command that the daemon answers by a stream of lines (events2), for a program that waits for
// other things beside it: nothing here blocks once the request is sent.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "control/messages.hpp"

namespace replicator::control {

// Gets a line without its newline; false: that was enough.
using LineSink = std::function<bool(std::string_view line)>;

class LineFeed {
 public:
  LineFeed() = default;
  ~LineFeed() { close(); }
  LineFeed(const LineFeed&) = delete;
  LineFeed& operator=(const LineFeed&) = delete;

  // Connects and sends the request; the failures are those of Client::call().
  [[nodiscard]] Status open(const std::string& socket_path, const Request& request);
  void close() noexcept;

  // To be polled for reading; -1: not open.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  // Takes what has come. Fault::closed: the daemon has hung up; Fault::malformed.
  [[nodiscard]] Status take(const LineSink& sink);
  // The daemon has replied; only then it listens for more.
  [[nodiscard]] bool answered() const noexcept { return answered_; }
  [[nodiscard]] const Reply& reply() const noexcept { return reply_; }
  // The sink has had enough, or the reply is no success.
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  // Asks for another dump. A daemon that is behind has been asked already.
  void ask() const noexcept;

 private:
  Status line(std::string_view text, const LineSink& sink);

  int descriptor_ = -1;
  std::string pending_;
  Reply reply_;
  bool answered_ = false;
  bool ended_ = false;
};

}  // namespace replicator::control
