// Fencing and suspended I/O on two nodes: what is frozen, until when, and what is on the disks
// then. S2, S3, G3, E1.
#include "tests/sim/metadata_view.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

using C = ConnectionState;
using D = DiskState;

class FencingTest : public EngineTest {
 protected:
  FencingTest() {
    fencing = Fencing::resource_and_stonith;
    pair_.world.set_recording(true);
    pair_.world.expect_error("fence-peer helper broken");
  }
  static void answer(sim::Node& node, int code, Duration takes = Duration::milliseconds(5)) {
    node.helper().set_script([code, takes](const io::HelperCall& call) {
      sim::HelperAnswer said;
      if (call.handler == "fence-peer") said.exit_code = code;
      if (call.handler == "fence-peer") said.takes = takes;
      return said;
    });
  }
  void primary_in_sync() {
    up();
    ASSERT_EQ(pair_.run(resource(first()).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  // Both notice, and can not come together again.
  void cut() {
    pair_.network.block(first().id(), second().id());
    pair_.network.block(second().id(), first().id());
    pair_.network.cut_all(first().id(), second().id(), sim::CutKind::reset);
    ASSERT_TRUE(until([&] {
      return volume(first()).state().connection == C::wf_connection &&
             volume(second()).state().connection == C::wf_connection;
    }));
  }
  void heal() { pair_.network.heal_all(); }
  bool until(const std::function<bool()>& predicate, int seconds = 60) {
    return pair_.world.run_until(predicate, Duration::seconds(seconds));
  }
  bool logged(const std::string& line) {
    return pair_.world.flight_recorder().find(line) != std::string::npos;
  }
  const VolumeState& state(sim::Node& node) { return volume(node).state(); }
  bool frozen() { return state(first()).suspended_fencing; }
  Task<Status> begin_write(sim::Node& node, std::uint64_t at, std::uint8_t fill) {
    buffers_.push_back(pool_.try_take(4096));
    fill_bytes(buffers_.back().bytes(), std::byte{fill});
    Task<Status> task = volume(node).write(ByteRange(ByteOffset(at), ByteCount(4096)),
                                           buffers_.back().bytes(), false);
    const sim::World::As as(pair_.world, node.id());
    task.start();
    return task;
  }
  std::uint64_t generation(sim::Node& node) {
    return volume(node).backing()->superblock().generations.current;
  }
  std::byte content(sim::Node& node, std::uint64_t at) {
    std::array<std::byte, 512> block{};
    node.disk().image().read(ByteOffset(at), block);
    return block[100];
  }
  std::int32_t promote(sim::Node& node, bool force = false) {
    return pair_.run(resource(node).set_role(Role::primary, force)).code;
  }
  sim::Node& first() { return pair_.n1; }
  sim::Node& second() { return pair_.n2; }

  io::BufferPool pool_{1U << 20U, false};
  std::vector<io::BufferPool::Buffer> buffers_;
};

// A target that ends its resync may take over from that instant: should the source crash in it, its
// meta data must not say that the peer can not.
TEST_F(FencingTest, the_source_has_it_on_media_when_the_target_is_current) {
  up();
  ASSERT_EQ(promote(first(), true), 0);
  const sim::MetadataPlaces places{first().disk().size()};
  first().disk().watch_media(
      ByteRange(places.bitmap, ByteOffset(first().disk().size().value()) - places.bitmap));
  sim::MetadataView view(std::as_const(first().disk()));
  ASSERT_TRUE(until([&] { return state(second()).connection == C::sync_target; }));
  view.refresh();
  EXPECT_NE(view.flags() & md_flag_peer_outdated, 0U);
  ASSERT_TRUE(until([&] { return state(second()).disk == D::up_to_date; }));
  EXPECT_EQ(name(state(first()).connection), "SyncSource");
  view.refresh();
  EXPECT_EQ(view.flags() & md_flag_peer_outdated, 0U);
}

TEST_F(FencingTest, NoWriteIsAnsweredUntilThePeerIsFenced) {
  answer(first(), 4, Duration::seconds(5));
  primary_in_sync();
  const std::uint64_t before = generation(first());
  cut();
  EXPECT_TRUE(frozen());
  Task<Status> write = begin_write(first(), 0, 0x42);
  pair_.world.run_for(Duration::seconds(2));
  EXPECT_FALSE(write.done());
  EXPECT_EQ(generation(first()), before) << "the peer may still go on with this generation";
  ASSERT_TRUE(until([&] { return write.done(); }));
  EXPECT_TRUE(write.take().ok());
  EXPECT_FALSE(frozen());
  EXPECT_EQ(name(state(first()).peer_disk), "Outdated");
  EXPECT_NE(generation(first()), before);
  EXPECT_EQ(first().helper().called("fence-peer"), 1U);
  EXPECT_EQ(second().helper().called("fence-peer"), 0U) << "a Secondary fences nobody";
  EXPECT_TRUE(logged("helper command: /sbin/drbdadm fence-peer r0"));
  EXPECT_TRUE(
      logged("r0 fence-peer helper returned 4 (peer got outdated, or was already outdated)"));
  heal();
  wait_until_synced();
  expect_equal();
  EXPECT_TRUE(until([&] { return first().helper().called("unfence-peer") == 1; }));
}

TEST_F(FencingTest, AWriteInFlightWaitsTooAndReachesThePeerInTheEnd) {
  answer(first(), 1);
  primary_in_sync();
  pair_.network.block(first().id(), second().id());
  pair_.network.block(second().id(), first().id());
  Task<Status> write = begin_write(first(), 8192, 0x42);
  pair_.world.run_for(Duration::milliseconds(100));
  pair_.network.cut_all(first().id(), second().id(), sim::CutKind::reset);
  ASSERT_TRUE(until([&] { return frozen(); }));
  pair_.world.run_for(Duration::seconds(20));
  EXPECT_FALSE(write.done()) << "the handler failed: nothing is known of the peer";
  EXPECT_TRUE(logged("fence-peer helper broken, returned 1"));
  heal();
  ASSERT_TRUE(until([&] { return write.done(); }));
  EXPECT_TRUE(write.take().ok());
  EXPECT_FALSE(frozen());
  wait_until_synced();
  expect_equal();
  EXPECT_EQ(content(second(), 8192), std::byte{0x42});
}

// Nothing was in flight: no new generation, no resync.
TEST_F(FencingTest, AnIdlePairThatComesBackJustGoesOn) {
  answer(first(), 1);
  primary_in_sync();
  ASSERT_TRUE(pair_.run(volume(first()).flush()).ok());
  const std::uint64_t before = generation(first());
  cut();
  EXPECT_TRUE(frozen());
  heal();
  ASSERT_TRUE(until([&] { return state(first()).connection == C::connected; }));
  EXPECT_FALSE(frozen());
  EXPECT_EQ(generation(first()), before);
  EXPECT_EQ(first().helper().called("before-resync-source"), 1U) << "that was the first sync";
  ASSERT_TRUE(write(first(), 0, 4096, 0x42).ok());
  expect_equal();
}

TEST_F(FencingTest, AnAnswerAboutAnEarlierLossIsIgnored) {
  answer(first(), 4, Duration::seconds(10));
  primary_in_sync();
  cut();
  heal();
  ASSERT_TRUE(until([&] { return state(first()).connection == C::connected; }));
  EXPECT_EQ(first().helper().running(), 1U);
  pair_.network.block(first().id(), second().id());
  pair_.network.block(second().id(), first().id());
  pair_.network.cut_all(first().id(), second().id(), sim::CutKind::reset);
  ASSERT_TRUE(until([&] { return frozen(); }));
  answer(first(), 1);
  ASSERT_TRUE(until([&] { return first().helper().called("fence-peer") == 2; }));
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_TRUE(logged("Ignoring fence-peer exit code"));
  EXPECT_TRUE(frozen());
  EXPECT_EQ(name(state(first()).peer_disk), "DUnknown");
}

TEST_F(FencingTest, ResourceOnlyCallsTheHandlerAndFreezesNothing) {
  fencing = Fencing::resource_only;
  answer(first(), 4, Duration::seconds(5));
  primary_in_sync();
  cut();
  EXPECT_FALSE(frozen());
  EXPECT_TRUE(write(first(), 0, 4096, 0x42).ok());
  EXPECT_EQ(first().helper().running(), 1U);
  ASSERT_TRUE(until([&] { return state(first()).peer_disk == D::outdated; }));
}

TEST_F(FencingTest, DontCareFencesNobody) {
  fencing = Fencing::dont_care;
  primary_in_sync();
  cut();
  EXPECT_FALSE(frozen());
  EXPECT_TRUE(write(first(), 0, 4096, 0x42).ok());
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(first().helper().called("fence-peer"), 0U);
  heal();
  wait_until_synced();
  EXPECT_EQ(first().helper().called("unfence-peer"), 0U);
}

TEST_F(FencingTest, APeerThatIsPrimaryOutdatesTheOneThatAsks) {
  answer(second(), 6);
  primary_in_sync();
  cut();
  EXPECT_EQ(promote(second()), -2);
  EXPECT_EQ(name(state(second()).disk), "Outdated");
  EXPECT_TRUE(logged("r0 Peer is primary, outdating myself."));
  EXPECT_EQ(second().helper().called("fence-peer"), 1U);
}

TEST_F(FencingTest, PromotionWithoutThePeerNeedsItFenced) {
  answer(second(), 1);
  primary_in_sync();
  ASSERT_EQ(pair_.run(resource(first()).set_role(Role::secondary, false)).code, 0);
  cut();
  EXPECT_EQ(promote(second()), -7);
  EXPECT_EQ(name(state(second()).role), "Secondary");
  answer(second(), 7);
  EXPECT_EQ(promote(second()), 0);
  EXPECT_EQ(name(state(second()).peer_disk), "Outdated");
  EXPECT_TRUE(write(second(), 0, 4096, 0x42).ok());
}

TEST_F(FencingTest, ForceGoesWhereTheHandlerFails) {
  answer(second(), 1);
  primary_in_sync();
  ASSERT_EQ(pair_.run(resource(first()).set_role(Role::secondary, false)).code, 0);
  cut();
  EXPECT_EQ(promote(second(), true), 0);
  EXPECT_TRUE(logged("Forced into split brain situation!"));
  EXPECT_FALSE(state(second()).suspended());
}

// A node that comes up alone does not know whether its data is current.
TEST_F(FencingTest, AConsistentDiskIsPromotedOnlyAfterThePeerWasFenced) {
  primary_in_sync();
  first().kill();
  second().kill();
  boot(second());
  ASSERT_EQ(attach(second()), 0);
  EXPECT_EQ(name(state(second()).disk), "Consistent");
  answer(second(), 5);
  EXPECT_EQ(promote(second()), -2) << "unreachable is no proof for a disk that is not current";
  EXPECT_TRUE(logged("peer unreachable, doing nothing since disk != UpToDate"));
  answer(second(), 4);
  EXPECT_EQ(promote(second()), 0);
  EXPECT_EQ(name(state(second()).disk), "UpToDate");
}

TEST_F(FencingTest, WhoHasNoGoodDataFencesNobody) {
  ASSERT_EQ(attach(first()), 0);
  EXPECT_EQ(promote(first()), -2);
  EXPECT_EQ(first().helper().called("fence-peer"), 0U);
}

TEST_F(FencingTest, AnOutdatedNodeIsNotPromoted) {
  primary_in_sync();
  EXPECT_EQ(pair_.run(resource(second()).outdate(0)).code, -6) << "connected";
  cut();
  EXPECT_EQ(pair_.run(resource(second()).outdate(0)).code, 0);
  EXPECT_EQ(name(state(second()).disk), "Outdated");
  EXPECT_EQ(promote(second()), -2);
  EXPECT_EQ(pair_.run(resource(first()).outdate(0)).code, -2) << "a Primary's only good disk";
  heal();
  wait_until_synced();
}

TEST_F(FencingTest, AnAdministratorLetsFrozenWritesGo) {
  answer(first(), 1);
  primary_in_sync();
  const std::uint64_t before = generation(first());
  cut();
  Task<Status> write = begin_write(first(), 0, 0x42);
  pair_.world.run_for(Duration::seconds(5));
  EXPECT_FALSE(write.done());
  EXPECT_EQ(resource(first()).resume_io(0).code, 1);
  ASSERT_TRUE(until([&] { return write.done(); }));
  EXPECT_TRUE(write.take().ok());
  EXPECT_NE(generation(first()), before);
  heal();
  wait_until_synced();
  expect_equal();
}

TEST_F(FencingTest, TheEndOfTheDaemonIsNotFrozen) {
  answer(first(), 4, Duration::seconds(3600));
  primary_in_sync();
  cut();
  Task<Status> write = begin_write(first(), 0, 0x42);
  pair_.world.run_for(Duration::seconds(1));
  resource(first()).give_up_waiting();
  ASSERT_TRUE(until([&] { return write.done(); }, 1));
  EXPECT_FALSE(write.take().ok());
  pair_.run(resource(first()).stop_handlers());
  EXPECT_EQ(first().helper().running(), 0U);
  EXPECT_EQ(pair_.run(resource(first()).down()).code, 0);
}

// The one that leaves says so: afterwards it knows that it may not take over, and nothing freezes.
TEST_F(FencingTest, WhoLeavesAPrimaryIsOutdated) {
  answer(first(), 1);
  primary_in_sync();
  ASSERT_EQ(pair_.run(resource(second()).disconnect(false)).code, 0);
  EXPECT_EQ(name(state(second()).disk), "Outdated");
  ASSERT_TRUE(until([&] { return state(first()).peer_disk == D::outdated; }));
  EXPECT_FALSE(frozen());
  EXPECT_TRUE(write(first(), 0, 4096, 0x42).ok());
  EXPECT_EQ(first().helper().called("fence-peer"), 0U);
  EXPECT_EQ(promote(second()), -2);
}

TEST_F(FencingTest, APrimaryThatLeavesOutdatesItsPeer) {
  answer(first(), 1);
  primary_in_sync();
  ASSERT_EQ(pair_.run(resource(first()).disconnect(false)).code, 0);
  EXPECT_EQ(name(state(first()).peer_disk), "Outdated");
  EXPECT_FALSE(frozen());
  EXPECT_EQ(name(state(second()).disk), "Outdated");
  EXPECT_EQ(first().helper().called("fence-peer"), 0U);
}

class SuspendedIo : public FencingTest {
 protected:
  SuspendedIo() { fencing = Fencing::dont_care; }
};

TEST_F(SuspendedIo, NothingIsAnsweredBetweenSuspendAndResume) {
  primary_in_sync();
  EXPECT_EQ(resource(first()).suspend_io(0).code, 1);
  EXPECT_EQ(resource(first()).suspend_io(0).code, 2) << "nothing to do";
  EXPECT_TRUE(state(first()).suspended_by_user);
  Task<Status> write = begin_write(first(), 0, 0x42);
  pair_.world.run_for(Duration::seconds(30));
  EXPECT_FALSE(write.done());
  EXPECT_EQ(content(first(), 0), std::byte{0}) << "it has not even begun";
  EXPECT_EQ(resource(first()).resume_io(0).code, 1);
  ASSERT_TRUE(until([&] { return write.done(); }));
  EXPECT_TRUE(write.take().ok());
  EXPECT_EQ(resource(first()).resume_io(0).code, 2);
}

TEST_F(SuspendedIo, OverALossOfThePeerNoGenerationBeginsUntilItGoesOn) {
  primary_in_sync();
  const std::uint64_t before = generation(first());
  ASSERT_EQ(resource(first()).suspend_io(0).code, 1);
  cut();
  EXPECT_EQ(generation(first()), before);
  ASSERT_EQ(resource(first()).resume_io(0).code, 1);
  EXPECT_NE(generation(first()), before);
  EXPECT_TRUE(write(first(), 0, 4096, 0x42).ok());
  heal();
  wait_until_synced();
  expect_equal();
}

TEST_F(SuspendedIo, WithoutGoodDataRequestsWaitWhereThatIsConfigured) {
  ResourceOptions options;
  options.on_no_data_accessible = OnNoData::suspend_io;
  resource(first()).set_options(options);
  primary_in_sync();
  ASSERT_EQ(pair_.run(resource(first()).detach(0, false)).code, 0);
  ASSERT_TRUE(write(first(), 4096, 4096, 0x21).ok()) << "the peer has good data";
  cut();
  EXPECT_TRUE(state(first()).suspended_no_data);
  Task<Status> write = begin_write(first(), 0, 0x42);
  pair_.world.run_for(Duration::seconds(30));
  EXPECT_FALSE(write.done());
  heal();
  ASSERT_TRUE(until([&] { return write.done(); }));
  EXPECT_TRUE(write.take().ok());
  EXPECT_FALSE(state(first()).suspended());
  ASSERT_TRUE(pair_.run(volume(first()).flush()).ok());
  EXPECT_EQ(content(second(), 0), std::byte{0x42});
}

TEST_F(SuspendedIo, WithoutGoodDataRequestsFailOtherwise) {
  primary_in_sync();
  ASSERT_EQ(pair_.run(resource(first()).detach(0, false)).code, 0);
  cut();
  EXPECT_FALSE(state(first()).suspended());
  EXPECT_FALSE(write(first(), 0, 4096, 0x42).ok());
}

TEST_F(SuspendedIo, AnAdministratorEndsTheWaitForData) {
  ResourceOptions options;
  options.on_no_data_accessible = OnNoData::suspend_io;
  resource(first()).set_options(options);
  primary_in_sync();
  ASSERT_EQ(pair_.run(resource(first()).detach(0, false)).code, 0);
  cut();
  Task<Status> write = begin_write(first(), 0, 0x42);
  pair_.world.run_for(Duration::seconds(3));
  EXPECT_FALSE(write.done());
  EXPECT_EQ(resource(first()).resume_io(0).code, 1);
  ASSERT_TRUE(until([&] { return write.done(); }));
  EXPECT_FALSE(write.take().ok());
}

}  // namespace
}  // namespace replicator
