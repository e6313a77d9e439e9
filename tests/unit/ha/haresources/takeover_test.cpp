// Two nodes with a haresources file: who has which groups, and never both at once.
#include "ha/haresources/takeover.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "base/prng.hpp"

namespace ha::haresources {
namespace {

using membership::Message;

// One node: its state machine, and what its scripts have really started.
struct Side {
  explicit Side(const std::string& own_name, bool auto_failback) : name(own_name) {
    TakeoverConfig config;
    config.own_name = own_name;
    config.auto_failback = auto_failback;
    machine = std::make_unique<Takeover>(config);
  }
  std::string name;
  std::unique_ptr<Takeover> machine;
  bool on = true;
  bool broken = false;  // nothing starts here
  Holding active = Holding::none;
  std::deque<Work> works;
  std::string log;
  bool gone = false;
  bool reboot = false;
};

class Pair {
 public:
  explicit Pair(bool auto_failback) : auto_failback_(auto_failback) {
    for (const char* name : {"node1", "node2"})
      sides_.push_back(std::make_unique<Side>(name, auto_failback));
  }
  Side& operator[](std::size_t index) { return *sides_[index]; }

  void boot(std::size_t index, bool alone) {
    sides_[index] = std::make_unique<Side>(index == 0 ? "node1" : "node2", auto_failback_);
    sides_[index]->machine->communication_up(alone, now);
    settle();
  }
  void power_cut(std::size_t index) {
    sides_[index]->on = false;
    sides_[index]->active = Holding::none;
    sides_[index]->works.clear();
    messages_.clear();
  }
  void death_noticed(std::size_t by) {
    sides_[by]->machine->node_died(sides_[1 - by]->name, now);
    settle();
  }
  // Everything that is under way, then some time, and what that brings.
  void settle() {
    while (step(0)) {
    }
  }
  void pass(Duration duration) {
    const Instant end = now + duration;
    const Duration step_time = std::max(Duration::milliseconds(100), duration / 100);
    while (now < end) {
      now = now + step_time;
      for (const auto& side : sides_) {
        if (side->on && now >= side->machine->next_tick()) side->machine->tick(now);
      }
      settle();
    }
  }
  // One message or one work, drawn by `choice`.
  bool step(std::uint64_t choice) {
    collect();
    std::vector<int> possible;
    if (!messages_.empty()) possible.push_back(0);
    for (int i = 0; i < 2; ++i) {
      if (!sides_[static_cast<std::size_t>(i)]->works.empty()) possible.push_back(1 + i);
    }
    if (possible.empty()) return false;
    const int what = possible[choice % possible.size()];
    if (what == 0) deliver();
    else finish_work(static_cast<std::size_t>(what - 1));
    collect();
    check();
    return true;
  }

  Instant now = Instant() + Duration::seconds(1);
  bool partitioned = false;

 private:
  void collect() {
    for (std::size_t i = 0; i < 2; ++i) {
      Side& side = *sides_[i];
      Orders orders = side.machine->take_orders();
      if (!side.on) continue;
      for (const membership::LogLine& line : orders.log)
        side.log += line.text + "\n";
      for (Message& message : orders.messages) {
        message.set("src", side.name);
        if (!partitioned) messages_.emplace_back(1 - i, std::move(message));
      }
      for (Work& work : orders.works)
        side.works.push_back(std::move(work));
      side.gone |= orders.gone;
      side.reboot |= orders.reboot;
      if (orders.new_start) side.machine->communication_up(false, now);
      if (orders.gone) messages_.emplace_back(1 - i, goodbye(side));
    }
  }
  static Message goodbye(const Side& side) {
    Message message("shutdone");
    message.set("src", side.name);
    return message;
  }
  void deliver() {
    const auto [to, message] = std::move(messages_.front());
    messages_.pop_front();
    if (sides_[to]->on && !sides_[to]->gone) sides_[to]->machine->message(message, now);
  }
  void finish_work(std::size_t index) {
    Side& side = *sides_[index];
    const Work work = side.works.front();
    side.works.pop_front();
    const bool good = work.kind == WorkKind::release || !side.broken;
    if (work.kind == WorkKind::release) side.active = without(side.active, work.groups);
    else if (good) side.active = side.active | work.groups;
    side.machine->work_done(work, good, now);
  }
  // H1.
  void check() {
    if (partitioned || !sides_[0]->on || !sides_[1]->on) return;
    const Holding both = sides_[0]->active & mirrored(sides_[1]->active);
    for (const auto& side : sides_)
      ASSERT_EQ(side->log.find("both machines own"), std::string::npos) << side->log;
    ASSERT_EQ(both, Holding::none) << sides_[0]->log << "---\n" << sides_[1]->log;
  }

  bool auto_failback_;
  std::vector<std::unique_ptr<Side>> sides_;
  std::deque<std::pair<std::size_t, Message>> messages_;
};

void both_start(Pair& pair) {
  pair[0].machine->communication_up(false, pair.now);
  pair[1].machine->communication_up(false, pair.now);
  pair.settle();
  pair.pass(Duration::seconds(12));
}

TEST(Takeover, BothFreshEachTakesItsOwnAfterTenSeconds) {
  Pair pair(true);
  pair[0].machine->communication_up(false, pair.now);
  pair[1].machine->communication_up(false, pair.now);
  pair.settle();
  pair.pass(Duration::seconds(9));
  EXPECT_EQ(pair[0].active, Holding::none);
  EXPECT_EQ(pair[0].machine->resource_status(), "transition");
  pair.pass(Duration::seconds(2));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(pair[i].active, Holding::local);
    EXPECT_EQ(pair[i].machine->resource_status(), "local");
    EXPECT_NE(pair[i].log.find("Initial resource acquisition complete"), std::string::npos);
  }
}

TEST(Takeover, AloneTakesEverything) {
  Pair pair(true);
  pair.power_cut(1);
  pair.boot(0, true);
  EXPECT_EQ(pair[0].active, Holding::all);
  EXPECT_EQ(pair[0].machine->resource_status(), "all");
}

TEST(Takeover, DeathTakeoverAndFailback) {
  for (const bool auto_failback : {true, false}) {
    Pair pair(auto_failback);
    both_start(pair);
    pair.power_cut(0);
    pair.death_noticed(1);
    EXPECT_EQ(pair[1].active, Holding::all);
    EXPECT_NE(pair[1].log.find("Resources being acquired from node1."), std::string::npos);
    EXPECT_NE(pair[1].log.find("No STONITH device configured."), std::string::npos);
    pair.boot(0, false);
    pair.pass(Duration::seconds(15));
    EXPECT_EQ(pair[0].active, auto_failback ? Holding::local : Holding::none);
    EXPECT_EQ(pair[1].active, auto_failback ? Holding::local : Holding::all);
    EXPECT_EQ(pair[1].machine->resource_status(), auto_failback ? "local" : "all");
    EXPECT_EQ(pair[0].machine->resource_status(), auto_failback ? "local" : "none");
  }
}

TEST(Takeover, StandbyAndTakeoverByHand) {
  const struct {
    bool takeover;  // else standby, both on node1
    Holding groups;
    Holding node1, node2;
  } cases[] = {
      {false, Holding::all, Holding::none, Holding::all},
      {false, Holding::local, Holding::none, Holding::all},
      {false, Holding::foreign, Holding::local, Holding::local},
      {true, Holding::all, Holding::all, Holding::none},
      {true, Holding::foreign, Holding::all, Holding::none},
      {true, Holding::local, Holding::local, Holding::local},
  };
  for (const auto& one : cases) {
    Pair pair(false);
    both_start(pair);
    EXPECT_TRUE(one.takeover ? pair[0].machine->takeover(one.groups, pair.now)
                             : pair[0].machine->standby(one.groups, pair.now));
    pair.settle();
    EXPECT_EQ(pair[0].active, one.node1) << one.takeover << text(one.groups);
    EXPECT_EQ(pair[1].active, one.node2) << one.takeover << text(one.groups);
    EXPECT_TRUE(pair[0].machine->stable() && pair[1].machine->stable());
    // And back again.
    EXPECT_TRUE(pair[0].machine->takeover(Holding::local, pair.now) ||
                pair[0].active == Holding::all);
    pair.settle();
  }
}

TEST(Takeover, NoAnswerToAStandbyKeepsEverythingWhereItIs) {
  Pair pair(false);
  both_start(pair);
  pair.partitioned = true;
  EXPECT_TRUE(pair[0].machine->standby(Holding::all, pair.now));
  EXPECT_FALSE(pair[0].machine->standby(Holding::all, pair.now));
  pair.pass(Duration::seconds(11));
  EXPECT_EQ(pair[0].active, Holding::local);
  EXPECT_NE(pair[0].log.find("No reply to standby request."), std::string::npos);
  EXPECT_TRUE(pair[0].machine->stable());
}

TEST(Takeover, GracefulStopHandsOverAtOnce) {
  Pair pair(true);
  both_start(pair);
  pair[0].machine->shut_down(pair.now);
  pair.settle();
  EXPECT_TRUE(pair[0].gone);
  EXPECT_EQ(pair[0].active, Holding::none);
  EXPECT_EQ(pair[1].active, Holding::all);
}

TEST(Takeover, AFailedStopRebootsAndHandsNothingOver) {
  Pair pair(false);
  both_start(pair);
  Takeover& machine = *pair[0].machine;
  EXPECT_TRUE(machine.standby(Holding::all, pair.now));
  Message other("ask_resources");
  other.set("src", "node2").set("rsc_hold", "all").set("info", "other");
  machine.message(other, pair.now);
  Orders orders = machine.take_orders();
  ASSERT_EQ(orders.works.size(), 1U);
  machine.work_done(orders.works[0], false, pair.now);
  orders = machine.take_orders();
  EXPECT_TRUE(orders.reboot);
  for (const Message& message : orders.messages)
    EXPECT_NE(message.text("info"), "done");
}

TEST(Takeover, WhatDoesNotStartHereIsTriedThereOnceAndNotInACircle) {
  Pair pair(true);
  pair[0].broken = true;
  both_start(pair);
  EXPECT_EQ(pair[0].active, Holding::none);
  EXPECT_EQ(pair[1].active, Holding::local);
  pair.pass(Duration::seconds(31));
  EXPECT_EQ(pair[1].active, Holding::all);
  pair[1].log.clear();
  pair.pass(Duration::seconds(300));
  EXPECT_EQ(pair[1].active, Holding::all);
  EXPECT_EQ(pair[1].log, "");
}

TEST(Takeover, WithoutQuorumNothingIsHeld) {
  Pair pair(true);
  both_start(pair);
  pair[0].machine->set_quorum(false);
  pair.partitioned = true;
  pair.settle();
  EXPECT_EQ(pair[0].active, Holding::none);
  pair[0].machine->node_died("node2", pair.now);
  pair.settle();
  EXPECT_EQ(pair[0].active, Holding::none);
}

TEST(Takeover, AfterAPartitionBothStartAnew) {
  Pair pair(true);
  both_start(pair);
  pair.partitioned = true;
  pair.death_noticed(0);
  pair.death_noticed(1);
  EXPECT_EQ(pair[0].active, Holding::all);
  EXPECT_EQ(pair[1].active, Holding::all);
  for (std::size_t i = 0; i < 2; ++i)
    pair[i].machine->start_again("test");
  // The works of the release, then the partition is history.
  for (int i = 0; i < 4; ++i)
    pair.settle();
  EXPECT_EQ(pair[0].active, Holding::none);
  EXPECT_EQ(pair[1].active, Holding::none);
  pair.partitioned = false;
  for (std::size_t i = 0; i < 2; ++i)
    pair[i].machine->communication_up(false, pair.now);
  pair.settle();
  pair.pass(Duration::seconds(12));
  EXPECT_EQ(pair[0].active, Holding::local);
  EXPECT_EQ(pair[1].active, Holding::local);
}

// Asymmetric loss: node2 does not hear node1 and takes over; node1 hears that.
TEST(Takeover, WhoHearsThatBothOwnLetsGo) {
  Pair pair(true);
  both_start(pair);
  Message all("resource");
  all.set("src", "node2").set("rsc_hold", "all").set("rtype", "full").set("isstable", "1");
  pair.partitioned = true;
  pair[0].machine->message(all, pair.now);
  pair.settle();
  EXPECT_EQ(pair[0].active, Holding::none);
  EXPECT_NE(pair[0].log.find("both machines own our resources!"), std::string::npos);
  pair[0].machine->message(all, pair.now);
  pair.settle();
  EXPECT_EQ(pair[0].active, Holding::none);
  EXPECT_EQ(pair[0].machine->resource_status(), "none");
}

TEST(Takeover, WhatFailedGoesToTheOtherNodeOrIsStartedAgain) {
  Pair pair(true);
  both_start(pair);
  pair[0].machine->resource_failed(Holding::foreign, pair.now);
  pair.settle();
  EXPECT_EQ(pair[0].active, Holding::local);
  pair[0].machine->resource_failed(Holding::local, pair.now);
  pair.settle();
  EXPECT_EQ(pair[0].active, Holding::none);
  EXPECT_EQ(pair[1].active, Holding::all);
  pair.pass(Duration::seconds(100));
  EXPECT_EQ(pair[1].active, Holding::all);
  pair.power_cut(0);
  pair.death_noticed(1);
  pair[1].active = Holding::local;
  pair[1].machine->resource_failed(Holding::foreign, pair.now);
  pair.settle();
  EXPECT_EQ(pair[1].active, Holding::all);
}

TEST(Takeover, WhatWasMissedIsSaidAgain) {
  Pair pair(true);
  both_start(pair);
  pair.power_cut(0);
  pair.death_noticed(1);
  pair.partitioned = true;
  pair.boot(0, false);
  pair.partitioned = false;
  pair[1].machine->partner_restarted();
  pair.pass(Duration::seconds(20));
  EXPECT_EQ(pair[0].active, Holding::local);
  EXPECT_EQ(pair[1].active, Holding::local);
}

TEST(Takeover, HoldingsAreBits) {
  EXPECT_EQ(mirrored(Holding::local), Holding::foreign);
  EXPECT_EQ(mirrored(Holding::all), Holding::all);
  EXPECT_EQ(*parse_holding("all"), Holding::all);
  EXPECT_FALSE(parse_holding("everything"));
}

// Anything in any order: never both at once (checked at every step), and in the end each group is
// somewhere.
TEST(Takeover, AnyOrderOfEventsIsSafeAndEnds) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    replicator::Prng prng(seed);
    Pair pair(prng.chance(50));
    both_start(pair);
    for (int event = 0; event < 12; ++event) {
      const std::size_t side = prng.below(2);
      const std::size_t other = 1 - side;
      if (!pair[0].on || !pair[1].on) {
        const std::size_t off = pair[0].on ? 1 : 0;
        pair.death_noticed(1 - off);
        pair.boot(off, false);
      } else {
        const auto groups = static_cast<Holding>(1 + prng.below(3));
        switch (prng.below(5)) {
          case 0: pair[side].machine->standby(groups, pair.now); break;
          case 1: pair[side].machine->takeover(groups, pair.now); break;
          case 2: pair.power_cut(other); break;
          case 3: pair[side].broken = prng.chance(20); break;
          default: pair.pass(Duration::seconds(static_cast<std::int64_t>(prng.below(20)))); break;
        }
      }
      for (std::uint64_t i = prng.below(8); i > 0; --i)
        pair.step(prng.next());
      ASSERT_FALSE(HasFailure()) << seed;
    }
    for (std::size_t i = 0; i < 2; ++i) {
      pair[i].broken = false;
      if (pair[i].on) continue;
      pair.death_noticed(1 - i);
      pair.boot(i, false);
    }
    pair.settle();
    pair.pass(Duration::seconds(4000));
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_TRUE(pair[i].machine->stable()) << seed << "\n"
                                             << pair[0].log << "---\n"
                                             << pair[1].log;
    ASSERT_FALSE(HasFailure()) << seed;
  }
}

}  // namespace
}  // namespace ha::haresources
