// For tests: two nodes n1 and n2 with one disk each and a link, and a way to run a coroutine to its
// end in virtual time.
//     sim::TwoNodes pair(seed);
//     const Status status = pair.run(some_task(pair.n1.io()));
#pragma once

#include <memory>
#include <utility>

#include "io/sync.hpp"
#include "tests/sim/node.hpp"

namespace replicator::sim {

struct TwoNodes {
  static constexpr std::uint64_t default_disk_bytes = 8ULL << 20U;

  explicit TwoNodes(std::uint64_t seed = 1, ByteCount disk_size = ByteCount(default_disk_bytes),
                    DiskModel disk_options = {})
      : world(seed), network(world), n1(world, network, "n1", 1), n2(world, network, "n2", 2) {
    n1.add_disk("/dev/disk", disk_size, disk_options);
    n2.add_disk("/dev/disk", disk_size, disk_options);
  }

  // Runs the task until it is done. Fails the run (liveness) when it is not within the limit of
  // virtual time; check world.failed() when the task may get stuck, the result is then
  // default-made.
  template <class T>
  T run(Task<T> task, Duration limit = Duration::seconds(600)) {
    task.start();
    const bool done = world.run_until([&task] { return task.done(); }, limit);
    if (!done && !world.failed()) {
      world.fail(FailureKind::liveness, "L2", "the task of the test did not end");
    }
    if constexpr (!std::is_void_v<T>) {
      return done ? task.take() : T();
    }
  }

  World world;
  SimNetwork network;
  Node n1;
  Node n2;
};

}  // namespace replicator::sim
