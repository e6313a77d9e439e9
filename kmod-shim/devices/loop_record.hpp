// Which loop devices are ours, on disk under /run, so that a daemon that was killed can let them
// go when it comes back, and leaves those of other nodes of the same kernel alone. One file a
// minor: "NUMBER SEQUENCE". Never called on the reactor's thread.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "devices/loop_device.hpp"

namespace replicator::shim {

Status remember_loop(std::uint32_t minor, const LoopDevice& loop);
void forget_loop(std::uint32_t minor) noexcept;

// Lets the loop devices of a predecessor go, each as soon as nobody has it open.
void release_stale_loops();

}  // namespace replicator::shim
