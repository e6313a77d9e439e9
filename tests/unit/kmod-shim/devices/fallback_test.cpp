#include "devices/fallback.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "io/run_queue.hpp"

namespace replicator::shim {
namespace {

struct Calls {
  int attached = 0;
  int detached = 0;
  int abandoned = 0;
  int changed = 0;
  bool room = true;
  bool waits = false;
};

class FakeAttachment final : public Attachment {
 public:
  FakeAttachment(Calls& calls, std::uint64_t number) : calls_(calls), number_(number) {}
  Task<Result<std::uint64_t>> attach() override {
    ++calls_.attached;
    if (!calls_.room) co_return failure(Fault::no_space, "no room");
    co_return number_;
  }
  [[nodiscard]] bool waits_for_attach() const noexcept override { return calls_.waits; }
  Task<Status> detach_if_unused() override {
    ++calls_.detached;
    co_return Status();
  }
  Task<void> abandon() override {
    ++calls_.abandoned;
    co_return;
  }
  Task<Status> resize() override { co_return Status(); }
  Task<std::vector<DeviceUser>> users() override { co_return std::vector<DeviceUser>(); }
  void data_changed() noexcept override { ++calls_.changed; }

 private:
  Calls& calls_;
  std::uint64_t number_;
};

class Fallback : public ::testing::Test {
 protected:
  template <class T>
  T run(Task<T> task) {
    const io::RunQueue::Scope scope(queue_);
    task.start();
    queue_.run_all();
    return task.take();
  }
  io::RunQueue queue_;
  Calls first_;
  Calls second_;
  FallbackAttachment both_{std::make_unique<FakeAttachment>(first_, 1),
                           std::make_unique<FakeAttachment>(second_, 2)};
};

TEST_F(Fallback, TheSecondIsTakenOnlyWhileTheFirstHasNoRoom) {
  EXPECT_EQ(run(both_.attach()), 1U);
  EXPECT_EQ(second_.attached, 0);
  EXPECT_TRUE(run(both_.detach_if_unused()).ok());
  EXPECT_EQ(first_.detached, 1);

  first_.room = false;
  EXPECT_EQ(run(both_.attach()), 2U);
  EXPECT_TRUE(run(both_.detach_if_unused()).ok());
  EXPECT_EQ(first_.detached, 1);
  EXPECT_EQ(second_.detached, 1);

  first_.room = true;
  EXPECT_EQ(run(both_.attach()), 1U);
}

TEST_F(Fallback, WhatWaitsGoesOnWhicheverItIs) {
  EXPECT_FALSE(both_.waits_for_attach());
  second_.waits = true;
  EXPECT_TRUE(both_.waits_for_attach());
  EXPECT_EQ(run(both_.attach()), 2U);
  EXPECT_EQ(first_.attached, 0);
  second_.waits = false;
  EXPECT_EQ(run(both_.attach()), 1U);
}

TEST_F(Fallback, NeitherHasRoom) {
  first_.room = false;
  second_.room = false;
  EXPECT_EQ(run(both_.attach()).error().fault(), Fault::no_space);
}

// What a daemon before has left behind belongs to the first, whichever is attached.
TEST_F(Fallback, BothHearWhatIsNotAboutOneDevice) {
  first_.room = false;
  run(both_.attach()).value();
  both_.data_changed();
  run(both_.abandon());
  EXPECT_EQ(first_.changed, 1);
  EXPECT_EQ(second_.changed, 1);
  EXPECT_EQ(first_.abandoned, 1);
  EXPECT_EQ(second_.abandoned, 1);
}

}  // namespace
}  // namespace replicator::shim
