// Captured streams as conversations of packets: which socket a connection was, and what was said.
#pragma once

#include <string>
#include <vector>

#include "protocol/header.hpp"
#include "tests/support/capture.hpp"

namespace replicator::testing_support {

struct WirePacket {
  PacketHeader header;
  int version = 0;   // that the header was read with
  ConstBytes bytes;  // header included
  ConstBytes payload;
};

// One direction of one of the two sockets.
struct WireStream {
  CapturedStream captured;
  Socket socket = Socket::data;
  bool connected = false;  // the sender made the connection
  std::vector<WirePacket> packets;
  std::size_t unfinished = 0;  // bytes of a last packet whose rest was not captured
  std::string fault;           // empty when all bytes are packets
};

// Streams that carried anything, split with the version and features that both nodes agreed upon.
// Packets refer to the bytes of their stream.
std::vector<WireStream> wire_streams(std::vector<CapturedStream> captured, int agreed_version,
                                     std::uint32_t features);

}  // namespace replicator::testing_support
