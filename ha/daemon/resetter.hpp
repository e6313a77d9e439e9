// In a cluster with haresources: makes sure that a lost node is off, by the stonith lines of ha.cf.
//   H4   until a device reported success, or an operator confirmed, it is tried again
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ha/daemon/log.hpp"
#include "ha/fencing/fencer.hpp"
#include "ha/membership/ha_cf.hpp"
#include "io/sync.hpp"
#include "uring/reactor.hpp"

namespace ha::daemon {

class Resetter {
 public:
  // Called with the node when it is off.
  using Done = std::function<void(const std::string& node)>;

  Resetter(replicator::uring::Reactor& reactor, fencing::Folders folders, Log& log, Done done);

  // Reads what the lines for this node say, and asks the plugins what their parameters are called.
  // False when a line can't be used.
  replicator::Task<bool> prepare(std::vector<membership::StonithLine> lines, std::string own_node);
  [[nodiscard]] bool configured() const noexcept { return !devices_.empty(); }

  void begin(const std::string& node);
  // It was heard again: it is not off, and need not be.
  void cancel();
  [[nodiscard]] const std::string& node() const noexcept { return node_; }
  // An operator's word; false when nobody waits for it.
  bool confirm(const std::string& node);
  replicator::Task<void> stop();

 private:
  using Severity = membership::Severity;
  replicator::Task<void> reset(std::string node, std::uint64_t attempt);
  [[nodiscard]] bool current(std::uint64_t attempt) const noexcept {
    return attempt == attempts_ && !node_.empty();
  }

  replicator::uring::Reactor& reactor_;
  fencing::Fencer fencer_;
  Log& log_;
  Done done_;
  std::vector<fencing::Device> devices_;
  std::string node_;  // that is being reset
  std::uint64_t attempts_ = 0;
  bool confirmed_ = false;
  replicator::io::Gate tasks_;
};

}  // namespace ha::daemon
