// The waiting primitives: order of service, release on destruction, constant stack.
#include "io/sync.hpp"

#include <gtest/gtest.h>

#include <string>

#include "io/buffer_pool.hpp"

namespace replicator::io {
namespace {

Task<int> ready_value(int value) { co_return value; }

Task<long> sum_of_ready(int count) {
  long sum = 0;
  for (int i = 0; i < count; ++i) {
    const int value = co_await ready_value(1);
    sum += value;
  }
  co_return sum;
}

TEST(task, a_million_ready_awaits_use_constant_stack) {
  Task<long> task = sum_of_ready(1000000);
  task.start();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 1000000);
}

class SyncTest : public testing::Test {
 protected:
  RunQueue queue_;
  RunQueue::Scope scope_{queue_};
  std::string log_;
};

Task<void> take_turn(RangeLock& lock, std::uint64_t begin, std::uint64_t length, char name,
                     std::string& log, Event& go_on) {
  const ByteRange range{ByteOffset(begin), ByteCount(length)};
  RangeLock::Turn turn(lock, range);
  co_await turn;
  log += name;
  Event::Wait wait(go_on);
  co_await wait;
}

TEST_F(SyncTest, overlapping_ranges_take_turns_in_order_of_arrival) {
  RangeLock lock;
  Event a_done;
  Event b_done;
  Event c_done;
  Gate gate;
  gate.start(take_turn(lock, 0, 10, 'a', log_, a_done));
  gate.start(take_turn(lock, 5, 10, 'b', log_, b_done));
  gate.start(take_turn(lock, 20, 10, 'c', log_, c_done));
  queue_.run_all();
  EXPECT_EQ(log_, "ac");
  a_done.notify_all();
  queue_.run_all();
  EXPECT_EQ(log_, "acb");
  b_done.notify_all();
  c_done.notify_all();
  queue_.run_all();
  EXPECT_TRUE(gate.empty());
  EXPECT_TRUE(lock.empty());
}

TEST_F(SyncTest, a_destroyed_gate_gives_turns_back_and_forgets_waiters) {
  RangeLock lock;
  Event never;
  {
    Gate gate;
    gate.start(take_turn(lock, 0, 10, 'a', log_, never));
    gate.start(take_turn(lock, 0, 10, 'b', log_, never));
    queue_.run_all();
  }
  queue_.run_all();
  EXPECT_TRUE(lock.empty());
  EXPECT_EQ(log_, "a");
  EXPECT_FALSE(never.has_waiters());
}

Task<void> take_units(Semaphore& semaphore, std::uint64_t units, char name, std::string& log,
                      Event& go_on) {
  Semaphore::Take take(semaphore, units);
  co_await take;
  log += name;
  Event::Wait wait(go_on);
  co_await wait;
}

TEST_F(SyncTest, a_semaphore_serves_in_order_even_when_a_later_one_would_fit) {
  Semaphore semaphore(3);
  Event a_done;
  Event others_done;
  Gate gate;
  gate.start(take_units(semaphore, 2, 'a', log_, a_done));
  gate.start(take_units(semaphore, 3, 'b', log_, others_done));
  gate.start(take_units(semaphore, 1, 'c', log_, others_done));
  queue_.run_all();
  EXPECT_EQ(log_, "a");
  a_done.notify_all();
  queue_.run_all();
  EXPECT_EQ(log_, "ab");
  others_done.notify_all();
  queue_.run_all();
  EXPECT_EQ(log_, "abc");
  others_done.notify_all();
  queue_.run_all();
  EXPECT_EQ(semaphore.available(), 3U);
}

Task<void> take_buffer(BufferPool& pool, std::size_t size, std::string& log) {
  BufferPool::Buffer buffer = co_await pool.take(size);
  log += buffer.bytes().size() == size ? 'b' : '?';
}

TEST_F(SyncTest, an_empty_buffer_pool_makes_callers_wait_and_merges_what_comes_back) {
  BufferPool pool(1U << 20U);
  Gate gate;
  {
    std::vector<BufferPool::Buffer> all;
    for (int i = 0; i < 256; ++i)
      all.push_back(pool.try_take(4096));
    EXPECT_EQ(pool.free_bytes(), 0U);
    EXPECT_FALSE(static_cast<bool>(pool.try_take(1)));
    gate.start(take_buffer(pool, 1U << 20U, log_));
    queue_.run_all();
    EXPECT_EQ(log_, "");
  }
  queue_.run_all();
  EXPECT_EQ(log_, "b");
  EXPECT_EQ(pool.free_bytes(), 1U << 20U);
}

Task<void> hold_buffer(BufferPool& pool, std::size_t size, char name, std::string& log,
                       Event& go_on) {
  const BufferPool::Buffer buffer = co_await pool.take(size);
  log += name;
  Event::Wait wait(go_on);
  co_await wait;
}

TEST_F(SyncTest, small_buffers_do_not_overtake_a_large_one_that_waits) {
  BufferPool pool(1U << 20U);
  Event go_on;
  Gate gate;
  std::vector<BufferPool::Buffer> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(pool.try_take(256U << 10U));
  gate.start(hold_buffer(pool, 1U << 20U, 'L', log_, go_on));
  gate.start(hold_buffer(pool, 4096, 's', log_, go_on));
  all.pop_back();
  queue_.run_all();
  EXPECT_EQ(log_, "") << "the small one came later";
  EXPECT_FALSE(pool.try_take(4096)) << "somebody waits";
  all.clear();
  queue_.run_all();
  EXPECT_EQ(log_, "L");
  go_on.notify_all();
  queue_.run_all();
  EXPECT_EQ(log_, "Ls");
  go_on.notify_all();
  queue_.run_all();
  EXPECT_EQ(pool.free_bytes(), 1U << 20U);
}

TEST_F(SyncTest, one_that_waits_for_a_buffer_and_goes_away_lets_the_next_one_in) {
  BufferPool pool(1U << 20U);
  Event go_on;
  const BufferPool::Buffer half = pool.try_take(512U << 10U);
  Gate small;
  {
    Gate large;
    large.start(hold_buffer(pool, 1U << 20U, 'L', log_, go_on));
    small.start(hold_buffer(pool, 4096, 's', log_, go_on));
    queue_.run_all();
    EXPECT_EQ(log_, "");
  }
  queue_.run_all();
  EXPECT_EQ(log_, "s");
}

TEST_F(SyncTest, a_buffer_given_to_one_that_goes_away_before_it_runs_comes_back) {
  BufferPool pool(1U << 20U);
  Event go_on;
  {
    Gate gate;
    BufferPool::Buffer all = pool.try_take(1U << 20U);
    gate.start(hold_buffer(pool, 4096, 's', log_, go_on));
    all.reset();
    EXPECT_LT(pool.free_bytes(), 1U << 20U);
  }
  queue_.run_all();
  EXPECT_EQ(log_, "");
  EXPECT_EQ(pool.free_bytes(), 1U << 20U);
}

TEST_F(SyncTest, who_shares_a_pool_has_memory_of_its_own_when_that_is_empty) {
  BufferPool shared(1U << 20U);
  BufferPool mine(shared, 1U << 20U);
  BufferPool yours(shared, 1U << 20U);
  EXPECT_TRUE(mine.arena().empty()) << "nothing yet";
  std::vector<BufferPool::Buffer> taken;
  for (int i = 0; i < 8; ++i)
    taken.push_back(mine.try_take(256U << 10U));
  EXPECT_TRUE(taken.back());
  EXPECT_FALSE(mine.try_take(4096));
  EXPECT_EQ(shared.free_bytes(), 0U);
  EXPECT_EQ(mine.free_bytes(), 0U);
  EXPECT_TRUE(yours.try_take(1U << 20U)) << "one of the two stands still, the other does not";

  // Room anywhere serves who waits.
  Event go_on;
  Gate gate;
  gate.start(hold_buffer(mine, 256U << 10U, 'a', log_, go_on));
  gate.start(hold_buffer(mine, 256U << 10U, 'b', log_, go_on));
  queue_.run_all();
  EXPECT_EQ(log_, "");
  taken.erase(taken.begin());  // of the shared one
  queue_.run_all();
  EXPECT_EQ(log_, "a");
  taken.pop_back();  // of its own
  queue_.run_all();
  EXPECT_EQ(log_, "ab");
  go_on.notify_all();
  queue_.run_all();
  taken.clear();
  EXPECT_EQ(shared.free_bytes(), 1U << 20U);
  EXPECT_EQ(mine.free_bytes(), 1U << 20U);
}

}  // namespace
}  // namespace replicator::io
