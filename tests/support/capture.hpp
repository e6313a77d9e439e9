// TCP streams out of packet captures (classic pcap, Ethernet, IPv4): segments in any order,
// repeated and overlapping ones included, become the bytes that the receiving program read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace replicator::testing_support {

struct TcpEnd {
  std::uint32_t host = 0;
  std::uint16_t port = 0;
  auto operator<=>(const TcpEnd&) const = default;
};

// One direction of a connection.
struct CapturedStream {
  TcpEnd from;
  TcpEnd to;
  bool from_start = false;  // its SYN was captured
  std::vector<std::byte> bytes;
  std::size_t stranded = 0;  // bytes behind a gap that nothing filled
  std::size_t repeated = 0;  // bytes that arrived again
};

class Capture {
 public:
  // Appends what a file recorded; a connection may go on from the file before. False: not such a
  // file, or it ends in the middle of a record.
  bool add(ConstBytes pcap);
  bool add_file(const std::string& path);  // as it is or gzip-compressed
  // In the order in which they began.
  [[nodiscard]] std::vector<CapturedStream> streams() const;

 private:
  struct Assembly {
    CapturedStream stream;
    bool started = false;
    std::uint32_t start = 0;                                  // sequence number of the first byte
    std::map<std::uint64_t, std::vector<std::byte>> waiting;  // by offset, behind a gap
  };
  using Flow = std::pair<TcpEnd, TcpEnd>;

  bool add_frame(ConstBytes frame);
  void add_segment(const Flow& flow, std::uint32_t sequence, bool opens, ConstBytes payload);
  static void deliver(Assembly& assembly, std::uint64_t offset, ConstBytes payload);

  std::vector<Assembly> assemblies_;
  std::map<Flow, std::size_t> latest_;
};

// All captures of a folder, in the order of their names.
Capture read_captures(const std::string& folder);

}  // namespace replicator::testing_support
