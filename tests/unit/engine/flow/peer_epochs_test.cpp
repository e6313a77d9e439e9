// The receiver's count of the peer's writes, epoch by epoch (E5).
#include "engine/flow/peer_epochs.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

TEST(PeerEpochs, CountAlsoWhatWasRefused) {
  PeerEpochs epochs;
  EXPECT_TRUE(epochs.open_is_empty());
  EXPECT_FALSE(epochs.any_unacknowledged());
  epochs.refused();
  PeerEpochs::Epoch& epoch = epochs.begin();
  EXPECT_EQ(epochs.active(), 1U);
  EXPECT_TRUE(epochs.any_unacknowledged());
  epochs.close(7);
  EXPECT_TRUE(epochs.open_is_empty());
  EXPECT_EQ(epochs.complete(), nullptr);
  epochs.ended(epoch);
  ASSERT_EQ(epochs.complete(), &epoch);
  EXPECT_EQ(epoch.size, 2U);
  EXPECT_EQ(epoch.number, 7U);
  epochs.drop_front();
  EXPECT_FALSE(epochs.any_unacknowledged());
}

TEST(PeerEpochs, AreCompleteInOrder) {
  PeerEpochs epochs;
  PeerEpochs::Epoch& first = epochs.begin();
  epochs.close(1);
  PeerEpochs::Epoch& second = epochs.begin();
  epochs.close(2);
  PeerEpochs::Epoch& open = epochs.begin();
  EXPECT_EQ(epochs.closed(), 2U);
  epochs.ended(second);
  EXPECT_EQ(epochs.complete(), nullptr);
  epochs.ended(first);
  ASSERT_EQ(epochs.complete(), &first);
  epochs.drop_front();
  ASSERT_EQ(epochs.complete(), &second);
  epochs.drop_front();
  EXPECT_EQ(epochs.complete(), nullptr);
  epochs.ended(open);
  EXPECT_EQ(epochs.complete(), nullptr);  // not closed yet
  EXPECT_EQ(epochs.active(), 0U);
  epochs.reset();
  EXPECT_TRUE(epochs.open_is_empty());
}

// A kernel counts its write in the epoch until it knows of the decision.
TEST(PeerEpochs, WaitForTheWriterOfOneThatLost) {
  PeerEpochs epochs;
  PeerEpochs::Epoch& epoch = epochs.begin();
  epochs.begin();
  PeerEpochs::withdraw(epoch);
  epochs.ended(epoch);
  epochs.ended(epoch);
  epochs.close(7);
  EXPECT_EQ(epochs.active(), 0U);
  EXPECT_EQ(epochs.complete(), nullptr);
  PeerEpochs::decided(epoch);
  ASSERT_EQ(epochs.complete(), &epoch);
  EXPECT_EQ(epoch.size, 1U);
}

}  // namespace
}  // namespace replicator
