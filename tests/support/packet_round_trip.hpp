// Every packet of the protocol through the codec: decoded to values, and those encoded again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/header.hpp"

namespace replicator::testing_support {

// The payload that encoding yields after decoding this one; data, digests and bitmap code behind a
// fixed part are passed through. The length has been checked.
Result<std::vector<std::byte>> reencode_payload(Packet command, ConstBytes payload,
                                                int agreed_version);
std::vector<std::byte> encode_packet(const PacketHeader& header, ConstBytes payload,
                                     int agreed_version);

// Bytes of a payload without meaning: senders put anything there.
struct Padding {
  std::size_t at = 0;
  std::size_t size = 0;
};
Padding padding_of(Packet command);
void blank_padding(Packet command, Bytes payload);

// On which socket a packet travels.
bool belongs_to(Socket socket, Packet command);

}  // namespace replicator::testing_support
