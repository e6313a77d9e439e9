#include "frontend/nbd/server.hpp"

#include <utility>

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
      share_(pool),
      clients_(
          world, "nbd " + export_name_, limits.connections,
          [this](std::unique_ptr<io::Stream> stream) { return serve_client(std::move(stream)); }) {}

Status NbdServer::listen(std::string_view path) {
  io::SocketOptions options;
  options.send_buffer_bytes = send_buffer_bytes;
  const Status claimed = clients_.claim(io::unix_address(path), options);
  if (claimed.ok()) clients_.start();
  return claimed;
}

void NbdServer::serve(std::unique_ptr<io::Stream> stream) { clients_.admit(std::move(stream)); }

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
  clients_.close();
  for (nbd::Connection* connection = connections_.first(); connection != nullptr;
       connection = connections_.next(*connection)) {
    connection->stop();
  }
  helpers_.start(cut_in_time());
  Task<void> clients_gone = clients_.stop();
  co_await clients_gone;
  world_.clock.wake(grace_);
  Task<void> helpers_gone = helpers_.close();
  co_await helpers_gone;
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
