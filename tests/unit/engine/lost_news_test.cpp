// News that the peer never hears: losing the last messages of a resync is harmless (G7), whichever
// socket and direction is dead without anybody's knowledge.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

struct Lost {
  std::uint64_t socket;
  bool toward_server;
  std::uint64_t bits;  // left at the target when it is cut
};

class LostNewsTest : public EngineTest, public testing::WithParamInterface<Lost> {
 protected:
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
  [[nodiscard]] bool good(sim::Node& node) const {
    const VolumeState& state = volume(node).state();
    return state.connection == ConnectionState::connected && state.disk == DiskState::up_to_date &&
           state.peer_disk == DiskState::up_to_date;
  }
};

TEST_P(LostNewsTest, the_end_of_a_resync_is_told_again_after_a_reconnect) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  const bool nearly = pair_.world.run_until(
      [&] {
        const VolumeState& target = volume(pair_.n2).state();
        const bool ended = target.disk == DiskState::up_to_date;
        const bool syncing = target.connection == ConnectionState::sync_target;
        return ended || (syncing && GetParam().bits != 0 &&
                         volume(pair_.n2).out_of_sync_blocks() <= GetParam().bits);
      },
      Duration::seconds(60));
  ASSERT_TRUE(nearly);
  ASSERT_TRUE(pair_.network.cut_one(pair_.n1.id(), pair_.n2.id(), GetParam().socket,
                                    GetParam().toward_server, sim::CutKind::one_direction));
  // ko-count × timeout at the most, and a reconnect.
  const auto both = [&] { return good(pair_.n1) && good(pair_.n2); };
  EXPECT_TRUE(pair_.world.run_until(both, Duration::seconds(120)))
      << describe_change(volume(pair_.n1).state(), volume(pair_.n2).state());
  EXPECT_TRUE(write(pair_.n1, 4096, 4096, 0x44).ok());
  EXPECT_TRUE(pair_.world.run_until(both, Duration::seconds(120)));
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 0U);
  expect_equal();
}

INSTANTIATE_TEST_SUITE_P(everywhere, LostNewsTest,
                         testing::Values(Lost{0, true, 0}, Lost{0, false, 0}, Lost{1, true, 0},
                                         Lost{1, false, 0}, Lost{0, true, 20}, Lost{0, false, 20},
                                         Lost{1, true, 20}, Lost{1, false, 20}));

}  // namespace
}  // namespace replicator
