#include "control/server.hpp"

#include <array>
#include <utility>

#include "io/send_within.hpp"

namespace replicator::control {

namespace {

constexpr Duration request_patience = Duration::seconds(5);
constexpr Duration reply_patience = Duration::seconds(5);

Reply refused(std::int32_t code, const char* why) {
  Reply reply;
  reply.code = code;
  reply.info.emplace_back(why);
  return reply;
}

}  // namespace

// One of the places of commands that may wait, until the command has ended.
class Server::Waiting {
 public:
  Waiting(Server& server, bool waits) noexcept : server_(server), waits_(waits) {
    if (waits_) ++server_.waiting_;
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    if (waits_) --server_.waiting_;
  }

 private:
  Server& server_;
  bool waits_;
};

bool CommandHandler::may_wait(const Request& /*request*/) const { return false; }

bool CommandHandler::streams(const Request& /*request*/) const { return false; }

Task<void> CommandHandler::stream(Request /*request*/, io::Stream& /*caller*/) { co_return; }

Server::Server(io::World& world, CommandHandler& handler)
    : world_(world),
      handler_(handler),
      clients_(world, "control socket", clients_max,
               [this](std::unique_ptr<io::Stream> stream) { return serve(std::move(stream)); }) {}

Status Server::listen(const std::string& path) {
  const Status claimed = claim(path);
  if (claimed.ok()) serve_clients();
  return claimed;
}

Status Server::claim(const std::string& path) { return clients_.claim(io::unix_address(path)); }

void Server::serve_clients() { clients_.start(); }

void Server::close_door() noexcept { clients_.close(); }

Task<void> Server::stop() { return clients_.stop(); }

// One request per connection is the rule; a client that stays may send more.
Task<void> Server::serve(std::unique_ptr<io::Stream> stream) {
  std::string pending;
  bool more = true;
  while (more && !clients_.closed()) {
    const bool whole = co_await receive_line(*stream, pending);
    if (!whole) break;
    const std::size_t end = pending.find('\n') + 1;
    const std::string line = pending.substr(0, end);
    pending.erase(0, end);
    more = co_await answer(*stream, line);
  }
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

// Whether the conversation goes on.
Task<bool> Server::answer(io::Stream& stream, const std::string& line) {
  const Result<Request> request = decode_request(line);
  Reply no;
  if (stream.peer_user() != 0) {
    no = refused(err_permission, "only root may administer replication");
  } else if (!request) {
    no = refused(err_invalid_request, request.error().where());
  } else if (handler_.may_wait(*request) && waiting_ >= waiting_max) {
    no = refused(err_invalid_request, "too many commands are waiting already; end some of them");
  } else {
    const Request& taken = *request;
    co_return co_await carry_out(stream, taken);
  }
  co_return co_await send(stream, no);
}

Task<bool> Server::carry_out(io::Stream& stream, const Request& request) {
  const Waiting waiting(*this, handler_.may_wait(request));
  Request taken = request;
  const Reply reply = co_await handler_.handle(std::move(taken), stream);
  const bool streams = is_success(reply.code) && handler_.streams(request);
  const bool sent = co_await send(stream, reply);
  if (!sent || !streams) co_return sent;
  taken = request;
  co_await handler_.stream(std::move(taken), stream);
  co_return false;
}

Task<bool> Server::send(io::Stream& stream, const Reply& reply) {
  const std::string text = encode(reply);
  const io::IoSlice slice{reinterpret_cast<const std::byte*>(text.data()), text.size()};
  const std::span<const io::IoSlice> slices(&slice, 1);
  const std::int32_t sent = co_await io::send_within(world_.clock, stream, slices, reply_patience);
  co_return sent >= 0;
}

}  // namespace replicator::control
