// The administrator's handlers on a simulated node: a script answers each call, after a while. The
// script outlives the node's process, as the files it stands for do.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/helper.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

struct HelperAnswer {
  int exit_code = 0;
  Duration takes = Duration::milliseconds(5);
  // When it ends, and instead of the exit code; may look at the world, and change it later.
  std::function<int()> at_end;
};

class SimHelper final : public io::Helper, EventTarget, io::Backend {
 public:
  using Script = std::function<HelperAnswer(const io::HelperCall&)>;

  SimHelper(World& world, NodeId node) : world_(world), node_(node) {}

  // Without a script every handler exits with 0 at once, as when none is configured.
  void set_script(Script script) { script_ = std::move(script); }
  // Every call so far, as "split-brain minor-0".
  [[nodiscard]] const std::vector<std::string>& calls() const noexcept { return calls_; }
  [[nodiscard]] std::size_t called(const std::string& handler) const;
  // How many run now.
  [[nodiscard]] std::size_t running() const noexcept;

  [[nodiscard]] const std::string& program() const noexcept override { return program_; }
  void run(io::Op& op, const io::HelperCall& call) override;
  void cancel(io::Op& op) noexcept override;

 private:
  struct Run {
    io::Op* op = nullptr;
    std::int32_t result = 0;
    std::function<int()> at_end;
  };
  void fire(std::uint64_t tag) override;
  void forget(io::Op& op) noexcept override;

  World& world_;
  NodeId node_;
  std::string program_ = "/sbin/drbdadm";
  Script script_;
  std::vector<std::string> calls_;
  std::vector<Run> runs_;
};

}  // namespace replicator::sim
