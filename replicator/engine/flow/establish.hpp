// Getting both sockets to the peer: connects and listens in turn until a data and a meta socket are
// up and both survived the liveness check, with the kernel's rules for crossed attempts. Normative:
// docs/protocol.md#connection. Keeps S1's precondition: exactly one node has resolve_conflicts.
#pragma once

#include <memory>

#include "base/prng.hpp"
#include "engine/config.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "protocol/packet.hpp"

namespace replicator {

struct SocketPair {
  std::unique_ptr<io::Stream> data;
  std::unique_ptr<io::Stream> meta;
  bool data_accepted = false;  // by this node, which did not connect it
  // This node accepted the meta socket (docs/protocol.md#resolve-conflicts).
  bool resolve_conflicts = false;
};

class Establisher {
 public:
  // All references must outlive the object.
  Establisher(io::World& world, const PeerConfig& peer, const NetOptions& options);

  // Takes the local address; Fault::busy when another program has it.
  Status listen();
  // Runs until both sockets are up; listens first unless that was done. Fault::canceled after
  // stop(), others when the local address cannot be listened on.
  Task<Result<SocketPair>> run();
  void stop() noexcept;
  // errno of the last attempt to reach the peer, 0 when it succeeded or none has ended yet; and how
  // many have failed.
  [[nodiscard]] std::int32_t connect_error() const noexcept { return connect_error_; }
  [[nodiscard]] std::uint32_t failed_attempts() const noexcept { return failed_attempts_; }

 private:
  enum class Kind : std::uint8_t { none, data, meta };
  Task<void> try_connect();
  Task<bool> try_accept();  // true: accept again before connecting
  Task<void> wait_after_failure();
  Task<Kind> first_packet(io::Stream& stream);
  Task<bool> announce(io::Stream& stream, Packet kind);
  Task<bool> both_ok();
  void drop_dead() noexcept;
  [[nodiscard]] bool coin() noexcept { return prng_.below(2) == 0; }
  [[nodiscard]] Duration jittered(Duration base) noexcept;

  io::World& world_;
  const PeerConfig& peer_;
  const NetOptions& options_;
  Prng prng_;
  std::unique_ptr<io::Listener> listener_;
  SocketPair sockets_;
  io::Op* connecting_ = nullptr;
  io::Op* sleeping_ = nullptr;
  std::int32_t connect_error_ = 0;
  std::uint32_t failed_attempts_ = 0;
  bool stopped_ = false;
};

}  // namespace replicator
