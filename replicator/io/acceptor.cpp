#include "io/acceptor.hpp"

#include <cerrno>
#include <utility>

#include "base/log.hpp"

namespace replicator::io {

namespace {
constexpr Duration pause = Duration::milliseconds(100);
}

Status Acceptor::claim(const Address& at, SocketOptions options) {
  Result<std::unique_ptr<Listener>> listening = world_.network.listen(at, options);
  if (!listening) return listening.error();
  listener_ = std::move(*listening);
  return Status();
}

void Acceptor::start() { accepting_.start(accept_clients()); }

void Acceptor::close() noexcept {
  closed_ = true;
  if (listener_) listener_->close();
  world_.clock.wake(pause_);
}

Task<void> Acceptor::stop() {
  close();
  co_await accepting_.close();
  co_await clients_.close();
  listener_.reset();
}

Task<void> Acceptor::accept_clients() {
  while (!closed_) {
    std::unique_ptr<Stream> stream;
    Op op;
    listener_->accept(op, stream, Duration::forever());
    const std::int32_t result = co_await op;
    if (closed_ || result == -ECANCELED) co_return;
    if (result == 0) {
      admit(std::move(stream));
      continue;
    }
    // Most likely out of descriptors: somebody has to give one back first.
    log::warning("{}: cannot accept a client: errno={}", name_, -result);
    world_.clock.sleep(pause_, pause);
    co_await pause_;
  }
}

void Acceptor::admit(std::unique_ptr<Stream> stream) {
  if (closed_) return;
  if (clients_.count() < clients_max_) {
    full_ = false;
    clients_.start(serve_(std::move(stream)));
    return;
  }
  // Once: strangers may be many.
  if (!full_) log::warning("{}: a client was turned away: {} are connected", name_, clients_max_);
  full_ = true;
}

}  // namespace replicator::io
