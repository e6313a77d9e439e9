// Commands in line for a resource: in order, and without those whose callers have gone.
#include "daemon/turn.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/sim/two_nodes.hpp"
#include "tests/support/pipe_stream.hpp"

namespace replicator {
namespace {

class TurnTest : public testing::Test {
 protected:
  struct Command {
    std::unique_ptr<io::Stream> caller;
    std::unique_ptr<io::Stream> end;  // the daemon's
    bool done = false;
    bool carried_out = false;
  };

  TurnTest() : pair_(5) {}
  ~TurnTest() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }

  Command& queued() {
    commands_.push_back(std::make_unique<Command>());
    Command& command = *commands_.back();
    auto [near, far] = test::PipeStream::make();
    command.caller = std::move(near);
    command.end = std::move(far);
    pair_.run(start(command));
    return command;
  }
  Task<void> start(Command& command) {
    running_.start(carry_out(command));
    co_return;
  }
  Task<void> carry_out(Command& command) {
    Turn turn(turns_);
    io::Clock& clock = pair_.n1.io().clock;
    const bool mine = co_await turn.wait(clock, *command.end);
    command.carried_out = mine;
    if (mine) {
      io::Op work;
      clock.sleep(work, Duration::milliseconds(9900));
      co_await work;
    }
    command.done = true;
  }
  void pass(std::int64_t milliseconds) {
    pair_.world.run_for(Duration::milliseconds(milliseconds));
  }

  sim::TwoNodes pair_;
  io::Semaphore turns_{1};
  std::vector<std::unique_ptr<Command>> commands_;
  io::Gate running_;
};

TEST_F(TurnTest, OneAfterTheOther) {
  const Command& first = queued();
  const Command& second = queued();
  EXPECT_TRUE(first.carried_out);
  pass(9000);
  EXPECT_FALSE(second.carried_out);
  pass(1500);
  EXPECT_TRUE(first.done);
  EXPECT_TRUE(second.carried_out);
  pass(10000);
  EXPECT_TRUE(second.done);
  EXPECT_EQ(turns_.available(), 1U);
}

TEST_F(TurnTest, WhoseCallerHasGoneIsNotCarriedOutAndHoldsNobodyUp) {
  const Command& first = queued();
  Command& second = queued();
  const Command& third = queued();
  second.caller.reset();
  pass(1000);
  EXPECT_TRUE(second.done) << "keeps its place";
  EXPECT_FALSE(second.carried_out);
  pass(10000);
  EXPECT_TRUE(first.done);
  EXPECT_FALSE(second.carried_out);
  EXPECT_TRUE(third.carried_out);
  pass(10000);
  EXPECT_EQ(turns_.available(), 1U);
}

TEST_F(TurnTest, WhoseCallerGoesJustBeforeItsTurnIsNotCarriedOut) {
  const Command& first = queued();
  Command& second = queued();
  const Command& third = queued();
  pass(9850);
  ASSERT_FALSE(first.done || second.done);
  second.caller.reset();
  pass(100);
  EXPECT_TRUE(first.done);
  EXPECT_FALSE(second.carried_out);
  pass(300);
  EXPECT_TRUE(second.done);
  EXPECT_TRUE(third.carried_out);
}

}  // namespace
}  // namespace replicator
