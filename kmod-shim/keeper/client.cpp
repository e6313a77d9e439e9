#include "keeper/client.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <utility>

#include "base/log.hpp"

namespace replicator::shim::keeper {

namespace {

constexpr int patience_s = 5;

}  // namespace

Client::Client(FileDescriptor connection)
    : there_(static_cast<bool>(connection)), connection_(std::move(connection)) {
  const timeval patience = {patience_s, 0};
  for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO})
    if (connection_)
      setsockopt(connection_.get(), SOL_SOCKET, direction, &patience, sizeof patience);
}

// Not in step with it any more after a failure: then it is as if there were none.
std::optional<Packet> Client::ask(const Message& message, int fd) {
  const std::lock_guard<std::mutex> turn(turn_);
  if (!connection_) return std::nullopt;
  Packet answer;
  if (send_packet(connection_.get(), text(message), fd) &&
      receive_packet(connection_.get(), answer))
    return answer;
  log::error("the keeper is gone: devices do not outlive this daemon");
  connection_ = FileDescriptor();
  there_ = false;
  return std::nullopt;
}

Status Client::keep(const std::string& name, const std::string& note, int fd) {
  const std::optional<Packet> answer = ask({Message::Verb::keep, name, note}, fd);
  if (!answer) return Status(Fault::closed, "no keeper");
  return answer->text == "ok" ? Status() : Status(Fault::no_space, "the keeper refuses");
}

std::optional<Client::Kept> Client::fetch(const std::string& name) {
  std::optional<Packet> answer = ask({Message::Verb::fetch, name, ""}, -1);
  if (!answer || !answer->text.starts_with("ok\n") || !answer->fd) return std::nullopt;
  return Kept{std::move(answer->fd), answer->text.substr(3)};
}

void Client::forget(const std::string& name) { ask({Message::Verb::forget, name, ""}, -1); }

}  // namespace replicator::shim::keeper
