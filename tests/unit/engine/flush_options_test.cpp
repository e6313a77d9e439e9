// md-flushes, disk-flushes, disk-drain and al-extents, seen by what the disks are asked for.
#include <array>

#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class FlushOptionsTest : public EngineTest {
 protected:
  FlushOptionsTest() : EngineTest(ByteCount(64ULL << 20U)) {}
  void TearDown() override {
    for (sim::Node* node : {&pair_.n1, &pair_.n2})
      node->disk().on_submit({});
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }
  void primary() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    pair_.world.run_for(Duration::seconds(1));  // what the end of the resync has to write
  }
  struct Count {
    std::uint64_t flushes = 0;
    std::uint64_t stable_writes = 0;
    std::uint64_t writes = 0;
  };
  static void watch(sim::Node& node, Count& count) {
    node.disk().on_submit([&count](const sim::SimDisk::Seen& seen) {
      if (seen.kind == sim::DiskOp::flush) ++count.flushes;
      if (seen.kind != sim::DiskOp::write) return;
      ++count.writes;
      if (seen.durability == io::Durability::stable) ++count.stable_writes;
    });
  }
  // Of a write that makes its extent hot.
  Count activity_log_costs(bool md_flushes) {
    disk.md_flushes = md_flushes;
    primary();
    Count count;
    watch(pair_.n1, count);
    EXPECT_TRUE(write(pair_.n1, 40ULL << 20U, 4096, 1).ok());
    EXPECT_EQ(count.writes, 2U);  // the log and the data
    return count;
  }
  // The peer's disk does not answer the first epoch: how many writes of the second reach it?
  std::uint64_t writes_past_a_barrier(bool drain) {
    net.protocol = WireProtocol::a;
    disk.disk_flushes = false;
    disk.disk_drain = drain;
    for (sim::Node* node : {&pair_.n1, &pair_.n2})
      node->disk().options().volatile_cache = false;
    primary();
    sim::DiskFault fault;
    fault.kinds = sim::bit(sim::DiskOp::write);
    fault.stuck = true;
    pair_.n2.disk().inject(fault);
    EXPECT_TRUE(write(pair_.n1, 0, 4096, 1).ok());
    pair_.world.run_for(Duration::milliseconds(100));
    EXPECT_EQ(volume(pair_.n2).status().peer_unacknowledged, 1U);
    Task<Status> flush = volume(pair_.n1).flush();
    {
      const sim::World::As as(pair_.world, pair_.n1.id());
      flush.start();
    }
    std::uint64_t passed = 0;
    pair_.n2.disk().on_submit([&passed](const sim::SimDisk::Seen& seen) {
      if (seen.kind == sim::DiskOp::write && seen.range.begin.value() == 65536) ++passed;
    });
    EXPECT_TRUE(write(pair_.n1, 65536, 4096, 2).ok());
    pair_.world.run_for(Duration::milliseconds(500));
    EXPECT_FALSE(flush.done());
    const std::uint64_t early = passed;
    pair_.n2.disk().release_stuck();
    EXPECT_TRUE(pair_.world.run_until([&] { return flush.done(); }, Duration::seconds(5)));
    EXPECT_EQ(passed, 1U);
    return early;
  }
  // Transactions for rounds over eight extents.
  std::uint64_t transactions(std::uint32_t extents) {
    al_extents = extents;
    primary();
    const std::uint64_t before = volume(pair_.n1).status().activity_log_writes;
    for (std::uint64_t i = 0; i < 24; ++i) {
      EXPECT_TRUE(write(pair_.n1, i % 8 * extent_bytes, 4096, 1).ok());
      EXPECT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
    }
    return volume(pair_.n1).status().activity_log_writes - before;
  }
};

TEST_F(FlushOptionsTest, md_flushes_puts_a_transaction_on_media) {
  EXPECT_EQ(activity_log_costs(true).stable_writes, 1U);
}

TEST_F(FlushOptionsTest, without_md_flushes_meta_data_are_merely_written) {
  const Count count = activity_log_costs(false);
  EXPECT_EQ(count.stable_writes, 0U);
  EXPECT_EQ(count.flushes, 0U);
}

TEST_F(FlushOptionsTest, disk_flushes_makes_the_peer_flush_at_a_barrier) {
  primary();
  Count count;
  watch(pair_.n2, count);
  EXPECT_TRUE(write(pair_.n1, 0, 4096, 1).ok());
  EXPECT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  EXPECT_GE(count.flushes, 1U);
}

TEST_F(FlushOptionsTest, without_disk_flushes_the_peer_does_not) {
  disk.disk_flushes = false;
  primary();
  Count there;
  Count here;
  watch(pair_.n2, there);
  watch(pair_.n1, here);
  EXPECT_TRUE(write(pair_.n1, 0, 4096, 1).ok());
  EXPECT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  EXPECT_EQ(there.flushes, 0U);
  EXPECT_GE(here.flushes, 1U);  // what the application asked for
}

TEST_F(FlushOptionsTest, disk_drain_holds_the_next_epoch_back) {
  EXPECT_EQ(writes_past_a_barrier(true), 0U);
}

TEST_F(FlushOptionsTest, without_disk_drain_it_passes) {
  EXPECT_EQ(writes_past_a_barrier(false), 1U);
}

TEST_F(FlushOptionsTest, al_extents_is_how_many_stay_hot) { EXPECT_LE(transactions(67), 8U); }

TEST_F(FlushOptionsTest, with_fewer_al_extents_some_are_evicted) {
  EXPECT_GE(transactions(7), 16U);
}

}  // namespace
}  // namespace replicator
