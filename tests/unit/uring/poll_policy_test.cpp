// Polling is chosen where it makes completions come faster, and given up where it does not.
#include "uring/poll_policy.hpp"

#include <gtest/gtest.h>

namespace replicator::test {
namespace {

using uring::PollPolicy;

// A conversation in which a wait takes `polled` or `slept` nanoseconds, depending on how it is
// done.
struct Conversation {
  PollPolicy policy;
  std::int64_t now = 0;
  unsigned polls = 0;

  void run(unsigned waits, std::int64_t polled, std::int64_t slept) {
    polls = 0;
    for (unsigned i = 0; i < waits; ++i) {
      const bool poll = policy.should_poll(now);
      if (!poll) policy.sleeps(now);
      polls += poll ? 1U : 0U;
      const std::int64_t length = poll ? polled : slept;
      now += length;
      policy.waited(now, length, 1);
    }
  }
};

TEST(PollPolicy, IsChosenWhereItPays) {
  Conversation talk;
  talk.run(2000, 10'000, 70'000);
  talk.run(1000, 10'000, 70'000);
  EXPECT_GT(talk.polls, 800U);
}

TEST(PollPolicy, IsRarelyTriedWhereItDoesNotPay) {
  Conversation talk;
  talk.run(50'000, 90'000, 70'000);
  talk.run(50'000, 90'000, 70'000);
  EXPECT_LT(talk.polls, 1000U);
}

TEST(PollPolicy, ADrawIsWonByBlocking) {
  Conversation talk;
  talk.run(50'000, 50'000, 50'000);
  talk.run(50'000, 50'000, 50'000);
  EXPECT_LT(talk.polls, 1000U);
}

TEST(PollPolicy, FollowsALoadThatChanges) {
  Conversation talk;
  talk.run(3000, 10'000, 70'000);
  talk.run(20'000, 90'000, 70'000);
  talk.run(10'000, 90'000, 70'000);
  EXPECT_LT(talk.polls, 2000U);
}

TEST(PollPolicy, NeverPollsWhenIdle) {
  Conversation talk;
  talk.run(3000, 10'000, 70'000);
  talk.run(30, 5'000'000, 5'000'000);
  talk.run(300, 5'000'000, 5'000'000);
  EXPECT_EQ(talk.polls, 0U);
}

TEST(PollPolicy, SleepsOnceInAWhile) {
  Conversation talk;
  talk.run(3000, 10'000, 70'000);
  talk.run(1000, 10'000, 70'000);
  EXPECT_LT(talk.polls, 1000U);
}

}  // namespace
}  // namespace replicator::test
