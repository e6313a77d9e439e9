// An established pair of sockets to the peer and everything that lives exactly as long as they do.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "engine/flow/establish.hpp"
#include "engine/flow/packet_reader.hpp"
#include "engine/flow/send_queue.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "protocol/digest.hpp"
#include "protocol/header.hpp"
#include "protocol/packet.hpp"
#include "protocol/packets.hpp"
#include "protocol/states.hpp"

namespace replicator {

// Unsent bytes on the meta socket after which nothing more that needs an answer is taken from the
// peer.
inline constexpr std::size_t answers_backlog = 1U << 20U;

class PeerLink {
 public:
  // Heads are small: header and fixed part of any packet fit.
  static constexpr std::size_t head_room = 256;
  using Head = std::array<std::byte, head_room>;

  PeerLink(SocketPair established, const NetOptions& options);

  // Ends the link: remembers the first reason, ends both sockets. Idempotent.
  void fail(ConnectionState reason) noexcept;
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] ConnectionState reason() const noexcept { return reason_; }

  // Queues one packet on the data or the meta socket.
  template <class Payload>
  void send(Socket socket, Packet command, std::uint16_t volume, const Payload& payload) {
    Head head;
    const std::size_t at = header_bytes(agreed_version);
    const std::size_t size = encode(payload, Bytes(head).subspan(at));
    finish_head(head, command, volume, size);
    queue(socket).push(ConstBytes(head.data(), at + size));
  }
  void send_bare(Socket socket, Packet command, std::uint16_t volume);
  // Raw bytes as the payload (bitmap code, challenge, digest): at most head_room of them with
  // `inline`.
  void send_bytes(Socket socket, Packet command, std::uint16_t volume, ConstBytes payload);
  // A header for `payload_bytes` in all; returns its size. For packets with data behind.
  std::size_t finish_head(Head& head, Packet command, std::uint16_t volume,
                          std::size_t payload_bytes) const noexcept;

  // 0 when no reply is owed, else which one.
  [[nodiscard]] std::uint64_t reply_owed() const noexcept {
    return reply_waited_for && !reply_arrived ? replies_asked : 0;
  }
  SendQueue& queue(Socket socket) noexcept { return socket == Socket::data ? data : meta; }

  SocketPair sockets;
  SendQueue data;
  SendQueue meta;
  PacketReader data_reader;
  PacketReader meta_reader;
  int agreed_version = 80;
  std::uint32_t features = 0;
  // What the peer's data packets carry between header and data, as its P_PROTOCOL says.
  BlockDigest peer_integrity;
  // Keep-alive (docs/protocol.md#keep-alive).
  bool ping_outstanding = false;
  std::uint64_t ping_acks = 0;
  io::Event ping_acked;  // also when the link fails
  Instant last_received;
  // Replies to our state change requests, in order of the requests.
  bool reply_waited_for = false;
  bool reply_arrived = false;
  std::int32_t reply_code = 0;
  std::uint64_t replies_asked = 0;
  io::Event reply_event;

 private:
  bool failed_ = false;
  ConnectionState reason_ = ConnectionState::connected;
};

}  // namespace replicator
