// Datagrams, beside the streams of io/io.hpp: what heartbeats are made of. A datagram may be lost,
// repeated or late; nobody is told.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "io/address.hpp"
#include "io/op.hpp"

namespace replicator::io {

enum class DatagramKind : std::uint8_t {
  unicast,
  broadcast,  // to the interface's broadcast address
  multicast,
  echo,  // ICMP echo: what is received begins with the IP header
};

struct DatagramPath {
  DatagramKind kind = DatagramKind::unicast;
  std::string interface;  // not of echo
  Address to;             // not of broadcast
  std::uint16_t port = 0;
  std::uint8_t ttl = 1;  // multicast
  bool loop = false;     // multicast: own ones are received too
};

class DatagramSocket {
 public:
  virtual ~DatagramSocket() = default;  // no Op may be in flight
  // One datagram: its bytes (what does not fit is cut off), or -errno; -ECANCELED after close().
  virtual void receive(Op&, Bytes into) = 0;
  // Along the path, at once or not at all: 0 or -errno.
  virtual int send(ConstBytes datagram) noexcept = 0;
  virtual void close() noexcept = 0;
};

class DatagramNetwork {
 public:
  virtual ~DatagramNetwork() = default;
  virtual Result<std::unique_ptr<DatagramSocket>> open(const DatagramPath& path) = 0;
};

}  // namespace replicator::io
