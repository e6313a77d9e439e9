// Calls of the administrator's handlers (docs/operations.md#handlers). A call suspends the caller
// until the program has ended, as the kernel's caller sleeps; nothing else waits.
//   L4  stop() ends what runs: taking a resource down needs no handler's consent
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"

namespace replicator {

// What a handler that was killed because it took too long counts as; drbdadm says the same.
inline constexpr int handler_timed_out = 20;

class Handlers {
 public:
  explicit Handlers(io::World& world) : world_(world) {}
  Handlers(const Handlers&) = delete;
  Handlers& operator=(const Handlers&) = delete;

  // Exit code of `drbdadm HANDLER OBJECT`; 0 when the program could not be started. `who` begins
  // the log lines. `peer` may be null. One after the other.
  Task<int> call(std::string who, const char* handler, std::string object, const PeerConfig* peer);
  // The same, beside others: fence-peer must not wait for a handler that waits for its end.
  Task<int> call_at_once(std::string who, const char* handler, std::string object,
                         const PeerConfig* peer);
  // Kills those that run and starts no more.
  void stop() noexcept;
  // None runs any more.
  Task<void> ended();

  // Told when a program is started, and with its wait status when it has ended.
  std::function<void(const io::HelperCall&, std::optional<std::int32_t>)> observed;

 private:
  Task<int> run(std::string line, io::HelperCall call);

  io::World& world_;
  std::vector<io::Op*> running_;
  io::Event ended_;
  bool stopped_ = false;
  io::Semaphore turn_{1};
};

}  // namespace replicator
