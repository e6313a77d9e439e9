// TLS around both sockets, before the first word of the protocol, and what the operator is told
// when the two nodes do not agree about that.
//   P2  one deadline with the rest of the handshake
//   P3  where TLS is configured nothing plain is accepted, and no older TLS
// Normative: docs/protocol.md#tls.
#include <utility>

#include "base/log.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "tls/stream.hpp"

namespace replicator {

namespace {

constexpr Duration refusal_patience = Duration::seconds(1);

}  // namespace

Task<std::optional<Connection::End>> Connection::secure(SocketPair& sockets) {
  securing_ = &sockets;
  std::optional<End> end = co_await secure(sockets.data, sockets.data_accepted);
  if (!end) {
    const std::optional<End> of_meta = co_await secure(sockets.meta, sockets.resolve_conflicts);
    end = of_meta;
    if (end == End::retry && !stopping_) {
      const std::optional<End> refused = co_await refusal_on_data(*sockets.data);
      if (refused) end = refused;
    }
  }
  securing_ = nullptr;
  if (!end && stopping_) end = End::retry;
  co_return end;
}

// With certificates the client is through before the server has judged it: a server that refuses
// says so on the data socket, while the client waits for an answer on the meta socket.
Task<std::optional<Connection::End>> Connection::refusal_on_data(io::Stream& data) {
  std::byte unheard{};
  io::Op op;
  const Bytes into(&unheard, 1);
  data.receive(op, into, refusal_patience);
  co_await op;
  const std::string problem = data.problem();
  if (problem.empty()) co_return std::optional<End>();
  co_return explain_no_tls(Status(Fault::not_permitted, "TLS"), problem);
}

// Who connected the socket begins.
Task<std::optional<Connection::End>> Connection::secure(std::unique_ptr<io::Stream>& socket,
                                                        bool accepted) {
  const tls::Side side = accepted ? tls::Side::server : tls::Side::client;
  auto wrapped = std::make_unique<tls::TlsStream>(std::move(socket), options_.tls_context, side,
                                                  resource_.world().clock);
  tls::TlsStream& stream = *wrapped;
  socket = std::move(wrapped);
  const Status status = co_await stream.handshake(handshake_deadline_);
  if (!status.ok()) co_return explain_no_tls(status, stream.problem());
  log::info("{} connection: {} with {}", resource_.name(), stream.description(),
            io::text(stream.peer()));
  co_return std::optional<End>();
}

Connection::End Connection::explain_no_tls(const Status& status, const std::string& problem) {
  switch (status.fault()) {
    case Fault::incompatible:
      note_trouble(LinkTrouble::tls, "the peer does not speak TLS, and tls is set here");
      log::error(
          "{} connection: the peer {} does not speak TLS, and tls is set here: set it on both "
          "nodes or on none, going StandAlone",
          resource_.name(), io::text(peer_.peer));
      return End::stand_alone;
    case Fault::not_permitted:
      note_trouble(LinkTrouble::tls, problem);
      log::error(
          "{} connection: no TLS with the peer {}: {}; compare the tls options and their files of "
          "both nodes, going StandAlone",
          resource_.name(), io::text(peer_.peer), problem);
      return End::stand_alone;
    default:
      log::info("{} connection: no TLS with the peer {}: {}", resource_.name(),
                io::text(peer_.peer), text(status.fault()));
      return End::retry;
  }
}

// The first packet did not come: TLS may be why. Nothing when it is not.
std::optional<Connection::End> Connection::explain_tls_instead(const Status& status) {
  if (status.ok()) return std::nullopt;
  if (status.fault() == Fault::incompatible) {
    note_trouble(LinkTrouble::tls, "the peer wants TLS, and tls is not set here");
    log::error(
        "{} connection: the peer {} wants TLS, and tls is not set here: set it on both nodes or on "
        "none, going StandAlone",
        resource_.name(), io::text(peer_.peer));
    return End::stand_alone;
  }
  const std::string problem = link_->sockets.data->problem();
  if (problem.empty()) return std::nullopt;
  // We were content with the peer, and then it was not with us.
  return explain_no_tls(Status(Fault::not_permitted, "TLS"), problem);
}

}  // namespace replicator
