#include "frontend/nbd/server.hpp"

#include <cerrno>
#include <utility>

#include "base/log.hpp"
#include "io/address.hpp"

namespace replicator {

namespace {
// Replies of a whole turn fit in: the client is woken once for all of them, not once per piece.
constexpr std::uint32_t send_buffer_bytes = 1U << 20U;
}  // namespace

NbdServer::NbdServer(io::World& world, io::BufferPool& pool, io::BlockDevice& device,
                     std::string export_name, nbd::Limits limits)
    : world_(world),
      pool_(pool, own_bytes),
      device_(device),
      export_name_(std::move(export_name)),
      limits_(limits),
      share_(pool) {}

Status NbdServer::listen(std::string_view path) {
  ensure(listener_ == nullptr);
  io::SocketOptions options;
  options.send_buffer_bytes = send_buffer_bytes;
  Result<std::unique_ptr<io::Listener>> listener =
      world_.network.listen(io::unix_address(path), options);
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  helpers_.start(accept_clients());
  return {};
}

Task<void> NbdServer::accept_clients() {
  for (;;) {
    std::unique_ptr<io::Stream> stream;
    io::Op op;
    listener_->accept(op, stream, Duration::forever());
    const std::int32_t result = co_await op;
    if (stopping_) co_return;
    if (result == 0) {
      serve(std::move(stream));
      continue;
    }
    if (result == -ECANCELED) co_return;
    // Most likely out of descriptors: somebody has to give one back first.
    log::warning("nbd {}: cannot accept a client: errno={}", export_name_, -result);
    world_.clock.sleep(pause_, Duration::milliseconds(100));
    co_await pause_;
    if (stopping_) co_return;
  }
}

void NbdServer::serve(std::unique_ptr<io::Stream> stream) {
  if (stopping_) return;
  if (clients_.count() >= limits_.connections) {
    log::warning("nbd {}: a client was turned away: {} are connected", export_name_,
                 limits_.connections);
    return;
  }
  clients_.start(serve_client(std::move(stream)));
}

Task<void> NbdServer::serve_client(std::unique_ptr<io::Stream> stream) {
  const nbd::Environment environment = {world_.clock, pool_,   device_,
                                        export_name_, limits_, share_};
  const auto connection = std::make_unique<nbd::Connection>(environment, std::move(stream));
  connections_.push_back(*connection);
  Task<void> running = connection->run();
  co_await running;
}

std::vector<std::uint32_t> NbdServer::users() noexcept {
  std::vector<std::uint32_t> found;
  for (nbd::Connection* connection = connections_.first(); connection != nullptr;
       connection = connections_.next(*connection)) {
    if (connection->holds_device()) found.push_back(connection->client_process());
  }
  return found;
}

Task<void> NbdServer::stop() {
  stopping_ = true;
  if (listener_ != nullptr) listener_->close();
  world_.clock.wake(pause_);
  for (nbd::Connection* connection = connections_.first(); connection != nullptr;
       connection = connections_.next(*connection)) {
    connection->stop();
  }
  helpers_.start(cut_in_time());
  Task<void> clients_gone = clients_.close();
  co_await clients_gone;
  world_.clock.wake(grace_);
  Task<void> helpers_gone = helpers_.close();
  co_await helpers_gone;
  listener_.reset();
}

Task<void> NbdServer::cut_in_time() {
  world_.clock.sleep(grace_, limits_.stop);
  co_await grace_;
  for (nbd::Connection* connection = connections_.first(); connection != nullptr;
       connection = connections_.next(*connection)) {
    connection->cut();
  }
}

}  // namespace replicator
