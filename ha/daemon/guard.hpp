// Keeps this node from going on when it should not: follows the lease, feeds the watchdog for as
// long as all is well, and has the node end at once when it could not stop in time.
//   H7   what is not stopped when the lease has been over for the stop time is reset; the watchdog
//        is not fed meanwhile
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "ha/daemon/watchdog.hpp"
#include "ha/membership/diagnostic.hpp"
#include "ha/membership/ha_cf.hpp"
#include "ha/membership/lease.hpp"
#include "ha/membership/membership.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"

namespace ha::daemon {

class Guard {
 public:
  struct Hooks {
    std::function<bool()> holds;    // something is active here, or may be
    std::function<void()> looked;   // what backed() or may_take_over() says may be new
    std::function<void()> overdue;  // this node has to end at once
    std::function<void()> flush;
    std::function<void(membership::Severity, const std::string&)> log;
    std::function<void()> fed;  // the watchdog was; may be empty
  };
  Guard(replicator::io::Clock& clock, const membership::HaCf& cf, const std::string& own_node,
        membership::Membership& membership, bool voter, Hooks hooks);

  // False: the watchdog is not usable.
  bool open();
  void start();
  replicator::Task<void> stop();
  // Nothing is active any more, and the program ends.
  void disarm() noexcept { watchdog_.disarm(); }

  [[nodiscard]] bool leased() const noexcept { return keeper_.has_value(); }
  // There is a lease, and it has ended; or it has just begun, and not all who are there were heard.
  [[nodiscard]] bool cut_off() const noexcept {
    return ended() || (leased() && !voter_ && clock_.now() < settled_at_);
  }
  [[nodiscard]] bool may_take_over(const std::string& node) const;

 private:
  [[nodiscard]] bool ended() const noexcept { return leased() && !voter_ && !keeper_->backed(); }
  void look();
  void feed(bool holds);
  replicator::Task<void> follow_clock();

  replicator::io::Clock& clock_;
  membership::Membership& membership_;
  bool voter_;
  Hooks hooks_;
  std::string device_;
  Duration device_timeout_;
  Duration every_;
  std::optional<membership::LeaseKeeper> keeper_;
  std::optional<membership::Arbiter> arbiter_;
  Watchdog watchdog_;
  bool was_backed_ = false;
  Instant settled_at_;
  // Everything stopped since the lease ended; until there is one again nothing can begin.
  bool stopped_ = false;
  bool hungry_ = false;
  bool overdue_ = false;
  bool stopping_ = false;
  replicator::io::Op* sleeping_ = nullptr;
  replicator::io::Gate tasks_;
};

}  // namespace ha::daemon
