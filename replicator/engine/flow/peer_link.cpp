#include "engine/flow/peer_link.hpp"

#include <utility>

namespace replicator {

namespace {
constexpr std::size_t data_buffer_bytes = 256U * 1024U;
constexpr std::size_t meta_buffer_bytes = 32U * 1024U;
}  // namespace

PeerLink::PeerLink(SocketPair established, const NetOptions& /*options*/)
    : sockets(std::move(established)),
      data(*sockets.data),
      meta(*sockets.meta),
      data_reader(*sockets.data, data_buffer_bytes),
      meta_reader(*sockets.meta, meta_buffer_bytes) {}

void PeerLink::fail(ConnectionState reason) noexcept {
  if (failed_) return;
  failed_ = true;
  reason_ = reason;
  sockets.data->shutdown();
  sockets.meta->shutdown();
  data.close();
  meta.close();
  ping_acked.notify_all();
  reply_event.notify_all();
}

std::size_t PeerLink::finish_head(Head& head, Packet command, std::uint16_t volume,
                                  std::size_t payload_bytes) const noexcept {
  PacketHeader header;
  header.command = command;
  header.volume = volume;
  header.length = static_cast<std::uint32_t>(payload_bytes);
  return encode_header(head, agreed_version, header);
}

void PeerLink::send_bare(Socket socket, Packet command, std::uint16_t volume) {
  Head head;
  const std::size_t size = finish_head(head, command, volume, 0);
  queue(socket).push(ConstBytes(head.data(), size));
}

void PeerLink::send_bytes(Socket socket, Packet command, std::uint16_t volume, ConstBytes payload) {
  Head head;
  const std::size_t size = finish_head(head, command, volume, payload.size());
  SendQueue& to = queue(socket);
  to.push(ConstBytes(head.data(), size));
  if (!payload.empty()) to.push(payload);
}

}  // namespace replicator
