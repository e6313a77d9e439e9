// What the victim of a split brain had is kept before the resync overwrites it.
//   Kept: for each block whose content on the victim's disk is no longer what it was, the undo file
//   says so on media and holds the old content; each block that it says it holds is the old
//   content.
#include "engine/decide/undo_choice.hpp"
#include "tests/sim/undo_store.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

using sim::SimUndoStore;

class UndoTest : public EngineTest {
 protected:
  UndoTest() : store_(pair_.n2) { resource(pair_.n2).set_undo_store(&store_); }

  void write_blocks(sim::Node& node, std::uint64_t first, std::uint64_t count, std::uint8_t fill) {
    for (std::uint64_t block = first; block < first + count; ++block) {
      ASSERT_TRUE(write(node, block * 4096, 4096, fill).ok());
    }
  }
  // Both change blocks of their own while apart; n2 will be the victim.
  void split() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    write_blocks(pair_.n1, 0, 256, 1);
    ASSERT_EQ(pair_.run(resource(pair_.n1).disconnect(true)).code, 0);
    ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(true)).code, 0);
    write_blocks(pair_.n1, 0, 100, 2);
    ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, true)).code, 0);
    write_blocks(pair_.n2, 50, 200, 3);
    ASSERT_EQ(pair_.run(resource(pair_.n2).set_role(Role::secondary, false)).code, 0);
    old_ = pair_.n2.disk().image().copy();
  }
  // Takes `disk` over.
  void reattach() {
    ASSERT_EQ(pair_.run(resource(pair_.n2).detach(0, false)).code, 0);
    ASSERT_EQ(attach(pair_.n2), 0);
  }
  void reconnect() {
    pair_.world.expect_error("Split-Brain");
    net.discard_my_data = false;
    ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
    net.discard_my_data = true;
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    net.discard_my_data = false;
  }
  void run_for(Duration time) {
    pair_.world.run_until([] { return false; }, time);
  }
  // Of the file: how many blocks it holds; checks each of them, and that none is missing.
  std::uint64_t check(sim::SimDisk& file, bool complete) {
    std::vector<std::byte> head(undo_header_bytes);
    file.image().read(ByteOffset(0), head);
    const Result<UndoHeader> header = decode_undo_header(head);
    EXPECT_TRUE(header);
    if (!header) return 0;
    EXPECT_EQ(header->complete, complete);
    const std::uint64_t blocks = volume(pair_.n2).size().value() / 4096;
    std::vector<std::byte> bits(round_up(blocks, 4096) / 8);
    file.image().read_media(header->bitmap_at(), bits);
    std::uint64_t held = 0;
    std::vector<std::byte> kept(4096);
    std::vector<std::byte> was(4096);
    std::vector<std::byte> is(4096);
    for (std::uint64_t block = 0; block < blocks; ++block) {
      old_->read(ByteOffset(block * 4096), was);
      pair_.n2.disk().image().read(ByteOffset(block * 4096), is);
      if (((bits[block / 8] >> (block % 8)) & std::byte{1}) == std::byte{0}) {
        if (!header->partial) {
          EXPECT_EQ(is, was) << "block " << block << " was not kept";
        }
        continue;
      }
      ++held;
      file.image().read_media(header->data_at() + ByteCount(block * 4096), kept);
      EXPECT_EQ(kept, was) << "block " << block;
    }
    return held;
  }

  SimUndoStore store_;
  std::unique_ptr<sim::Image> old_;
};

TEST_F(UndoTest, what_the_victim_had_is_kept) {
  split();
  reconnect();
  wait_until_synced();
  run_for(Duration::seconds(1));
  expect_equal();
  ASSERT_EQ(store_.files().size(), 1U);
  EXPECT_EQ(store_.growing(), nullptr);
  EXPECT_GE(check(*store_.files()[0], true), 250U);
}

TEST_F(UndoTest, an_ordinary_resync_keeps_nothing) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(true)).code, 0);
  ASSERT_EQ(pair_.run(resource(pair_.n1).disconnect(true)).code, 0);
  write_blocks(pair_.n1, 0, 10, 2);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  wait_until_synced();
  EXPECT_TRUE(store_.files().empty());
}

// Whenever the power goes: what is gone from the disk is in the file, and the resync that follows
// adds to it.
TEST_F(UndoTest, a_power_cut_at_any_time_loses_none_of_it) {
  split();
  const std::unique_ptr<sim::Image> before = pair_.n2.disk().image().copy();
  for (int step = 1; step <= 12; ++step) {
    if (step == 1) reconnect();
    run_for(Duration::microseconds(700 * step));
    pair_.n2.power_cut();
    if (store_.growing() != nullptr) check(*store_.growing(), false);
    if (HasFailure()) return;
    boot(pair_.n2);
    resource(pair_.n2).set_undo_store(&store_);
    ASSERT_EQ(attach(pair_.n2), 0);
    net.discard_my_data = store_.files().empty();
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    net.discard_my_data = false;
    if (resource(pair_.n1).connection()->ended()) {
      pair_.run(resource(pair_.n1).disconnect(true));
      ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
    }
  }
  wait_until_synced();
  run_for(Duration::seconds(1));
  expect_equal();
  ASSERT_EQ(store_.files().size(), 1U);
  EXPECT_GE(check(*store_.files()[0], true), 250U);
}

TEST_F(UndoTest, writes_of_the_source_meanwhile_do_not_get_past_it) {
  split();
  reconnect();
  wait_for(ConnectionState::connected);
  for (std::uint64_t block = 249; block > 40; block -= 10)
    ASSERT_TRUE(write(pair_.n1, block * 4096 + 512, 1024, 9).ok());
  wait_until_synced();
  run_for(Duration::seconds(1));
  expect_equal();
  ASSERT_EQ(store_.files().size(), 1U);
  EXPECT_EQ(store_.finished, 1);
}

TEST_F(UndoTest, a_full_file_does_not_hold_up_the_resync) {
  split();
  pair_.world.expect_error("undo");
  disk.undo_max_size_sectors = 64 * 8;
  reattach();
  reconnect();
  wait_until_synced();
  run_for(Duration::seconds(1));
  expect_equal();
  ASSERT_EQ(store_.files().size(), 1U);
  const std::uint64_t held = check(*store_.files()[0], true);
  EXPECT_GE(held, 64U);
}

TEST_F(UndoTest, a_full_file_system_does_not_hold_up_the_resync) {
  split();
  store_.free = ByteCount(1);
  reconnect();
  wait_until_synced();
  run_for(Duration::seconds(1));
  expect_equal();
  EXPECT_EQ(store_.finished, 1);
}

TEST_F(UndoTest, without_a_file_the_resync_runs_all_the_same) {
  split();
  store_.refuse = true;
  reconnect();
  wait_until_synced();
  expect_equal();
  EXPECT_TRUE(store_.files().empty());
}

TEST_F(UndoTest, a_file_that_fails_does_not_hold_up_the_resync) {
  split();
  reconnect();
  pair_.world.run_until([&] { return store_.growing() != nullptr; }, Duration::seconds(20));
  ASSERT_NE(store_.growing(), nullptr);
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write);
  fault.countdown = 2;
  fault.sticky = true;
  store_.growing()->inject(fault);
  wait_until_synced();
  run_for(Duration::seconds(1));
  expect_equal();
  EXPECT_GT(store_.files()[0]->fault_hits(), 0U);
}

TEST_F(UndoTest, undo_no_keeps_nothing) {
  split();
  disk.undo = false;
  reattach();
  reconnect();
  wait_until_synced();
  EXPECT_TRUE(store_.files().empty());
}

TEST(UndoChoice, only_what_was_not_shared_is_kept) {
  HandshakeSide mine;
  mine.generations.current = 0x1000;
  SyncDecision decision;
  decision.outcome = SyncDecision::Outcome::target;
  decision.comparison.rule = 50;
  EXPECT_FALSE(undo_reason(decision, mine));
  decision.solved_by_policy = true;
  EXPECT_EQ(undo_reason(decision, mine), UndoReason::split_brain);
  decision.solved_by_policy = false;
  decision.solved_by_hand = true;
  EXPECT_EQ(undo_reason(decision, mine), UndoReason::discard_my_data);
  decision.outcome = SyncDecision::Outcome::source;
  EXPECT_FALSE(undo_reason(decision, mine));
}

TEST(UndoChoice, a_full_sync_keeps_what_a_used_disk_had_of_its_own) {
  struct Row {
    int rule;
    std::uint64_t current;
    bool kept;
  };
  for (const Row& row : {Row{100, 0x1000, true}, Row{20, uuid_just_created, false},
                         Row{20, 0, false}, Row{60, 0x1000, false}, Row{51, 0x1000, false}}) {
    HandshakeSide mine;
    mine.generations.current = row.current;
    SyncDecision decision;
    decision.outcome = SyncDecision::Outcome::target;
    decision.full = true;
    decision.comparison.rule = row.rule;
    EXPECT_EQ(undo_reason(decision, mine).has_value(), row.kept) << row.rule;
  }
}

}  // namespace
}  // namespace replicator
