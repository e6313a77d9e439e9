#include "io/send_within.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "io/sync.hpp"
#include "tests/sim/two_nodes.hpp"
#include "tests/support/pipe_stream.hpp"

namespace replicator::io {
namespace {

// A pair that takes 1000 bytes at a time, whatever patience it is given.
class SendWithin : public testing::Test {
 protected:
  SendWithin() : pair_(11) {
    auto [near, far] = test::PipeStream::make({.piece = 1000, .seed = {}, .capacity = 1000});
    near_ = std::move(near);
    far_ = std::move(far);
  }
  ~SendWithin() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }

  // Takes `bytes` now and then, until the other end is gone.
  Task<void> take(std::size_t bytes, Duration pause) {
    std::vector<std::byte> room(bytes);
    const Bytes into(room);
    for (;;) {
      Op op;
      far_->receive(op, into, Duration::forever());
      const std::int32_t got = co_await op;
      if (got <= 0) co_return;
      Op sleep;
      pair_.n1.io().clock.sleep(sleep, pause);
      co_await sleep;
    }
  }
  Task<std::int32_t> send() {
    const std::vector<std::byte> text(10000);
    const IoSlice slice{text.data(), text.size()};
    const std::span<const IoSlice> slices(&slice, 1);
    Clock& clock = pair_.n1.io().clock;
    Stream& stream = *near_;
    co_return co_await send_within(clock, stream, slices, Duration::seconds(5));
  }
  Task<std::int32_t> send_to(std::size_t bytes, Duration pause) {
    taking_.start(take(bytes, pause));
    co_return co_await send();
  }

  sim::TwoNodes pair_;
  std::unique_ptr<test::PipeStream> near_;
  std::unique_ptr<test::PipeStream> far_;
  Gate taking_;
};

TEST_F(SendWithin, WhatIsTakenInTimeArrives) {
  EXPECT_EQ(pair_.run(send_to(1000, Duration::milliseconds(100))), 10000);
  EXPECT_TRUE(far_->alive());
}

TEST_F(SendWithin, ALittleNowAndThenDoesNotBuyMoreTime) {
  const Instant before = pair_.world.now();
  EXPECT_EQ(pair_.run(send_to(10, Duration::seconds(1))), -ETIMEDOUT);
  EXPECT_LE(pair_.world.now() - before, Duration::seconds(6));
  EXPECT_FALSE(far_->alive());
}

}  // namespace
}  // namespace replicator::io
