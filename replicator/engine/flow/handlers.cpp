#include "engine/flow/handlers.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.hpp"

namespace replicator {

namespace {

io::HelperCall make_call(const char* handler, std::string object, const PeerConfig* peer) {
  io::HelperCall call;
  call.handler = handler;
  call.object = std::move(object);
  if (peer == nullptr) return call;
  call.peer_family = peer->peer.family == io::AddressFamily::ipv6 ? "ipv6" : "ipv4";
  call.peer_address = io::host_text(peer->peer);
  return call;
}

}  // namespace

Task<int> Handlers::call(std::string who, const char* handler, std::string object,
                         const PeerConfig* peer) {
  io::HelperCall call = make_call(handler, std::move(object), peer);
  io::Semaphore::Take turn(turn_, 1);
  co_await turn;
  co_return co_await run(std::move(who), std::move(call));
}

Task<int> Handlers::call_at_once(std::string who, const char* handler, std::string object,
                                 const PeerConfig* peer) {
  io::HelperCall call = make_call(handler, std::move(object), peer);
  co_return co_await run(std::move(who), std::move(call));
}

Task<int> Handlers::run(std::string who, io::HelperCall call) {
  const std::string& program = world_.helper.program();
  if (stopped_ || program.empty()) co_return 0;
  log::info("{} helper command: {} {} {}", who, program, call.handler, call.object);
  if (observed) observed(call, std::nullopt);
  io::Op op;
  running_.push_back(&op);
  world_.helper.run(op, call);
  const std::int32_t status = co_await op;
  std::erase(running_, &op);
  ended_.notify_all();
  if (observed) observed(call, status >= 0 ? status : handler_timed_out << 8);
  if (status == -ETIMEDOUT || status == -ECANCELED) {
    log::warning("{} helper command: {} {} {} was killed{}", who, program, call.handler,
                 call.object, status == -ETIMEDOUT ? " because it did not end" : "");
    co_return handler_timed_out;
  }
  // The numbers of the kernel's line: the exit code, and the whole wait status.
  const int code = status < 0 ? 0 : (status >> 8) & 0xff;
  const auto level = status == 0 ? log::Level::info : log::Level::warning;
  log::write(level, "{} helper command: {} {} {} exit code {} ({:#x})", who, program, call.handler,
             call.object, code, static_cast<std::uint32_t>(status));
  co_return code;
}

void Handlers::stop() noexcept {
  stopped_ = true;
  for (io::Op* op : running_)
    world_.helper.cancel(*op);
}

Task<void> Handlers::ended() {
  while (!running_.empty()) {
    io::Event::Wait wait(ended_);
    co_await wait;
  }
}

}  // namespace replicator
