// pollux-had in the simulator, for a cluster that a CIB describes: the real membership, lease,
// controller, planner and operations; agents, fence devices and the file of the configuration are
// models.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ha/controller/controller.hpp"
#include "ha/daemon/attendance.hpp"
#include "ha/daemon/guard.hpp"
#include "ha/executor/operations.hpp"
#include "ha/membership/flow.hpp"
#include "tests/sim/datagrams.hpp"
#include "tests/sim/failover_machine.hpp"
#include "tests/sim/node.hpp"

namespace replicator::sim {

// What the program asks of the world that it is in.
class FailoverSurroundings {
 public:
  virtual ~FailoverSurroundings() = default;
  // This program's machine, or another one, is to lose its power at once.
  virtual void power_off(const std::string& node, const std::string& why) = 0;
  virtual void leave(const std::string& node, bool in_peace) = 0;
  // How long a fence device takes, and whether it works then.
  virtual Duration fencing_takes(const std::string& target) = 0;
  virtual bool fence(const std::string& by, const std::string& target) = 0;
  virtual bool ping_answers(const std::string& node) = 0;
  virtual void fed(const std::string& node) = 0;
  virtual std::string& stored(const std::string& node) = 0;
};

struct FailoverProgramOptions {
  ha::membership::HaCf cf;
  bool voter = false;
  std::uint64_t generation = 1;
  std::uint64_t life = 0;
};

class FailoverProgram final : public Node::Program, ha::executor::Runner {
 public:
  FailoverProgram(Node& node, SimDatagrams& datagrams, FailoverMachine& machine,
                  FailoverSurroundings& surroundings, FailoverProgramOptions options);

  [[nodiscard]] ha::controller::Controller& controller() noexcept { return *controller_; }
  [[nodiscard]] const ha::daemon::Guard& guard() const noexcept { return guard_; }
  void request(const std::string& xml);
  void shut_down();

 private:
  [[nodiscard]] Instant now() const noexcept { return node_.io().clock.now(); }
  ha::daemon::Guard::Hooks guard_hooks();
  void log(ha::membership::Severity severity, const std::string& text);
  void observe(const ha::membership::Effects& effects);
  void on_event(const ha::membership::Event& event);
  void after_look();
  void carry();
  Task<void> follow_clock();
  Task<void> ping();
  Task<void> store(ha::controller::StoreOrder order);
  Task<void> fence(ha::controller::FenceOrder order);
  Task<ha::controller::Outcome> run(ha::controller::Operation operation) override;

  Node& node_;
  FailoverMachine& machine_;
  FailoverSurroundings& surroundings_;
  FailoverProgramOptions options_;
  std::unique_ptr<io::DatagramNetwork> network_;
  ha::membership::Membership membership_;
  ha::membership::Flow flow_;
  ha::daemon::Guard guard_;
  ha::daemon::Attendance attendance_;
  std::unique_ptr<ha::controller::Controller> controller_;
  ha::executor::Operations operations_;
  std::uint64_t clients_ = 0;
  bool carrying_ = false;
  io::Op* sleeping_ = nullptr;
  io::Gate tasks_;
};

}  // namespace replicator::sim
