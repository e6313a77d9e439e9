#include "control/server.hpp"

#include <array>
#include <utility>

#include "base/log.hpp"

namespace replicator::control {

namespace {

constexpr std::uint32_t clients_max = 64;
constexpr Duration request_patience = Duration::seconds(5);
constexpr Duration reply_patience = Duration::seconds(5);
constexpr Duration accept_patience = Duration::seconds(1);

}  // namespace

Server::Server(io::World& world, CommandHandler& handler) : world_(world), handler_(handler) {}

Status Server::listen(const std::string& path) {
  Result<std::unique_ptr<io::Listener>> listening =
      world_.network.listen(io::unix_address(path), io::SocketOptions());
  if (!listening) return listening.error();
  listener_ = std::move(*listening);
  tasks_.start(accept_loop());
  return Status();
}

Task<void> Server::stop() {
  stopping_ = true;
  if (listener_) listener_->close();
  co_await tasks_.close();
  listener_.reset();
}

Task<void> Server::accept_loop() {
  while (!stopping_) {
    std::unique_ptr<io::Stream> stream;
    io::Op op;
    listener_->accept(op, stream, accept_patience);
    const std::int32_t result = co_await op;
    if (result < 0 || !stream) continue;
    if (clients_ >= clients_max) {
      log::warning("control socket: more than {} clients, refused one", clients_max);
      continue;
    }
    tasks_.start(serve(std::move(stream)));
  }
}

// One request per connection is the rule; a client that stays may send more.
Task<void> Server::serve(std::unique_ptr<io::Stream> stream) {
  ++clients_;
  std::string pending;
  std::array<std::byte, 4096> chunk{};
  while (!stopping_) {
    const std::size_t end = pending.find('\n');
    if (end != std::string::npos) {
      const std::string line = pending.substr(0, end + 1);
      pending.erase(0, end + 1);
      const bool more = co_await answer(*stream, line);
      if (!more) break;
      continue;
    }
    if (pending.size() >= max_request_bytes) break;
    io::Op op;
    const Bytes into(chunk);
    stream->receive(op, into, request_patience);
    const std::int32_t got = co_await op;
    if (got <= 0) break;
    pending.append(reinterpret_cast<const char*>(chunk.data()), static_cast<std::size_t>(got));
  }
  --clients_;
}

Task<bool> Server::answer(io::Stream& stream, const std::string& line) {
  Reply reply;
  Result<Request> request = decode_request(line);
  if (stream.peer_user() != 0) {
    reply.code = err_permission;
    reply.info.emplace_back("only root may administer replication");
  } else if (!request) {
    reply.code = err_invalid_request;
    reply.info.emplace_back(request.error().where());
  } else {
    Request taken = std::move(*request);
    Reply answered = co_await handler_.handle(std::move(taken));
    reply = std::move(answered);
  }
  const std::string text = encode(reply);
  const io::IoSlice slice{reinterpret_cast<const std::byte*>(text.data()), text.size()};
  const std::span<const io::IoSlice> slices(&slice, 1);
  io::Op op;
  stream.send(op, slices, reply_patience);
  const std::int32_t sent = co_await op;
  co_return sent >= 0;
}

}  // namespace replicator::control
