#include "metadata/activity_log.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/prng.hpp"

namespace replicator {
namespace {

bool plan(ActivityLog& log, std::uint32_t extent) {
  bool settled = false;
  log.plan(extent, settled);
  return settled;
}

TEST(activity_log, an_extent_is_hot_only_after_commit) {
  ActivityLog log(67);
  EXPECT_FALSE(log.try_hold(5, 5));
  EXPECT_TRUE(plan(log, 5));
  EXPECT_FALSE(log.hot(5));
  EXPECT_FALSE(log.try_hold(5, 5));
  log.commit();
  EXPECT_TRUE(log.try_hold(5, 5));
  EXPECT_EQ(log.held(), 1U);
  log.release(5, 5);
  EXPECT_EQ(log.held(), 0U);
}

TEST(activity_log, slots_are_handed_out_downwards) {
  ActivityLog log(1237);
  plan(log, 7);
  plan(log, 9);
  const AlTransaction t = log.transaction();
  EXPECT_EQ(t.number, 0U);
  EXPECT_EQ(t.context_size, 1237U);
  EXPECT_EQ(t.context_start_slot, 0U);
  EXPECT_EQ(t.updates, (std::vector<AlUpdate>{{1236, 7}, {1235, 9}}));
  EXPECT_EQ(t.context, std::vector<std::uint32_t>(919, al_extent_free));
}

TEST(activity_log, the_context_is_the_state_before_the_updates_and_goes_round) {
  ActivityLog log(1237);
  plan(log, 0);
  log.commit();
  plan(log, 1);
  const AlTransaction t = log.transaction();
  EXPECT_EQ(t.number, 1U);
  EXPECT_EQ(t.context_start_slot, 919U);
  ASSERT_EQ(t.context.size(), 318U);
  EXPECT_EQ(t.context[317], 0U);              // slot 1236, from the first transaction
  EXPECT_EQ(t.context[316], al_extent_free);  // slot 1235, about to be updated
  log.commit();
  plan(log, 2);
  EXPECT_EQ(log.transaction().context_start_slot, 0U);
}

TEST(activity_log, the_least_recently_used_extent_without_holds_is_evicted) {
  ActivityLog log(3);
  for (std::uint32_t extent = 1; extent <= 3; ++extent)
    plan(log, extent);
  log.commit();
  ASSERT_TRUE(log.try_hold(1, 1));
  ASSERT_TRUE(log.try_hold(2, 2));
  log.release(2, 2);
  EXPECT_TRUE(plan(log, 10));
  EXPECT_EQ(log.evicted(), std::vector<std::uint32_t>{3});
  EXPECT_TRUE(plan(log, 11));
  EXPECT_EQ(log.evicted(), (std::vector<std::uint32_t>{3, 2}));
  EXPECT_FALSE(plan(log, 12));  // 1 is held, the rest is planned
  log.commit();
  EXPECT_TRUE(log.hot(1));
  EXPECT_FALSE(log.hot(2));
  EXPECT_FALSE(log.hot(3));
}

TEST(activity_log, after_an_abandoned_transaction_neither_old_nor_new_is_hot) {
  ActivityLog log(2);
  plan(log, 1);
  plan(log, 2);
  log.commit();
  plan(log, 3);
  const std::uint32_t number = log.transaction().number;
  log.abandon();
  EXPECT_FALSE(log.hot(1));
  EXPECT_TRUE(log.hot(2));
  EXPECT_FALSE(log.hot(3));
  EXPECT_EQ(log.planned(), 0U);
  plan(log, 4);
  EXPECT_NE(log.transaction().number, number);
}

TEST(activity_log, a_request_gets_all_its_extents_or_none) {
  ActivityLog log(10);
  plan(log, 4);
  plan(log, 6);
  log.commit();
  EXPECT_FALSE(log.try_hold(4, 6));
  EXPECT_EQ(log.held(), 0U);
  plan(log, 5);
  log.commit();
  EXPECT_TRUE(log.try_hold(4, 6));
  EXPECT_EQ(log.held(), 3U);
}

// It would wait for good: nobody holds what is in its way.
TEST(activity_log, a_request_does_not_evict_its_own_extents) {
  ActivityLog log(7);
  for (std::uint32_t extent = 0; extent < 7; ++extent)
    plan(log, extent);
  log.commit();
  ASSERT_TRUE(log.hot(0));  // the oldest one
  EXPECT_TRUE(plan(log, 0));
  EXPECT_TRUE(plan(log, 7));
  EXPECT_EQ(log.evicted(), std::vector<std::uint32_t>{1});
  log.commit();
  EXPECT_TRUE(log.try_hold(0, 0));
  EXPECT_TRUE(log.try_hold(7, 7));
  EXPECT_EQ(log.held(), 2U);
}

TEST(activity_log, what_a_request_needs_is_kept_from_the_next_ones_until_the_transaction_ends) {
  ActivityLog log(7);
  for (std::uint32_t extent = 0; extent < 7; ++extent)
    plan(log, extent);
  log.commit();
  plan(log, 0);
  for (std::uint32_t extent = 10; extent < 16; ++extent)
    EXPECT_TRUE(plan(log, extent));
  EXPECT_FALSE(plan(log, 16));
  EXPECT_TRUE(log.hot(0));
  log.abandon();
  EXPECT_EQ(log.held(), 0U);
  plan(log, 0);
  log.keep_no_more();
  EXPECT_EQ(log.held(), 0U);
  for (std::uint32_t extent = 20; extent < 27; ++extent)
    EXPECT_TRUE(plan(log, extent));
}

TEST(activity_log, a_wanted_resync_extent_stops_new_holds) {
  ActivityLog log(10);
  plan(log, 3);
  plan(log, 4);
  log.commit();
  ASSERT_TRUE(log.try_hold(3, 3));
  log.want_resync(0);
  log.want_resync(0);
  EXPECT_FALSE(log.resync_free(0));
  EXPECT_TRUE(log.resync_free(1));
  EXPECT_TRUE(log.blocked_by_resync(3, 4));
  EXPECT_FALSE(log.blocked_by_resync(4, 7));
  EXPECT_FALSE(log.try_hold(3, 3));
  EXPECT_FALSE(log.try_hold(3, 4));
  EXPECT_TRUE(log.try_hold(4, 4));
  log.release(3, 3);
  EXPECT_TRUE(log.resync_free(0));
  log.unwant_resync(0);
  EXPECT_FALSE(log.try_hold(3, 3));
  log.unwant_resync(0);
  EXPECT_TRUE(log.try_hold(3, 3));
}

TEST(activity_log, at_most_64_changes_make_a_transaction) {
  ActivityLog log(1237);
  for (std::uint32_t extent = 0; extent < 64; ++extent)
    EXPECT_TRUE(plan(log, extent));
  EXPECT_FALSE(plan(log, 64));
  EXPECT_TRUE(plan(log, 63));  // planned already
  EXPECT_EQ(log.transaction().updates.size(), 64U);
}

// Whatever is written, in any ring: replay finds all that is hot after the last transaction, also
// when a newer one is torn.
TEST(activity_log, replay_finds_what_is_hot) {
  Prng random(5);
  for (const AlStripes stripes : {AlStripes{1, 8}, AlStripes{4, 16}}) {
    for (const std::uint32_t slots : {67U, 1237U, 6433U}) {
      ActivityLog log(slots);
      std::vector<std::byte> ring(stripes.blocks() * al_block_bytes);
      for (std::uint64_t i = 0; i < stripes.blocks(); ++i) {
        encode_al_initialized(Bytes(ring).subspan(i * al_block_bytes, al_block_bytes));
      }
      std::set<std::uint32_t> seen;
      for (int step = 0; step < 60; ++step) {
        for (std::uint64_t n = 1 + random.below(64); n > 0; --n) {
          const auto extent = static_cast<std::uint32_t>(random.below(20000));
          plan(log, extent);
          seen.insert(extent);
        }
        const AlTransaction t = log.transaction();
        const Bytes block =
            Bytes(ring).subspan(al_block_of(t.number, stripes) * al_block_bytes, al_block_bytes);
        std::vector<std::uint32_t> hot_before;
        for (const std::uint32_t extent : seen) {
          if (log.hot(extent)) hot_before.push_back(extent);
        }
        encode_al_transaction(t, block);
        const auto includes = [&ring, stripes](const std::vector<std::uint32_t>& hot) {
          const Result<std::vector<std::uint32_t>> replayed = replay_activity_log(ring, stripes);
          return replayed &&
                 std::includes(replayed->begin(), replayed->end(), hot.begin(), hot.end());
        };
        // Torn: what was hot before, apart from what this one evicted, is found all the same.
        block[2000] ^= std::byte{1};
        if (step > 0) {
          ASSERT_TRUE(includes(hot_before)) << step;
        }
        block[2000] ^= std::byte{1};
        log.commit();
        std::vector<std::uint32_t> hot;
        for (const std::uint32_t extent : seen) {
          if (log.hot(extent)) hot.push_back(extent);
        }
        ASSERT_TRUE(includes(hot)) << step;
      }
    }
  }
}

// A log with all slots in use, that goes on evicting: is each of its extents in the ring, always?
bool all_described(std::uint32_t slots, AlStripes stripes) {
  ActivityLog log(slots);
  std::vector<std::byte> ring(stripes.blocks() * al_block_bytes);
  for (std::uint64_t i = 0; i < stripes.blocks(); ++i)
    encode_al_initialized(Bytes(ring).subspan(i * al_block_bytes, al_block_bytes));
  const std::uint32_t steps = slots / al_updates_max + 200;
  for (std::uint32_t step = 0; step < steps; ++step) {
    for (std::uint32_t n = 0; n < al_updates_max; ++n)
      plan(log, step * al_updates_max + n);
    const AlTransaction t = log.transaction();
    encode_al_transaction(
        t, Bytes(ring).subspan(al_block_of(t.number, stripes) * al_block_bytes, al_block_bytes));
    log.commit();
  }
  const Result<std::vector<std::uint32_t>> replayed = replay_activity_log(ring, stripes);
  if (!replayed) return false;
  const std::set<std::uint32_t> found(replayed->begin(), replayed->end());
  for (std::uint32_t back = 1; back <= slots; ++back) {
    if (found.count(steps * al_updates_max - back) == 0) return false;
  }
  return true;
}

// E2: the number of slots follows from the size of the ring, whatever al-extents says.
TEST(activity_log, a_ring_has_room_for_so_many_slots) {
  EXPECT_EQ(al_slots_of(AlStripes{1, 8}), 6433U);
  EXPECT_EQ(al_slots_of(AlStripes{4, 16}), 57897U);
  EXPECT_EQ(al_slots_of(AlStripes{1, 80}), al_slots_max);
  EXPECT_TRUE(all_described(6433, AlStripes{1, 8}));
  EXPECT_FALSE(all_described(20000, AlStripes{1, 8}));
  EXPECT_TRUE(all_described(57897, AlStripes{4, 16}));
}

// Holds, evictions and the index against a simple model.
TEST(activity_log, keeps_its_books) {
  Prng random(3);
  ActivityLog log(67);
  std::map<std::uint32_t, unsigned> holds;
  for (int step = 0; step < 20000; ++step) {
    const auto extent = static_cast<std::uint32_t>(random.below(300));
    if (random.below(3) != 0) {
      if (!log.hot(extent)) {
        if (!plan(log, extent)) continue;
        for (const std::uint32_t evicted : log.evicted())
          ASSERT_FALSE(holds.contains(evicted));
        if (random.below(20) == 0) {
          log.abandon();
          ASSERT_FALSE(log.hot(extent));
          continue;
        }
        log.commit();
      }
      ASSERT_TRUE(log.try_hold(extent, extent));
      ++holds[extent];
    } else if (!holds.empty()) {
      const auto held = std::next(holds.begin(), static_cast<long>(random.below(holds.size())));
      log.release(held->first, held->first);
      if (--held->second == 0) holds.erase(held);
    }
    ASSERT_EQ(log.held(), holds.size());
    for (const auto& [held, count] : holds)
      ASSERT_TRUE(log.hot(held));
  }
}

TEST(ActivityLog, TransactionsTakeNoMemory) {
  ActivityLog log(1237);
  const std::uint32_t* const context = log.transaction().context.data();
  const AlUpdate* const updates = log.transaction().updates.data();
  bool settled = false;
  for (std::uint32_t extent = 0; extent < 5000; ++extent) {
    if (log.plan(extent, settled) && log.planned() < al_updates_max) continue;
    const AlTransaction& transaction = log.transaction();
    ASSERT_EQ(transaction.updates.size(), al_updates_max);
    ASSERT_EQ(transaction.context.data(), context);
    ASSERT_EQ(transaction.updates.data(), updates);
    log.commit();
  }
}

}  // namespace
}  // namespace replicator
