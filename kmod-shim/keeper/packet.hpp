// One packet of a SOCK_SEQPACKET socket, with at most one descriptor beside it.
#pragma once

#include <string>
#include <string_view>

#include "devices/file_descriptor.hpp"

namespace replicator::shim::keeper {

// `fd` -1: none goes with it.
bool send_packet(int socket, std::string_view text, int fd) noexcept;

struct Packet {
  std::string text;
  FileDescriptor fd;
};
// False at the end of the connection, and for what is longer than packet_bytes_max.
bool receive_packet(int socket, Packet& packet);

}  // namespace replicator::shim::keeper
