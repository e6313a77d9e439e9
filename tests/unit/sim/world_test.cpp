// The simulated world: order of events, virtual time, seeds and the trace hash, limits and log
// lines.
#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

#include "io/sync.hpp"
#include "tests/sim/two_nodes.hpp"

namespace replicator::sim {
namespace {

TEST(sim_world, events_fire_by_time_then_by_order_of_scheduling) {
  World world(1);
  std::string log;
  world.at(Instant(20), [&] { log += 'c'; });
  world.at(Instant(10), [&] { log += 'a'; });
  world.at(Instant(10), [&] { log += 'b'; });
  EXPECT_FALSE(world.run_until([] { return false; }, Duration::nanoseconds(15)));
  EXPECT_EQ(log, "ab");
  EXPECT_EQ(world.now(), Instant(15));
  EXPECT_TRUE(world.run_until([&] { return log == "abc"; }, Duration::nanoseconds(15)));
  EXPECT_EQ(world.now(), Instant(20));
}

TEST(sim_world, streams_depend_on_seed_and_name_only) {
  const World world(7);
  EXPECT_EQ(world.stream("disk").next(), world.stream("disk").next());
  EXPECT_NE(world.stream("disk").next(), world.stream("net").next());
}

Task<void> sleepy(io::World& io, Duration duration, std::string& log, char name) {
  io::Op op;
  io.clock.sleep(op, duration);
  co_await op;
  log += name;
}

TEST(sim_world, a_paused_node_goes_on_later_and_in_order) {
  TwoNodes pair(3);
  std::string log;
  io::Gate gate;
  gate.start(sleepy(pair.n1.io(), Duration::milliseconds(10), log, 'a'));
  gate.start(sleepy(pair.n1.io(), Duration::milliseconds(20), log, 'b'));
  gate.start(sleepy(pair.n2.io(), Duration::milliseconds(30), log, 'c'));
  pair.world.pause(pair.n1.id(), Instant(0) + Duration::milliseconds(50));
  pair.world.run_for(Duration::milliseconds(40));
  EXPECT_EQ(log, "c");
  pair.world.run_for(Duration::milliseconds(20));
  EXPECT_EQ(log, "cab");
}

TEST(sim_world, a_drifting_clock_sleeps_longer_in_real_time) {
  TwoNodes pair(3);
  std::string log;
  io::Gate gate;
  pair.n1.clock().set_drift_ppm(-10000);
  pair.n1.clock().set_lateness(Duration());
  gate.start(sleepy(pair.n1.io(), Duration::seconds(100), log, 'a'));
  pair.world.run_for(Duration::milliseconds(100900));
  EXPECT_EQ(log, "");
  pair.world.run_for(Duration::milliseconds(200));
  EXPECT_EQ(log, "a");
}

Task<void> for_ever() {
  for (;;) {
    io::Yield yield;
    co_await yield;
  }
}

TEST(sim_world, coroutines_that_never_wait_are_a_liveness_failure) {
  World world(1);
  io::Gate gate;
  gate.start(for_ever());
  world.run_for(Duration::seconds(1));
  EXPECT_EQ(world.failure().kind, FailureKind::liveness);
  EXPECT_EQ(world.failure().invariant, "L2");
}

TEST(sim_world, an_undeclared_error_line_fails_the_run) {
  {
    World world(1);
    world.expect_error("disk is gone");
    log::error("r0: the disk is gone, as declared");
    EXPECT_FALSE(world.failed());
    log::warning("harmless");
    EXPECT_FALSE(world.failed());
    log::error("r0: something else");
    EXPECT_EQ(world.failure().kind, FailureKind::error_line);
  }
}

std::uint64_t hash_of_a_run(std::uint64_t seed) {
  TwoNodes pair(seed);
  std::string log;
  io::Gate gate;
  for (int i = 0; i < 50; ++i) {
    gate.start(
        sleepy(i % 2 != 0 ? pair.n1.io() : pair.n2.io(), Duration::microseconds(i), log, 'x'));
  }
  pair.world.run_for(Duration::seconds(1));
  EXPECT_EQ(log.size(), 50U);
  return pair.world.trace_hash();
}

TEST(sim_world, the_trace_hash_repeats_and_differs_between_seeds) {
  EXPECT_EQ(hash_of_a_run(5), hash_of_a_run(5));
  EXPECT_NE(hash_of_a_run(5), hash_of_a_run(6));
}

}  // namespace
}  // namespace replicator::sim
