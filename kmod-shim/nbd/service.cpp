#include "nbd/service.hpp"

#include <utility>

#include "base/log.hpp"
#include "nbd/device.hpp"
#include "nbd/socket_pair.hpp"
#include "off_thread.hpp"

namespace replicator::shim::kernel_nbd {

namespace {

// More than the 128 that the kernel has in flight: its sends need not wait for room, which they
// would do with locks held.
constexpr std::uint32_t requests_in_flight = 256;
// The kernel may not have noticed yet that the last connection is dead: then it lets a new one
// fall, and another attempt follows.
constexpr Duration between_connections = Duration::milliseconds(200);

}  // namespace

Service::Service(uring::Reactor& reactor, Control& control, io::BlockDevice& device,
                 std::string name)
    : reactor_(reactor),
      control_(control),
      device_(device),
      name_(std::move(name)),
      share_(reactor.buffers()) {
  limits_.requests_in_flight = requests_in_flight;
}

Result<FileDescriptor> Service::connect() {
  Result<SocketPair> pair = make_socket_pair();
  if (!pair) return tl::unexpected(pair.error());
  serving_.start(serve(reactor_.adopt(pair->ours.release())));
  return std::move(pair->kernels);
}

void Service::keep(const DeviceRecord& record) {
  kept_ = record;
  if (serving_.empty()) serving_.start(serve(nullptr));
}

void Service::let_go() noexcept {
  kept_.reset();
  reactor_.world().clock.wake(pause_);
}

void Service::cut() noexcept {
  let_go();
  if (connection_ != nullptr) connection_->cut();
}

Task<void> Service::ended() { co_await serving_.close(); }

void Service::hold() noexcept {
  held_ = true;
  if (connection_ != nullptr) connection_->hold();
}

bool Service::quiet() const noexcept {
  return connection_ == nullptr || connection_->in_flight() == 0;
}

void Service::release() noexcept {
  held_ = false;
  if (connection_ != nullptr) connection_->release();
}

Task<void> Service::leave() {
  let_go();
  if (connection_ != nullptr) connection_->leave();
  co_await ended();
}

void Service::resized() noexcept {
  if (connection_ != nullptr) connection_->resized();
}

// Without a stream, a connection that has ended already is replaced.
Task<void> Service::serve(std::unique_ptr<io::Stream> stream) {
  for (;;) {
    if (stream != nullptr) co_await serve_one(std::move(stream));
    if (!kept_) co_return;
    std::unique_ptr<io::Stream> next = co_await replacement();
    if (next == nullptr) co_return;
    stream = std::move(next);
  }
}

Task<void> Service::serve_one(std::unique_ptr<io::Stream> stream) {
  const nbd::Environment environment = {
      reactor_.world().clock, reactor_.buffers(), device_, name_, limits_, share_};
  const auto connection = std::make_unique<nbd::Connection>(environment, std::move(stream));
  connection_ = connection.get();
  if (held_) connection_->hold();
  Task<void> running = connection->run_without_handshake();
  co_await running;
  connection_ = nullptr;
}

// None when the device is no longer kept, or gone.
Task<std::unique_ptr<io::Stream>> Service::replacement() {
  while (kept_) {
    reactor_.world().clock.sleep(pause_, between_connections);
    co_await pause_;
    Result<SocketPair> pair = make_socket_pair();
    if (!kept_ || !pair) continue;
    const auto give = [this, record = *kept_, socket = pair->kernels.get()] {
      return give_socket_to(control_, record, socket);
    };
    const Status given = co_await off_thread(reactor_, give);
    if (!kept_) break;
    if (given.ok()) {
      log::info("drbd{}: nbd{} has a new connection", kept_->minor, kept_->id);
      co_return reactor_.adopt(pair->ours.release());
    }
    if (given.fault() != Fault::not_found) continue;
    log::error("drbd{}: somebody has disconnected nbd{}, its users see errors", kept_->minor,
               kept_->id);
    kept_.reset();
  }
  co_return nullptr;
}

}  // namespace replicator::shim::kernel_nbd
