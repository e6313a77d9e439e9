// A generation is announced when a crash would not take it back (G3).
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class NewGenerationTest : public EngineTest {
 protected:
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
};

// The promotion makes a generation, and the disk does not answer when it is to be written.
TEST_F(NewGenerationTest, the_peer_hears_of_a_promotion_s_generation_when_it_is_on_media) {
  up();
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write) | sim::bit(sim::DiskOp::flush);
  fault.sticky = true;
  fault.stuck = true;
  pair_.n1.disk().inject(fault);
  Task<AdminResult> promoting = resource(pair_.n1).set_role(Role::primary, true);
  {
    const sim::World::As as(pair_.world, pair_.n1.id());
    promoting.start();
  }
  EXPECT_FALSE(pair_.world.run_until([&] { return promoting.done(); }, Duration::seconds(5)));
  EXPECT_EQ(name(volume(pair_.n2).state().connection), "Connected");
  promoting = Task<AdminResult>();  // it goes with the node
  pair_.n1.power_cut(sim::CutMode::lose_all);
  pair_.n1.disk().clear_faults();
  pair_.world.run_until(
      [&] { return volume(pair_.n2).state().connection < ConnectionState::connected; },
      Duration::seconds(60));
  boot(pair_.n1);
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_for(ConnectionState::connected);
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  expect_equal();
}

}  // namespace
}  // namespace replicator
