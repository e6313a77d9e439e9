// Which of two concurrent writes wins, and sequence numbers that wrap.
#include "engine/decide/write_conflict.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

ByteRange range(std::uint64_t begin, std::uint64_t length) {
  return ByteRange(ByteOffset(begin), ByteCount(length));
}

TEST(write_conflict, what_is_overwritten_whole_is_superseded) {
  EXPECT_EQ(judge_conflict(range(0, 4096), range(0, 4096), 101), ConflictVerdict::superseded);
  EXPECT_EQ(judge_conflict(range(0, 8192), range(4096, 4096), 101), ConflictVerdict::superseded);
}

TEST(write_conflict, what_reaches_beyond_is_to_be_sent_again) {
  EXPECT_EQ(judge_conflict(range(4096, 4096), range(0, 8192), 101), ConflictVerdict::retry);
  EXPECT_EQ(judge_conflict(range(0, 4096), range(2048, 4096), 101), ConflictVerdict::retry);
  EXPECT_EQ(judge_conflict(range(4096, 4096), range(2048, 4096), 100), ConflictVerdict::retry);
}

TEST(write_conflict, older_peers_are_never_asked_for_a_retry) {
  EXPECT_EQ(judge_conflict(range(0, 4096), range(2048, 4096), 99), ConflictVerdict::superseded);
}

TEST(write_conflict, sequence_numbers_wrap) {
  EXPECT_TRUE(sequence_reached(5, 5));
  EXPECT_TRUE(sequence_reached(4, 5));
  EXPECT_FALSE(sequence_reached(6, 5));
  EXPECT_TRUE(sequence_reached(0xffffffffU, 2));
  EXPECT_FALSE(sequence_reached(2, 0xffffffffU));
}

}  // namespace
}  // namespace replicator
