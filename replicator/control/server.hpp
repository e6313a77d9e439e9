// The daemon's end of the control socket: one line in, one line out (control/messages.hpp), many
// clients.
//   P6  a bounded number of clients, bounded lines, deadlines for a request that does not arrive
//   whole and for a reply that is not taken. Commands that wait for something do not get all
//   places: there is always one to look, and to set going again what they wait for
// Only root may talk to it: the socket is 0600 and each client's user id is checked as well.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "control/messages.hpp"
#include "io/acceptor.hpp"
#include "io/io.hpp"
#include "io/task.hpp"

namespace replicator::control {

// What carries commands out; lives in the daemon. A command that waits for something asks now and
// then whether `caller` is still alive: a wait that nobody waits for would keep its place for ever.
class CommandHandler {
 public:
  virtual ~CommandHandler() = default;
  virtual Task<Reply> handle(Request request, io::Stream& caller) = 0;
  // It may be long until such a command is answered, or ends.
  [[nodiscard]] virtual bool may_wait(const Request& request) const;
  // After the successful reply to such a command the connection is the command's, until it ends.
  [[nodiscard]] virtual bool streams(const Request& request) const;
  virtual Task<void> stream(Request request, io::Stream& caller);
};

class Server {
 public:
  static constexpr std::uint32_t clients_max = 256;
  static constexpr std::uint32_t waiting_max = 240;

  // References must outlive the server.
  Server(io::World& world, CommandHandler& handler);

  Status listen(const std::string& path);
  // The same in two steps: clients that come between them wait.
  Status claim(const std::string& path);
  void serve_clients();
  // No new clients: they wait at the socket.
  void close_door() noexcept;
  // No new clients; ends when the commands in progress have been answered.
  Task<void> stop();

 private:
  class Waiting;
  Task<void> serve(std::unique_ptr<io::Stream> stream);
  Task<bool> receive_line(io::Stream& stream, std::string& pending);
  Task<bool> answer(io::Stream& stream, const std::string& line);
  Task<bool> carry_out(io::Stream& stream, const Request& request);
  Task<bool> send(io::Stream& stream, const Reply& reply);

  io::World& world_;
  CommandHandler& handler_;
  std::uint32_t waiting_ = 0;
  io::Acceptor clients_;  // last: its frames refer to everything above
};

}  // namespace replicator::control
