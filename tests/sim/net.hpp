// Simulated networks: hosts with addresses, listeners, connection attempts and byte streams. Fault
// model:
//   - any delay, chunks down to one byte, bandwidth down to bytes per second, bounded socket
//   buffers;
//   - a path is blocked in one direction or both: bytes wait, as TCP retransmits them, until it is
//   whole
//     again; room in the sender's buffer comes back only when acknowledgements can travel;
//   - a connection is cut after a given byte of either direction: reset on both sides, on one side
//   only while
//     the other is never told, or silent on both (half-open);
//   - a dead process closes its sockets (end of stream, or reset when something was unread); a
//   machine
//     without power is silent, and resets old connections once it is up again;
//   - connection attempts are refused when nobody listens, time out when nobody answers, and may
//   cross.
// Everything is counted, so that a test can ask for "byte 17 of the answering direction of
// connection 3".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "io/io.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

class Connection;

// One direction of traffic between two nodes.
struct PathOptions {
  Duration fastest = Duration::microseconds(50);
  Duration slowest = Duration::microseconds(200);
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  // 0: as sent; 1: random pieces; 2: many, down to single bytes.
  std::uint32_t choppiness = 0;
  std::uint32_t buffer_bytes = 256U << 10U;  // both sockets' buffers of a direction together
};

enum class CutKind : std::uint8_t {
  reset,          // both sides learn it
  silent,         // neither is told
  sender_told,    // reset at the sender of the direction that was cut, silence at the receiver
  receiver_told,  // and the other way round
  one_direction,  // this direction only goes silent; the other keeps working
};

struct CutPlan {
  std::uint32_t connection = 0;  // ordinal, from 0, counted over the life of the network
  bool toward_server = true;     // direction: from the connecting to the accepting side
  std::uint64_t after_bytes = 0;
  CutKind kind = CutKind::reset;
};

class SimNetwork final {
 public:
  explicit SimNetwork(World& world);
  ~SimNetwork();

  void add_host(NodeId node, const io::Address& address);
  // The facade a node's io::World refers to.
  std::unique_ptr<io::Network> interface_of(NodeId node);

  PathOptions& path(NodeId from, NodeId to) noexcept { return paths_[{from, to}].options; }
  // Bytes and connection attempts wait.
  void block(NodeId from, NodeId to) noexcept;
  void unblock(NodeId from, NodeId to);
  [[nodiscard]] bool blocked(NodeId from, NodeId to) noexcept;
  void heal_all();
  // Half-open connections find out that they are dead (their network works again).
  void reveal_dead();

  void plan_cut(const CutPlan& plan) { plans_.push_back(plan); }
  void clear_plans() noexcept { plans_.clear(); }
  // Of all established connections between the two nodes, or of the k-th of them (modulo their
  // number).
  void cut_all(NodeId a, NodeId b, CutKind kind);
  bool cut_one(NodeId a, NodeId b, std::uint64_t k, bool toward_server, CutKind kind);
  // Like plan_cut, for a live connection: after this many more bytes.
  bool cut_one_after(NodeId a, NodeId b, std::uint64_t k, bool toward_server, std::uint64_t bytes,
                     CutKind kind);

  void process_died(NodeId node);  // its sockets are closed by the kernel
  void power_lost(NodeId node);
  void power_back(NodeId node) noexcept;

  [[nodiscard]] std::uint32_t connections_made() const noexcept {
    return static_cast<std::uint32_t>(connections_.size());
  }
  [[nodiscard]] std::uint32_t live_connections(NodeId a, NodeId b) const noexcept;
  [[nodiscard]] std::uint64_t bytes_carried() const noexcept { return bytes_carried_; }
  // Bytes sent so far on one direction of a connection (for enumerations).
  [[nodiscard]] std::uint64_t bytes_of(std::uint32_t connection, bool toward_server) const noexcept;

 private:
  friend class Connection;
  friend class SimStream;
  class Interface;
  class ListenerHandle;
  struct Listening;
  struct Attempt;
  struct Path {
    PathOptions options;
    bool blocked = false;
  };
  struct Host {
    NodeId node;
    io::Address address;
  };

  [[nodiscard]] Duration delay(NodeId from, NodeId to);
  [[nodiscard]] NodeId node_of(const io::Address& address) const noexcept;
  [[nodiscard]] bool powered(NodeId node) const noexcept;
  Listening* find_listener(NodeId node, const io::Address& at) noexcept;

  Result<std::unique_ptr<io::Listener>> listen(NodeId node, const io::Address& at);
  void connect(io::Op& op, NodeId node, const io::Address& from, const io::Address& to,
               std::unique_ptr<io::Stream>& connected, Duration patience);
  void arrive_at_listener(Attempt& attempt);
  void answer(Attempt& attempt);
  void serve_accept(Listening& listening);
  Connection& establish(Attempt& attempt);

  World& world_;
  Prng prng_;
  std::vector<Host> hosts_;
  std::map<std::pair<NodeId, NodeId>, Path> paths_;
  std::vector<bool> power_off_;
  std::vector<std::unique_ptr<Listening>> listeners_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<CutPlan> plans_;
  std::uint64_t bytes_carried_ = 0;
  std::uint16_t next_port_ = 32768;
};

}  // namespace replicator::sim
