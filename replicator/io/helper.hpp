// The one program that the engine runs: the administrator's handlers are called through it, as the
// kernel calls them through drbdadm. Never blocks the caller's thread.
#pragma once

#include <cstdint>
#include <string>

#include "io/op.hpp"

namespace replicator::io {

struct HelperCall {
  std::string handler;       // "split-brain"
  std::string object;        // "minor-0", or a resource's name
  std::string peer_family;   // "ipv4"; empty: nothing is known of a peer
  std::string peer_address;  // numeric, without the port
};

class Helper {
 public:
  virtual ~Helper() = default;
  // As it is called; empty: no program is ever run.
  [[nodiscard]] virtual const std::string& program() const noexcept = 0;
  // Completes with the program's wait status (as waitpid() has it), or -errno when it could not be
  // started, -ETIMEDOUT when it was killed because it took too long, -ECANCELED after cancel().
  virtual void run(Op&, const HelperCall&) = 0;
  // Kills the program; nothing happens when the Op is not in flight.
  virtual void cancel(Op&) noexcept = 0;
};

}  // namespace replicator::io
