// Messages in order whatever the packets do.
#include "ha/membership/sequence.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace ha::membership {
namespace {

using Verdict = Receiver::Verdict;
constexpr Duration delay = Duration::milliseconds(50);
Instant at(std::int64_t ms) { return Instant() + Duration::milliseconds(ms); }
Message numbered(std::uint64_t number) { return Message(std::to_string(number)); }

class Channel {
 public:
  Verdict accept(std::uint64_t number, std::int64_t ms = 0, std::uint64_t generation = 7) {
    const Verdict verdict = receiver.accept(generation, number, numbered(number), at(ms), delay);
    for (const Message& message : receiver.take_ready())
      got += std::string(message.type()) + " ";
    return verdict;
  }
  Receiver receiver;
  std::string got;
};

TEST(HeartbeatSequence, FirstHeardIsTheBeginning) {
  Channel channel;
  EXPECT_EQ(channel.accept(41), Verdict::fresh);
  EXPECT_EQ(channel.accept(42), Verdict::fresh);
  EXPECT_EQ(channel.accept(40), Verdict::duplicate);
  EXPECT_EQ(channel.got, "41 42 ");
}

TEST(HeartbeatSequence, AGapIsWaitedForAskedForAndFilled) {
  Channel channel;
  channel.accept(1);
  EXPECT_EQ(channel.accept(4, 100), Verdict::fresh);
  EXPECT_EQ(channel.accept(4, 100), Verdict::duplicate);
  EXPECT_EQ(channel.got, "1 ");
  EXPECT_EQ(channel.receiver.deadline(), at(150));
  EXPECT_FALSE(channel.receiver.due_request(at(149)));
  EXPECT_EQ(channel.receiver.due_request(at(150)), (Receiver::Range{2, 3}));
  EXPECT_FALSE(channel.receiver.due_request(at(399)));
  EXPECT_EQ(channel.receiver.due_request(at(400)), (Receiver::Range{2, 3}));
  channel.accept(3, 410);
  EXPECT_EQ(channel.receiver.gap(), (Receiver::Range{2, 2}));
  channel.accept(2, 420);
  EXPECT_EQ(channel.got, "1 2 3 4 ");
  EXPECT_EQ(channel.receiver.deadline(), Instant::never());
  EXPECT_EQ(channel.receiver.complete_up_to(), 4U);
}

TEST(HeartbeatSequence, WhatCannotBeHadIsGivenUpAndSaidSo) {
  Channel channel;
  channel.accept(1);
  channel.accept(4, 0);
  EXPECT_EQ(channel.receiver.give_up(2, at(10)), (Receiver::Range{2, 2}));
  EXPECT_FALSE(channel.receiver.give_up_late(at(9000)));
  EXPECT_EQ(channel.receiver.give_up_late(at(20000)), (Receiver::Range{3, 3}));
  EXPECT_FALSE(channel.receiver.give_up_late(at(99000)));
  channel.accept(5, 99000);
  EXPECT_EQ(channel.got, "1 4 5 ");
}

TEST(HeartbeatSequence, WhoWasGoneBeginsAnywhere) {
  Channel channel;
  channel.accept(1);
  channel.accept(3);
  channel.receiver.forget_missing();
  EXPECT_FALSE(channel.receiver.missing());
  EXPECT_EQ(channel.accept(1), Verdict::duplicate);
  EXPECT_EQ(channel.accept(20), Verdict::fresh);
  EXPECT_EQ(channel.accept(22), Verdict::fresh);
  EXPECT_EQ(channel.accept(21), Verdict::fresh);
  EXPECT_EQ(channel.got, "1 20 21 22 ");
}

TEST(HeartbeatSequence, GenerationsOnlyRise) {
  Channel channel;
  channel.accept(10, 0, 7);
  EXPECT_EQ(channel.accept(11, 0, 6), Verdict::old_generation);
  EXPECT_EQ(channel.accept(1, 0, 8), Verdict::restarted);
  EXPECT_EQ(channel.accept(11, 0, 7), Verdict::old_generation);
  EXPECT_EQ(channel.accept(2, 0, 8), Verdict::fresh);
  EXPECT_EQ(channel.got, "10 1 2 ");
}

TEST(HeartbeatSequence, MemoryIsBounded) {
  Channel channel;
  channel.accept(1);
  for (std::uint64_t number = 3; number < 5000; ++number)
    channel.accept(number);
  EXPECT_FALSE(channel.got.empty());
  EXPECT_EQ(channel.accept(UINT64_MAX - 1), Verdict::fresh);
  SendHistory history;
  for (std::uint64_t number = 1; number <= 2000; ++number)
    history.add(number, numbered(number));
  EXPECT_EQ(history.find(2000 - history_size), nullptr);
  ASSERT_NE(history.find(2001 - history_size), nullptr);
  EXPECT_EQ(history.find(1700)->type(), "1700");
  EXPECT_EQ(history.find(2001), nullptr);
}

// Lost, repeated and swapped at random, asked for until everything is there.
TEST(HeartbeatSequence, AnyMishapEndsInOrder) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    replicator::Prng prng(seed);
    Channel channel;
    channel.accept(1);
    std::string expected = "1 ";
    std::vector<std::uint64_t> flying;
    std::int64_t now = 0;
    for (std::uint64_t number = 2; number <= 60; ++number) {
      expected += std::to_string(number) + " ";
      if (!prng.chance(30)) flying.push_back(number);
      if (prng.chance(20)) flying.push_back(number);
    }
    flying.push_back(60);
    while (!flying.empty()) {
      const std::size_t window = std::min<std::size_t>(flying.size(), 6);
      const auto taken = flying.begin() + static_cast<std::ptrdiff_t>(prng.below(window));
      const std::uint64_t number = *taken;
      flying.erase(taken);
      channel.accept(number, ++now);
      now += 60;
      if (const auto range = channel.receiver.due_request(at(now))) {
        for (std::uint64_t again = range->first; again <= range->last; ++again) {
          if (!prng.chance(30)) flying.push_back(again);
        }
        if (flying.empty()) flying.push_back(60);
      }
    }
    while (channel.receiver.missing())
      channel.accept(channel.receiver.gap().first, ++now);
    EXPECT_EQ(channel.got, expected) << seed;
  }
}

}  // namespace
}  // namespace ha::membership
