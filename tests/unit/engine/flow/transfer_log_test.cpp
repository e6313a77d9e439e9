// Epochs of mirrored writes: when the peer is a kernel that decided against one of them, it never
// acknowledges that epoch; and their numbers begin again within days.
#include "engine/flow/transfer_log.hpp"

#include <optional>

#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class TransferLogTest : public EngineTest {
 protected:
  MirroredWrite& sent(std::uint64_t block) {
    WriteTerms terms;
    terms.write_ack = true;
    return log().add(volume(pair_.n1), ByteRange(ByteOffset(block * 4096), ByteCount(4096)),
                     ActivityHold(), terms);
  }
  void answer(const MirroredWrite& write, PeerAnswer answer) {
    ASSERT_NE(log().answer(write.block_id, volume(pair_.n1), write.range, answer), nullptr);
  }

  static constexpr std::uint32_t last_number = 0xffffffff;
  void begin_at_the_last_number() { log_.emplace(16U, std::uint64_t{last_number}); }
  TransferLog& log() { return *log_; }

 private:
  std::optional<TransferLog> log_{std::in_place, 16U};
};

TEST_F(TransferLogTest, a_later_barrier_ack_covers_an_epoch_with_a_conflict) {
  MirroredWrite& loser = sent(0);
  MirroredWrite& other = sent(1);
  const std::uint32_t first = log().close_epoch();
  MirroredWrite& later = sent(2);
  const std::uint32_t second = log().close_epoch();
  answer(loser, PeerAnswer::superseded);
  answer(other, PeerAnswer::written);
  answer(later, PeerAnswer::written);
  EXPECT_FALSE(log().barrier_ack(second, 2));
  EXPECT_FALSE(log().stable(1));
  EXPECT_TRUE(log().barrier_ack(second, 1));
  EXPECT_TRUE(log().stable(2));
  EXPECT_TRUE(other.epoch_stable);
  EXPECT_TRUE(log().quiet());
  EXPECT_FALSE(log().barrier_ack(first, 1));
}

TEST_F(TransferLogTest, no_other_epoch_may_be_left_out) {
  MirroredWrite& one = sent(0);
  log().close_epoch();
  MirroredWrite& two = sent(1);
  const std::uint32_t second = log().close_epoch();
  answer(one, PeerAnswer::written);
  answer(two, PeerAnswer::written);
  EXPECT_FALSE(log().barrier_ack(second, 1));
}

TEST_F(TransferLogTest, nor_one_whose_writes_are_not_all_answered) {
  MirroredWrite& loser = sent(0);
  MirroredWrite& pending = sent(1);
  log().close_epoch();
  MirroredWrite& later = sent(2);
  const std::uint32_t second = log().close_epoch();
  answer(loser, PeerAnswer::retry);
  answer(later, PeerAnswer::written);
  EXPECT_EQ(log().unacknowledgeable(), 0U);
  EXPECT_FALSE(log().barrier_ack(second, 1));
  answer(pending, PeerAnswer::written);
  EXPECT_TRUE(log().barrier_ack(second, 1));
}

TEST_F(TransferLogTest, what_the_peer_answers_behind_the_barrier_proves_the_epoch) {
  MirroredWrite& loser = sent(0);
  MirroredWrite& other = sent(1);
  answer(loser, PeerAnswer::superseded);  // before the barrier
  const std::uint32_t epoch = log().close_epoch();
  EXPECT_EQ(log().unacknowledgeable(), 0U);
  answer(other, PeerAnswer::written);
  ASSERT_EQ(log().unacknowledgeable(), epoch);
  EXPECT_EQ(log().one_of(epoch), &other);
  log().prove(epoch);
  EXPECT_TRUE(log().stable(1));
  EXPECT_EQ(log().unacknowledgeable(), 0U);
  EXPECT_TRUE(log().barrier_ack(epoch, 1));  // after all
}

TEST_F(TransferLogTest, an_epoch_without_a_conflict_is_the_peers_to_acknowledge) {
  MirroredWrite& one = sent(0);
  log().close_epoch();
  answer(one, PeerAnswer::written);
  EXPECT_EQ(log().unacknowledgeable(), 0U);
}

TEST_F(TransferLogTest, epochs_keep_their_order_when_their_numbers_begin_again) {
  begin_at_the_last_number();
  MirroredWrite& before = sent(0);
  EXPECT_EQ(log().close_epoch(), last_number);
  MirroredWrite& after = sent(1);
  EXPECT_EQ(log().close_epoch(), 0U);
  MirroredWrite& open = sent(2);
  for (const MirroredWrite* write : {&before, &after, &open})
    answer(*write, PeerAnswer::written_in_sync);
  EXPECT_FALSE(log().barrier_ack(0, 1));
  EXPECT_TRUE(log().barrier_ack(last_number, 1));
  EXPECT_TRUE(before.epoch_stable);
  EXPECT_FALSE(after.epoch_stable);
  EXPECT_TRUE(log().barrier_ack(0, 1));
  EXPECT_TRUE(after.epoch_stable);
  EXPECT_FALSE(open.epoch_stable);
}

TEST_F(TransferLogTest, a_late_acknowledgement_is_known_also_then) {
  begin_at_the_last_number();
  MirroredWrite& loser = sent(0);
  MirroredWrite& kept = sent(1);
  EXPECT_EQ(log().close_epoch(), last_number);
  answer(loser, PeerAnswer::superseded);
  answer(kept, PeerAnswer::written);
  log().prove(last_number);
  EXPECT_TRUE(kept.epoch_stable);
  MirroredWrite& next = sent(2);
  EXPECT_EQ(log().close_epoch(), 0U);
  answer(next, PeerAnswer::written);
  EXPECT_TRUE(log().barrier_ack(last_number, 1));
  EXPECT_FALSE(next.epoch_stable);
  EXPECT_TRUE(log().barrier_ack(0, 1));
  EXPECT_TRUE(next.epoch_stable);
}

}  // namespace
}  // namespace replicator
