// The simulated disk: what its cache promises, what a power cut and a dead process leave, injected
// faults.
#include "tests/sim/disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "tests/sim/two_nodes.hpp"

namespace replicator::sim {
namespace {

struct alignas(4096) Block {
  std::array<std::byte, 4096> data{};
  explicit Block(int value = 0) { data.fill(static_cast<std::byte>(value)); }
  [[nodiscard]] ConstBytes bytes() const { return data; }
};

class SimDiskTest : public testing::Test {
 protected:
  explicit SimDiskTest(DiskModel options = calm()) : pair_(11, ByteCount(4U << 20U), options) {
    disk_ = std::move(*pair_.n1.io().storage.open("/dev/disk", io::DiskAccess::exclusive));
  }
  static DiskModel calm() {
    DiskModel options;
    options.destage_percent = 0;
    return options;
  }
  std::int32_t wait(io::Op& op) {
    pair_.world.run_until([&] { return !op.in_flight(); }, Duration::seconds(100));
    return op.await_resume();
  }
  std::int32_t write(std::uint64_t at, const Block& block,
                     io::Durability durability = io::Durability::cached) {
    io::Op op;
    disk_->write(op, ByteOffset(at), block.bytes(), durability);
    return wait(op);
  }
  std::int32_t flush() {
    io::Op op;
    disk_->flush(op);
    return wait(op);
  }
  int current(std::uint64_t at) {
    std::byte sector[512];
    pair_.n1.disk().image().read(ByteOffset(at), sector);
    return static_cast<int>(sector[0]);
  }
  int media(std::uint64_t at) {
    std::byte sector[512];
    pair_.n1.disk().image().read_media(ByteOffset(at), sector);
    return static_cast<int>(sector[0]);
  }
  SimDisk& sim() { return pair_.n1.disk(); }

  TwoNodes pair_;
  std::unique_ptr<io::Disk> disk_;
};

TEST_F(SimDiskTest, a_write_is_readable_at_once_and_on_media_after_a_flush) {
  EXPECT_EQ(write(8192, Block(7)), 4096);
  EXPECT_EQ(current(8192), 7);
  EXPECT_EQ(media(8192), 0);
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(media(8192), 7);
  Block into;
  io::Op op;
  disk_->read(op, ByteOffset(8192), into.data);
  EXPECT_EQ(wait(op), 4096);
  EXPECT_EQ(into.data[4095], std::byte{7});
}

TEST_F(SimDiskTest, a_stable_write_is_on_media_alone) {
  write(0, Block(1));
  write(4096, Block(2), io::Durability::stable);
  EXPECT_EQ(media(0), 0);
  EXPECT_EQ(media(4096), 2);
}

TEST_F(SimDiskTest, a_flush_promises_only_what_had_completed_before_it) {
  write(0, Block(1));
  io::Op flushing;
  io::Op writing;
  const Block second(2);
  disk_->flush(flushing);
  disk_->write(writing, ByteOffset(4096), second.bytes(), io::Durability::cached);
  wait(flushing);
  wait(writing);
  EXPECT_EQ(media(0), 1);
  EXPECT_EQ(media(4096), 0);
}

TEST_F(SimDiskTest, a_power_cut_loses_the_cache_and_goes_back_to_media) {
  write(0, Block(1));
  flush();
  write(0, Block(2));
  write(4096, Block(3));
  disk_.reset();
  sim().power_cut(CutMode::lose_all);
  EXPECT_EQ(current(0), 1);
  EXPECT_EQ(current(4096), 0);
}

TEST_F(SimDiskTest, a_power_cut_during_a_flush_may_still_lose_everything) {
  write(0, Block(1));
  {
    io::Op flushing;
    disk_->flush(flushing);
    sim().power_cut(CutMode::lose_all);
  }
  EXPECT_EQ(current(0), 0);
  EXPECT_EQ(sim().in_flight(), 0U);
}

TEST_F(SimDiskTest, some_seed_tears_a_write_at_a_sector) {
  const Block before(1);
  const Block after(2);
  bool torn = false;
  for (int i = 0; i < 50 && !torn; ++i) {
    write(0, before);
    flush();
    {
      io::Op writing;
      disk_->write(writing, ByteOffset(0), after.bytes(), io::Durability::cached);
      sim().power_cut(CutMode::lose_some);
    }
    std::array<int, 8> seen{};
    for (std::uint64_t s = 0; s < 8; ++s)
      seen[s] = current(s * 512);
    torn = std::ranges::count(seen, 1) != 0 && std::ranges::count(seen, 2) != 0;
  }
  EXPECT_TRUE(torn);
}

TEST_F(SimDiskTest, writes_of_a_dead_process_are_done_or_not_and_never_happen_later) {
  int done = 0;
  const Block block(9);
  for (std::uint64_t i = 0; i < 30; ++i) {
    io::Op writing;
    disk_->write(writing, ByteOffset(i * 4096), block.bytes(), io::Durability::cached);
    sim().process_died();
  }
  for (std::uint64_t i = 0; i < 30; ++i)
    done += current(i * 4096) == 9 ? 1 : 0;
  EXPECT_GT(done, 0);
  EXPECT_LT(done, 30);
  pair_.world.run_for(Duration::seconds(1));
  int later = 0;
  for (std::uint64_t i = 0; i < 30; ++i)
    later += current(i * 4096) == 9 ? 1 : 0;
  EXPECT_EQ(done, later);
}

TEST_F(SimDiskTest, the_kth_operation_fails_once_or_from_then_on) {
  sim().inject({.kinds = bit(DiskOp::write), .countdown = 1});
  EXPECT_EQ(write(0, Block(1)), 4096);
  EXPECT_EQ(write(0, Block(1)), -EIO);
  EXPECT_EQ(write(0, Block(1)), 4096);
  sim().inject({.kinds = bit(DiskOp::flush), .sticky = true});
  EXPECT_EQ(flush(), -EIO);
  EXPECT_EQ(flush(), -EIO);
  EXPECT_EQ(media(0), 0);
  sim().clear_faults();
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(sim().fault_hits(), 3U);
}

TEST_F(SimDiskTest, a_stuck_operation_ends_only_when_released) {
  sim().inject({.kinds = bit(DiskOp::flush), .stuck = true});
  io::Op op;
  disk_->flush(op);
  pair_.world.run_for(Duration::seconds(100));
  EXPECT_TRUE(op.in_flight());
  sim().release_stuck();
  EXPECT_EQ(wait(op), 0);
}

TEST_F(SimDiskTest, an_operation_whose_owner_is_gone_has_no_effect) {
  {
    io::Op op;
    const Block block(5);
    disk_->write(op, ByteOffset(0), block.bytes(), io::Durability::cached);
  }
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(current(0), 0);
}

TEST_F(SimDiskTest, a_buffer_changed_under_a_write_is_noticed) {
  io::Op op;
  Block block(5);
  disk_->write(op, ByteOffset(0), block.bytes(), io::Durability::cached);
  block.data[0] = std::byte{6};
  wait(op);
  EXPECT_EQ(pair_.world.failure().invariant, "seam");
}

TEST_F(SimDiskTest, exclusive_means_one_and_range_and_presence_are_checked) {
  EXPECT_EQ(pair_.n1.io().storage.open("/dev/disk", io::DiskAccess::exclusive).error().fault(),
            Fault::busy);
  EXPECT_EQ(pair_.n1.io().storage.open("/dev/none", io::DiskAccess::shared).error().fault(),
            Fault::not_found);
  EXPECT_EQ(write(4U << 20U, Block(1)), -ENOSPC);
  sim().vanish(true);
  EXPECT_EQ(write(0, Block(1)), -ENODEV);
}

TEST_F(SimDiskTest, discard_modes_differ_in_what_they_leave) {
  Block block(5);
  const ByteRange range(ByteOffset(512), ByteCount(8192));
  const auto discard = [&](DiscardMode mode) {
    sim().options().discard = mode;
    for (std::uint64_t i = 0; i < 3; ++i)
      write(i * 4096, block);
    io::Op op;
    disk_->discard(op, range);
    return wait(op);
  };
  EXPECT_EQ(discard(DiscardMode::unsupported), -EOPNOTSUPP);
  EXPECT_EQ(discard(DiscardMode::keeps), 0);
  EXPECT_EQ(current(4096), 5);
  EXPECT_EQ(discard(DiscardMode::aligned_zeroes), 0);
  EXPECT_EQ(current(512), 5);
  EXPECT_EQ(current(4096), 0);
  EXPECT_EQ(discard(DiscardMode::zeroes), 0);
  EXPECT_EQ(current(0), 5);
  EXPECT_EQ(current(512), 0);
  EXPECT_EQ(current(8192), 0);
  EXPECT_EQ(current(8704), 5);
}

class DestagingDisk : public SimDiskTest {
 protected:
  DestagingDisk() : SimDiskTest(eager()) {}
  static DiskModel eager() {
    DiskModel options;
    options.destage_percent = 100;
    return options;
  }
};

TEST_F(DestagingDisk, an_older_version_may_reach_media_when_a_newer_one_does_not) {
  write(0, Block(1));
  write(0, Block(2));
  sim().power_cut(CutMode::lose_all);
  EXPECT_EQ(current(0), 1);
}

}  // namespace
}  // namespace replicator::sim
