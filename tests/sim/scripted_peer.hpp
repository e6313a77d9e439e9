// A peer that says what a test tells it to say, byte by byte, to an engine on another simulated
// node: what kernels were recorded to say, or what no honest peer would.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "io/task.hpp"
#include "protocol/header.hpp"
#include "protocol/packets.hpp"
#include "tests/sim/node.hpp"

namespace replicator::sim {

class ScriptedPeer {
 public:
  struct Said {
    PacketHeader header;
    std::vector<std::byte> payload;
    bool there = false;  // false: nothing came any more
  };

  ScriptedPeer(Node& node, const io::Address& other) : node_(node), other_(other) {}

  // Both sockets, connected by this side and announced.
  Task<bool> connect();
  Task<bool> say_bytes(Socket socket, std::vector<std::byte> bytes);
  // The next packet of the other side, read with the version in force.
  Task<Said> hear(Socket socket);
  // Features in the form of protocol 80, both ways; whatever comes later is of `version`.
  Task<bool> exchange_features(ConnectionFeatures mine, int version);

  template <class Payload>
  Task<bool> say(Socket socket, Packet command, const Payload& payload) {
    std::array<std::byte, 256> fixed{};
    const std::size_t size = encode(payload, Bytes(fixed));
    return say_bytes(socket, packet(command, ConstBytes(fixed).first(size)));
  }
  Task<bool> say_payload(Socket socket, Packet command, ConstBytes payload) {
    return say_bytes(socket, packet(command, payload));
  }
  void hang_up() noexcept;

 private:
  [[nodiscard]] std::vector<std::byte> packet(Packet command, ConstBytes payload) const;
  io::Stream* stream(Socket socket) noexcept {
    return socket == Socket::data ? data_.get() : meta_.get();
  }
  Task<bool> connect_one(Packet kind, std::unique_ptr<io::Stream>& stream);
  Task<bool> read_exactly(io::Stream* stream, Bytes into);

  Node& node_;
  io::Address other_;
  std::unique_ptr<io::Stream> data_;
  std::unique_ptr<io::Stream> meta_;
  int version_ = protocol_version_before_features;
};

}  // namespace replicator::sim
