#include "control/server.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include "base/log.hpp"

namespace replicator::control {

namespace {

constexpr std::uint32_t clients_max = 64;
constexpr Duration request_patience = Duration::seconds(5);
constexpr Duration reply_patience = Duration::seconds(5);
constexpr Duration accept_pause = Duration::milliseconds(100);

}  // namespace

bool CommandHandler::streams(const Request& /*request*/) const { return false; }

Task<void> CommandHandler::stream(Request /*request*/, io::Stream& /*caller*/) { co_return; }

Server::Server(io::World& world, CommandHandler& handler) : world_(world), handler_(handler) {}

Status Server::listen(const std::string& path) {
  const Status claimed = claim(path);
  if (claimed.ok()) serve_clients();
  return claimed;
}

Status Server::claim(const std::string& path) {
  Result<std::unique_ptr<io::Listener>> listening =
      world_.network.listen(io::unix_address(path), io::SocketOptions());
  if (!listening) return listening.error();
  listener_ = std::move(*listening);
  return Status();
}

void Server::serve_clients() { tasks_.start(accept_loop()); }

void Server::close_door() noexcept {
  stopping_ = true;
  if (listener_) listener_->close();
  world_.clock.wake(pause_);
}

Task<void> Server::stop() {
  close_door();
  co_await tasks_.close();
  listener_.reset();
}

Task<void> Server::accept_loop() {
  while (!stopping_) {
    std::unique_ptr<io::Stream> stream;
    io::Op op;
    listener_->accept(op, stream, Duration::forever());
    const std::int32_t result = co_await op;
    if (stopping_ || result == -ECANCELED) co_return;
    if (result == 0) {
      admit(std::move(stream));
      continue;
    }
    // Most likely out of descriptors: somebody has to give one back first.
    log::warning("control socket: cannot accept a client: errno={}", -result);
    world_.clock.sleep(pause_, accept_pause);
    co_await pause_;
  }
}

void Server::admit(std::unique_ptr<io::Stream> stream) {
  if (clients_ < clients_max) {
    tasks_.start(serve(std::move(stream)));
    return;
  }
  log::warning("control socket: more than {} clients, refused one", clients_max);
}

// One request per connection is the rule; a client that stays may send more.
Task<void> Server::serve(std::unique_ptr<io::Stream> stream) {
  ++clients_;
  std::string pending;
  bool more = true;
  while (more && !stopping_) {
    const bool whole = co_await receive_line(*stream, pending);
    if (!whole) break;
    const std::size_t end = pending.find('\n') + 1;
    const std::string line = pending.substr(0, end);
    pending.erase(0, end);
    more = co_await answer(*stream, line);
  }
  --clients_;
}

// Up to a whole line in `pending`. The deadline is that of the line: one byte now and then does not
// keep a place.
Task<bool> Server::receive_line(io::Stream& stream, std::string& pending) {
  const Instant until = world_.clock.now() + request_patience;
  std::array<std::byte, 4096> chunk{};
  const Bytes into(chunk);
  while (pending.find('\n') == std::string::npos) {
    const Instant now = world_.clock.now();
    if (pending.size() >= max_request_bytes || now >= until) co_return false;
    const Duration left = until - now;
    io::Op op;
    stream.receive(op, into, left);
    const std::int32_t got = co_await op;
    if (got <= 0) co_return false;
    pending.append(reinterpret_cast<const char*>(chunk.data()), static_cast<std::size_t>(got));
  }
  co_return true;
}

Task<bool> Server::answer(io::Stream& stream, const std::string& line) {
  Reply reply;
  bool streams = false;
  Result<Request> request = decode_request(line);
  if (stream.peer_user() != 0) {
    reply.code = err_permission;
    reply.info.emplace_back("only root may administer replication");
  } else if (!request) {
    reply.code = err_invalid_request;
    reply.info.emplace_back(request.error().where());
  } else {
    Request taken = *request;
    Reply answered = co_await handler_.handle(std::move(taken), stream);
    reply = std::move(answered);
    streams = is_success(reply.code) && handler_.streams(*request);
  }
  const std::string text = encode(reply);
  const io::IoSlice slice{reinterpret_cast<const std::byte*>(text.data()), text.size()};
  const std::span<const io::IoSlice> slices(&slice, 1);
  io::Op op;
  stream.send(op, slices, reply_patience);
  const std::int32_t sent = co_await op;
  if (sent >= 0 && streams) {
    Request taken = std::move(*request);
    co_await handler_.stream(std::move(taken), stream);
  }
  co_return sent >= 0 && !streams;
}

}  // namespace replicator::control
