// Simulated datagrams: segments by interface name, to which nodes are attached. Fault model: any
// delay (so datagrams overtake each other), loss and repetition by chance, and each direction
// between two nodes of a segment can be cut without anybody being told.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "io/datagram.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

struct DatagramFaults {
  Duration fastest = Duration::microseconds(50);
  Duration slowest = Duration::milliseconds(2);
  std::uint32_t loss_percent = 0;
  std::uint32_t repeat_percent = 0;
};

class SimDatagrams final : EventTarget {
 public:
  explicit SimDatagrams(World& world);

  std::unique_ptr<io::DatagramNetwork> interface_of(NodeId node);
  DatagramFaults& faults() noexcept { return faults_; }
  void cut(const std::string& interface, NodeId from, NodeId to) {
    cuts_.insert({interface, from, to});
  }
  void cut_both(const std::string& interface, NodeId a, NodeId b) {
    cut(interface, a, b);
    cut(interface, b, a);
  }
  void heal() { cuts_.clear(); }

 private:
  class Interface;
  class Socket;
  struct Flight {
    std::string interface;
    NodeId to;
    std::vector<std::byte> bytes;
  };
  void fire(std::uint64_t tag) override;
  void send(NodeId from, const std::string& interface, ConstBytes bytes);
  void launch(const Flight& flight);

  World& world_;
  Prng prng_;
  DatagramFaults faults_;
  std::set<std::tuple<std::string, NodeId, NodeId>> cuts_;
  std::vector<Socket*> sockets_;
  std::map<std::uint64_t, Flight> flights_;
  std::uint64_t next_flight_ = 0;
};

}  // namespace replicator::sim
