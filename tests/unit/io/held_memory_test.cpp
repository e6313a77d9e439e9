// Memory that a disk which hangs may still use: it is not handed out again before, and what stands
// in for it meanwhile.
#include "io/held_memory.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "fuse/receive_buffers.hpp"
#include "io/buffer_pool.hpp"

namespace replicator::io {
namespace {

class HeldMemoryTest : public testing::Test {
 protected:
  RunQueue queue_;
  RunQueue::Scope scope_{queue_};
};

bool within(Bytes piece, Bytes arena) {
  return piece.data() >= arena.data() && piece.data() < arena.data() + arena.size();
}

TEST_F(HeldMemoryTest, overlap_is_what_counts) {
  std::vector<std::byte> memory(4096);
  const ConstBytes all(memory);
  const HeldMemory::Hold hold(all.subspan(1024, 512));
  EXPECT_TRUE(HeldMemory::holds(all));
  EXPECT_TRUE(HeldMemory::holds(all.subspan(1535, 1)));
  EXPECT_TRUE(HeldMemory::holds(all.subspan(0, 1025)));
  EXPECT_FALSE(HeldMemory::holds(all.subspan(0, 1024)));
  EXPECT_FALSE(HeldMemory::holds(all.subspan(1536)));
}

TEST_F(HeldMemoryTest, a_held_buffer_comes_back_to_its_pool_when_it_is_free) {
  BufferPool pool(1U << 20U, false);
  BufferPool::Buffer buffer = pool.try_take(4096);
  const Bytes bytes = buffer.bytes();
  std::optional<HeldMemory::Hold> hold(bytes.first(512));
  buffer.reset();
  EXPECT_EQ(pool.free_bytes(), (1U << 20U) - 4096);
  std::vector<BufferPool::Buffer> others;
  for (int i = 0; i < 255; ++i) {
    others.push_back(pool.try_take(4096));
    ASSERT_TRUE(others.back());
    EXPECT_TRUE(within(others.back().bytes(), pool.arena()));
    EXPECT_NE(others.back().bytes().data(), bytes.data());
  }
  hold.reset();
  EXPECT_EQ(pool.free_bytes(), 4096U);
  const BufferPool::Buffer again = pool.try_take(4096);
  EXPECT_EQ(again.bytes().data(), bytes.data());
  others.clear();
}

// One disk that hangs does not take the memory of all.
TEST_F(HeldMemoryTest, other_memory_stands_in_for_what_is_held) {
  BufferPool pool(1U << 20U, false);
  BufferPool::Buffer buffer = pool.try_take(1U << 20U);
  EXPECT_FALSE(pool.try_take(4096));
  std::optional<HeldMemory::Hold> hold(buffer.bytes());
  Task<BufferPool::Buffer> waiting = pool.take(4096);
  waiting.start();
  EXPECT_FALSE(waiting.done());
  buffer.reset();
  queue_.run_all();
  ASSERT_TRUE(waiting.done());
  BufferPool::Buffer stand_in = waiting.take();
  ASSERT_TRUE(stand_in);
  EXPECT_FALSE(within(stand_in.bytes(), pool.arena()));
  hold.reset();
  stand_in.reset();
  EXPECT_EQ(pool.free_bytes(), 1U << 20U);
  EXPECT_TRUE(within(pool.try_take(4096).bytes(), pool.arena()));
}

TEST_F(HeldMemoryTest, receive_buffers_do_not_run_out) {
  shim::ReceiveBuffers buffers(1, 4096, 128);
  shim::ReceiveBuffers::Buffer buffer = buffers.try_take();
  const Bytes payload = buffer.bytes().subspan(128);
  std::optional<HeldMemory::Hold> hold(payload.first(512));
  EXPECT_FALSE(buffers.try_take());
  buffer.reset();
  shim::ReceiveBuffers::Buffer other = buffers.try_take();
  ASSERT_TRUE(other);
  EXPECT_NE(other.bytes().data(), payload.data() - 128);
  EXPECT_FALSE(buffers.try_take());
  hold.reset();
  shim::ReceiveBuffers::Buffer again = buffers.try_take();
  ASSERT_TRUE(again);
  EXPECT_EQ(again.bytes().data(), payload.data() - 128);
}

TEST_F(HeldMemoryTest, receive_buffers_grow_while_some_stay_in_use) {
  shim::ReceiveBuffers buffers(2, 8192, 80);
  std::vector<shim::ReceiveBuffers::Buffer> taken;
  taken.push_back(buffers.try_take());
  taken.push_back(buffers.try_take());
  EXPECT_FALSE(buffers.try_take());
  buffers.grow(2, 5);
  buffers.grow(2, 5);
  EXPECT_EQ(buffers.count(), 5U);
  for (int i = 0; i < 3; ++i) {
    taken.push_back(buffers.try_take());
    ASSERT_TRUE(taken.back());
    fill_bytes(taken.back().bytes(), std::byte{1});
  }
  EXPECT_FALSE(buffers.try_take());
  while (taken.size() > 2)
    taken.erase(taken.begin());  // those of the arena first
  EXPECT_EQ(buffers.count(), 5U) << "two of them are in use";
  taken.erase(taken.begin());
  EXPECT_EQ(buffers.count(), 3U) << "the next request is received into the third";
  taken.clear();
  EXPECT_EQ(buffers.count(), 2U);
  taken.push_back(buffers.try_take());
  taken.push_back(buffers.try_take());
  EXPECT_TRUE(taken[0]);
  EXPECT_TRUE(taken[1]);
  EXPECT_FALSE(buffers.try_take());
}

}  // namespace
}  // namespace replicator::io
