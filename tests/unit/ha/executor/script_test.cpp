// Scripts with real processes: what they say, how they end, and that nothing of them holds the
// manager up.
#include "ha/executor/script.hpp"

#include <gtest/gtest.h>

namespace ha::executor {
namespace {

class Script : public testing::Test {
 protected:
  Script() {
    replicator::uring::ReactorOptions options;
    options.helper.clear();
    options.buffer_bytes = 1U << 20U;
    reactor_ = std::move(*replicator::uring::Reactor::create(options));
  }
  ScriptResult shell(std::string script, Duration deadline = Duration::seconds(20)) {
    ScriptCall call;
    call.path = "/bin/sh";
    call.arguments = {"-c", std::move(script), "sh", "argument"};
    call.environment = {"PATH=/bin:/usr/bin", "HA_CURHOST=node1"};
    call.deadline = deadline;
    return reactor_->run_task(run_script(*reactor_, std::move(call)));
  }
  std::unique_ptr<replicator::uring::Reactor> reactor_;
};

TEST_F(Script, OutputAndExitCode) {
  const ScriptResult result = shell("echo out $1 $HA_CURHOST; echo err >&2; exit 3");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(result.good());
  EXPECT_EQ(result.output, "out argument node1\nerr\n");
  EXPECT_TRUE(shell("true").good());
  EXPECT_EQ(shell("kill -9 $$").exit_code, 128 + 9);
}

TEST_F(Script, ItReadsItsInputAndElseNothing) {
  ScriptCall call;
  call.path = "/bin/cat";
  call.input = "action=off\nport=7\n";
  EXPECT_EQ(reactor_->run_task(run_script(*reactor_, call)).output, call.input);
  call.input.clear();
  EXPECT_EQ(reactor_->run_task(run_script(*reactor_, call)).output, "");
}

TEST_F(Script, WhatIsNotThereIsNotStarted) {
  ScriptCall call;
  call.path = "/nonexistent/script";
  const ScriptResult result = reactor_->run_task(run_script(*reactor_, call));
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_FALSE(result.good());
}

TEST_F(Script, ADeadlineEndsTheWholeGroup) {
  const ScriptResult result =
      shell("sleep 100 & sleep 100; echo never", Duration::milliseconds(50));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + 9);
  EXPECT_EQ(result.output, "");
}

TEST_F(Script, AServiceThatStaysIsNotWaitedFor) {
  const ScriptResult result = shell("setsid sh -c 'sleep 1; echo late; sleep 1' & echo started");
  EXPECT_TRUE(result.good());
  EXPECT_EQ(result.output, "started\n");
}

TEST_F(Script, OutputIsLimited) {
  const ScriptResult result = shell("yes | head -c 300000; exit 0");
  EXPECT_EQ(result.output.size(), output_limit);
  // Without an end: what it writes is refused sooner or later, so it ends.
  EXPECT_FALSE(shell("yes", Duration::seconds(20)).timed_out);
}

}  // namespace
}  // namespace ha::executor
