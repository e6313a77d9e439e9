// Takes in clients: accepts, keeps their number below a limit, waits a little when there is no
// descriptor for one more, and ends when the last one has gone.
//   P6  a bounded number of clients; one too many is hung up on
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "io/io.hpp"
#include "io/sync.hpp"
#include "io/task.hpp"

namespace replicator::io {

class Acceptor {
 public:
  using Serve = std::function<Task<void>(std::unique_ptr<Stream>)>;

  // `name` is for the log. What `serve` refers to must outlive the acceptor.
  Acceptor(World& world, std::string name, std::uint32_t clients_max, Serve serve)
      : world_(world),
        name_(std::move(name)),
        clients_max_(clients_max),
        serve_(std::move(serve)) {}

  // Clients that come before start() wait.
  Status claim(const Address& at, SocketOptions options = SocketOptions());
  void start();
  // One that is connected already.
  void admit(std::unique_ptr<Stream> stream);
  // No new clients.
  void close() noexcept;
  // The same, and ends when the present ones have been served.
  Task<void> stop();

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::uint32_t clients() const noexcept { return clients_.count(); }

 private:
  Task<void> accept_clients();

  World& world_;
  std::string name_;
  std::uint32_t clients_max_;
  Serve serve_;
  std::unique_ptr<Listener> listener_;
  Op pause_;
  bool closed_ = false;
  bool full_ = false;  // and said so
  Gate clients_;
  Gate accepting_;
};

}  // namespace replicator::io
