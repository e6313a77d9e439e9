// Epochs of mirrored writes when the peer is a kernel that decided against one of them: it never
// acknowledges that epoch.
#include "engine/flow/transfer_log.hpp"

#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class TransferLogTest : public EngineTest {
 protected:
  MirroredWrite& sent(std::uint64_t block) {
    WriteTerms terms;
    terms.write_ack = true;
    return log_.add(volume(pair_.n1), ByteRange(ByteOffset(block * 4096), ByteCount(4096)),
                    ActivityHold(), terms);
  }
  void answer(const MirroredWrite& write, PeerAnswer answer) {
    ASSERT_NE(log_.answer(write.block_id, volume(pair_.n1), write.range, answer), nullptr);
  }

  TransferLog log_{16};
};

TEST_F(TransferLogTest, a_later_barrier_ack_covers_an_epoch_with_a_conflict) {
  MirroredWrite& loser = sent(0);
  MirroredWrite& other = sent(1);
  const std::uint32_t first = log_.close_epoch();
  MirroredWrite& later = sent(2);
  const std::uint32_t second = log_.close_epoch();
  answer(loser, PeerAnswer::superseded);
  answer(other, PeerAnswer::written);
  answer(later, PeerAnswer::written);
  EXPECT_FALSE(log_.barrier_ack(second, 2));
  EXPECT_FALSE(log_.stable(1));
  EXPECT_TRUE(log_.barrier_ack(second, 1));
  EXPECT_TRUE(log_.stable(2));
  EXPECT_TRUE(other.epoch_stable);
  EXPECT_TRUE(log_.quiet());
  EXPECT_FALSE(log_.barrier_ack(first, 1));
}

TEST_F(TransferLogTest, no_other_epoch_may_be_left_out) {
  MirroredWrite& one = sent(0);
  log_.close_epoch();
  MirroredWrite& two = sent(1);
  const std::uint32_t second = log_.close_epoch();
  answer(one, PeerAnswer::written);
  answer(two, PeerAnswer::written);
  EXPECT_FALSE(log_.barrier_ack(second, 1));
}

TEST_F(TransferLogTest, nor_one_whose_writes_are_not_all_answered) {
  MirroredWrite& loser = sent(0);
  MirroredWrite& pending = sent(1);
  log_.close_epoch();
  MirroredWrite& later = sent(2);
  const std::uint32_t second = log_.close_epoch();
  answer(loser, PeerAnswer::retry);
  answer(later, PeerAnswer::written);
  EXPECT_EQ(log_.unacknowledgeable(), 0U);
  EXPECT_FALSE(log_.barrier_ack(second, 1));
  answer(pending, PeerAnswer::written);
  EXPECT_TRUE(log_.barrier_ack(second, 1));
}

TEST_F(TransferLogTest, what_the_peer_answers_behind_the_barrier_proves_the_epoch) {
  MirroredWrite& loser = sent(0);
  MirroredWrite& other = sent(1);
  answer(loser, PeerAnswer::superseded);  // before the barrier
  const std::uint32_t epoch = log_.close_epoch();
  EXPECT_EQ(log_.unacknowledgeable(), 0U);
  answer(other, PeerAnswer::written);
  ASSERT_EQ(log_.unacknowledgeable(), epoch);
  EXPECT_EQ(log_.one_of(epoch), &other);
  log_.prove(epoch);
  EXPECT_TRUE(log_.stable(1));
  EXPECT_EQ(log_.unacknowledgeable(), 0U);
  EXPECT_TRUE(log_.barrier_ack(epoch, 1));  // after all
}

TEST_F(TransferLogTest, an_epoch_without_a_conflict_is_the_peers_to_acknowledge) {
  MirroredWrite& one = sent(0);
  log_.close_epoch();
  answer(one, PeerAnswer::written);
  EXPECT_EQ(log_.unacknowledgeable(), 0U);
}

}  // namespace
}  // namespace replicator
