// One simulated connection: two pipes of bytes and the two ends that the nodes hold. Lives as long
// as the network, so that events which arrive after both ends are gone find something to be ignored
// by.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "io/io.hpp"
#include "tests/sim/net.hpp"

namespace replicator::sim {

class Connection final : EventTarget, io::Backend {
 public:
  enum Side : std::uint8_t { client = 0, server = 1 };

  Connection(SimNetwork& network, std::uint32_t ordinal, NodeId client_node, NodeId server_node,
             io::Address client_address, io::Address server_address);

  // The stream object of a side; made once.
  std::unique_ptr<io::Stream> open(Side side);
  [[nodiscard]] NodeId node(Side side) const noexcept { return ends_[side].node; }
  [[nodiscard]] bool joins(NodeId a, NodeId b) const noexcept;
  [[nodiscard]] bool live() const noexcept;

  void cut(Side sender, CutKind kind);
  void cut_after(Side sender, std::uint64_t byte, CutKind kind) noexcept;
  [[nodiscard]] std::uint64_t bytes_from(Side side) const noexcept { return pipes_[side].sent; }
  // The path in front of this side's pipe works again.
  void path_unblocked(Side sender);
  void process_died(Side side);
  void power_lost(Side side) noexcept;
  // The machine of a vanished side is up again and answers retransmissions with a reset.
  void power_back(Side side) noexcept;
  // If a direction is dead and an end does not know: it will soon.
  void reveal();
  void reset(Side side);  // this side learns that the connection is gone

 private:
  friend class SimStream;

  // What one side has sent and the other has not read yet, in one ring: first what has arrived,
  // then what is on the way.
  struct Segment {
    std::int64_t arrives;
    std::uint32_t bytes;
  };
  struct Pipe {
    std::vector<std::byte> ring;
    std::size_t head = 0;
    std::size_t arrived = 0;
    std::size_t total = 0;
    std::size_t unacknowledged = 0;  // read, but the news can't travel back: still fills the buffer
    std::deque<Segment> wire;
    std::int64_t last_arrival = 0;
    std::uint64_t sent = 0;
    std::uint64_t cut_at = ~0ULL;
    CutKind cut_kind = CutKind::reset;
    bool arrival_scheduled = false;
    bool ending = false;  // the sender closed; the end travels behind the last byte
    bool ended = false;   // and has arrived
    bool mute = false;    // nothing new gets on the way; what is, arrives
    bool silent = false;  // nothing arrives any more, nobody is told
  };
  struct End {
    NodeId node = outside;
    io::Address local;
    io::Address peer;
    bool open = false;      // a stream object exists or is still to be made
    bool shut = false;      // shutdown() was called
    bool vanished = false;  // power was lost
    std::int32_t error = 0;
    io::Op* receiving = nullptr;
    Bytes into;
    Instant receive_deadline;
    io::Op* sending = nullptr;
    std::vector<io::IoSlice> slices;
    std::size_t slice = 0;
    std::size_t offset = 0;
    std::size_t moved = 0;
    Instant send_deadline;
    Instant timer = Instant::never();
  };
  enum Kind : std::uint8_t { arrival, pump, wake_receiver, timeout, told };

  static Side other(Side side) noexcept { return side == client ? server : client; }
  void fire(std::uint64_t tag) override;
  void forget(io::Op& op) noexcept override;
  void schedule(Kind kind, Side side, Duration delay);

  void receive(Side side, io::Op& op, Bytes into, Duration patience);
  void send(Side side, io::Op& op, std::span<const io::IoSlice> slices, Duration patience);
  void shutdown(Side side) noexcept;
  void close(Side side) noexcept;
  [[nodiscard]] bool alive(Side side) const noexcept;

  void try_receive(Side side);
  void try_send(Side side);
  std::size_t take_in(Side side, std::size_t limit);
  void put_on_wire(Side side, std::size_t bytes);
  void schedule_arrival(Side sender);
  void deliver(Side sender);
  void end_stream(Side sender) noexcept;
  void arm_timer(Side side, Instant deadline);
  void check_timers(Side side);
  void finish_receive(Side side, std::int32_t result);
  void finish_send(Side side, std::int32_t result);
  void release_rings() noexcept;
  [[nodiscard]] std::size_t capacity(Side sender) noexcept;
  [[nodiscard]] World& world() const noexcept;

  SimNetwork& network_;
  std::uint32_t ordinal_;
  Prng prng_;
  Pipe pipes_[2];  // by sending side
  End ends_[2];
};

}  // namespace replicator::sim
