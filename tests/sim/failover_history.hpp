// A history of a cluster of two or three nodes under the failover manager: the real membership,
// lease, controller, planner and operations over simulated links, with crashes, cuts, one-way cuts,
// pauses, restarts, agents that hang, fail and lie, fence devices that are slow or broken. Checked:
//   H1, H2   what is exclusive is active once, at every instant
//   H3, H4   … also when stops and fence devices fail
//   H5       steps in their order
//   H7       … also without fence devices, when nodes are cut off, hang or are paused
//   H9, H17  in the end one coordinates, and all have one configuration
//   H12      once all is well nobody is fenced
//   H18      hung agents hold up nothing for good: in the end everything runs
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/world.hpp"

namespace replicator::sim {

struct FailoverResult {
  std::string text;  // what was drawn, and how it ended
  std::uint32_t faults = 0;
  std::uint64_t moves = 0;  // of services
};

// Runs it to its end; failures are the world's.
FailoverResult run_failover(World& world);

}  // namespace replicator::sim
