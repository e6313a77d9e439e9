// What a machine of a simulated failover cluster runs, whoever asks it to: services that start,
// stop, hang, fail and die, and the truth about them. It survives the manager's process and ends
// with the power.
//   H1   what is exclusive is active on one machine at most, at every instant
//   H5   a step begins after those that it needs, and ends before them
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ha/controller/operation.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

// In the order in which they start. "disk" is there on every node and promoted on one; "db" stands
// alone.
inline constexpr std::array<const char*, 4> chain{"disk", "fs", "ip", "web"};

class FailoverMachine {
 public:
  struct Service {
    bool active = false;
    bool promoted = false;
    // As the agents last said.
    bool said_active = false;
    bool said_promoted = false;
    bool unknown = false;  // something failed half way
  };
  enum class Trouble : std::uint8_t { fails, hangs, lies };
  struct Plan {  // of one operation
    Duration takes;
    bool fails = false;
    bool hangs = false;
    bool lies = false;  // it says that it is done, and is not
  };

  FailoverMachine(World& world, std::string name)
      : name_(std::move(name)), world_(world), prng_(world.stream("agents of " + name_)) {}

  Plan begin(const ha::controller::Operation& operation);
  ha::controller::Outcome finish(const ha::controller::Operation& operation, const Plan& plan);
  void power_off() { services_.clear(); }
  // It ends by itself.
  void die(const std::string& service);
  void set_trouble(const std::string& task, Trouble trouble) { troubles_[task] = trouble; }
  void clear_troubles() { troubles_.clear(); }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool active(const std::string& service) const;
  [[nodiscard]] bool promoted(const std::string& service) const;
  // Told after each change.
  std::function<void()> changed;

 private:
  void check_order(const ha::controller::Operation& operation);
  [[nodiscard]] bool said(const std::string& service) const;

  std::string name_;
  World& world_;
  Prng prng_;
  std::map<std::string, Service> services_;
  std::map<std::string, Trouble> troubles_;
};

}  // namespace replicator::sim
