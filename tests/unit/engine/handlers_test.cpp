// When the engine calls which handler, what it does with the exit code, and that nothing else waits
// for one.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class HandlersTest : public EngineTest {
 protected:
  // The handler of this name exits with this code on that node; all others with 0.
  static void script(sim::Node& node, std::string handler, int code,
                     Duration takes = Duration::milliseconds(5)) {
    node.helper().set_script([handler = std::move(handler), code, takes](const io::HelperCall& c) {
      sim::HelperAnswer answer;
      if (c.handler != handler) return answer;
      answer.exit_code = code;
      answer.takes = takes;
      return answer;
    });
  }
  bool wait_until(const std::function<bool()>& predicate, int seconds = 60) {
    return pair_.world.run_until(predicate, Duration::seconds(seconds));
  }
  void force_primary() {
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  }
};

TEST_F(HandlersTest, AResyncIsAnnouncedOnBothSidesAndItsEndOnTheTarget) {
  up();
  force_primary();
  wait_until_synced();
  using Calls = std::vector<std::string>;
  EXPECT_EQ(pair_.n1.helper().calls(), Calls{"before-resync-source minor-0"});
  ASSERT_TRUE(wait_until([&] { return pair_.n2.helper().called("after-resync-target") == 1; }));
  const Calls expected{"before-resync-target minor-0", "after-resync-target minor-0"};
  EXPECT_EQ(pair_.n2.helper().calls(), expected);
}

TEST_F(HandlersTest, ATargetThatRefusesTheResyncGoesStandAloneAndKeepsItsData) {
  pair_.world.expect_error("before-resync-target forbids the resync");
  script(pair_.n2, "before-resync-target", 1);
  up();
  force_primary();
  ASSERT_TRUE(wait_until(
      [&] { return volume(pair_.n2).state().connection == ConnectionState::stand_alone; }));
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Inconsistent");
  EXPECT_EQ(volume(pair_.n2).out_of_sync_blocks(), volume(pair_.n2).size().value() / 4096);
  // Once it agrees the resync goes on.
  script(pair_.n2, "", 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_until_synced();
  expect_equal();
}

TEST_F(HandlersTest, ASourceThatRefusesTheResyncGoesStandAlone) {
  pair_.world.expect_error("before-resync-source forbids the resync");
  script(pair_.n1, "before-resync-source", 1);
  up();
  force_primary();
  ASSERT_TRUE(wait_until(
      [&] { return volume(pair_.n1).state().connection == ConnectionState::stand_alone; }));
  EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
}

TEST_F(HandlersTest, Exit3OfBeforeResyncSourceIsWhatOldToolsSay) {
  script(pair_.n1, "before-resync-source", 3);
  up();
  force_primary();
  wait_until_synced();
  expect_equal();
}

// Longer than the peer is given for an answer that it owes.
TEST_F(HandlersTest, AHandlerThatTakesItsTimeHoldsUpNeitherWritesNorTheConnection) {
  script(pair_.n1, "before-resync-source", 0, Duration::seconds(30));
  up();
  force_primary();
  ASSERT_TRUE(wait_until([&] { return pair_.n1.helper().running() == 1; }));
  const Instant before = pair_.world.now();
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  EXPECT_LT((pair_.world.now() - before).milliseconds(), 1000);
  EXPECT_EQ(pair_.n1.helper().running(), 1U);
  wait_until_synced();
  expect_equal();
}

TEST_F(HandlersTest, AHandlerThatRunsDoesNotKeepTheResourceFromGoing) {
  script(pair_.n2, "after-resync-target", 0, Duration::seconds(3600));
  up();
  force_primary();
  wait_until_synced();
  ASSERT_TRUE(wait_until([&] { return pair_.n2.helper().running() == 1; }));
  ASSERT_EQ(pair_.run(resource(pair_.n2).down()).code, 0);
  pair_.run(resource(pair_.n2).stop_handlers());
  EXPECT_EQ(pair_.n2.helper().running(), 0U);
}

TEST_F(HandlersTest, AFailedDiskIsReportedBeforeThePeerHears) {
  up();
  force_primary();
  wait_until_synced();
  pair_.world.expect_error(": local ");
  pair_.world.expect_error("disk failed, detaching from");
  DiskOptions options = volume(pair_.n1).disk_options();
  options.on_io_error = OnIoError::call_local_io_error;
  ASSERT_EQ(resource(pair_.n1).set_disk_options(0, options).code, 0);
  script(pair_.n1, "local-io-error", 0, Duration::seconds(2));
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write);
  pair_.n1.disk().inject(fault);
  EXPECT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());  // the peer has it
  ASSERT_EQ(pair_.n1.helper().called("local-io-error"), 1U);
  EXPECT_EQ(pair_.n1.helper().running(), 1U);
  EXPECT_EQ(name(volume(pair_.n2).state().peer_disk), "UpToDate");
  ASSERT_TRUE(
      wait_until([&] { return volume(pair_.n2).state().peer_disk == DiskState::diskless; }));
  EXPECT_EQ(pair_.n1.helper().running(), 0U);
}

TEST_F(HandlersTest, WithDetachNoHandlerIsCalledForAFailedDisk) {
  up();
  force_primary();
  wait_until_synced();
  pair_.world.expect_error(": local ");
  pair_.world.expect_error("disk failed, detaching from");
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write);
  pair_.n1.disk().inject(fault);
  EXPECT_TRUE(write(pair_.n1, 0, 4096, 0x42).ok());
  ASSERT_TRUE(
      wait_until([&] { return volume(pair_.n2).state().peer_disk == DiskState::diskless; }));
  EXPECT_EQ(pair_.n1.helper().called("local-io-error"), 0U);
}

TEST_F(HandlersTest, APrimaryWithoutGoodDataCallsForHelpOnce) {
  up();
  force_primary();
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(false)).code, 0);
  EXPECT_EQ(pair_.n1.helper().called("pri-on-incon-degr"), 0U);
  ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
  ASSERT_TRUE(wait_until([&] { return pair_.n1.helper().called("pri-on-incon-degr") == 1; }));
  pair_.world.run_for(Duration::seconds(2));
  EXPECT_EQ(pair_.n1.helper().called("pri-on-incon-degr"), 1U);
}

}  // namespace
}  // namespace replicator
