// A disk that fails or is taken away while everything uses it: writes of the application and of the
// peer, the activity log, a resync. What is acknowledged stays readable, nothing hangs, nothing
// refers to the lost disk.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

constexpr std::uint32_t all_writes = sim::bit(sim::DiskOp::write) | sim::bit(sim::DiskOp::zeroes);

class DiskFailureTest : public EngineTest {
 protected:
  DiskFailureTest() : EngineTest(ByteCount(128ULL << 20U)) {
    al_extents = 7;
    for (const char* line : {"local ", "disk failed, detaching"})
      pair_.world.expect_error(line);
  }

  // Writers all over the device, more extents than the activity log has slots.
  class Load {
   public:
    Load(Volume& volume, std::uint32_t writers) : volume_(volume), pool_(4U << 20U, false) {
      for (std::uint32_t i = 0; i < writers; ++i)
        gate_.start(writer(i));
    }
    void stop() noexcept { stopping_ = true; }
    [[nodiscard]] bool ended() const noexcept { return gate_.empty(); }
    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

   private:
    Task<void> writer(std::uint32_t number) {
      io::BufferPool::Buffer buffer = pool_.try_take(4096);
      Prng prng(number + 1);
      while (!stopping_) {
        fill_bytes(buffer.bytes(), static_cast<std::byte>(prng.below(255) + 1));
        const ByteRange range(ByteOffset(prng.below(volume_.size().value() / 4096) * 4096),
                              ByteCount(4096));
        const Bytes bytes = buffer.bytes();
        const Status status = co_await volume_.write(range, bytes, false);
        if (status.ok()) ++written_;
        else ++refused_;
        if (!status.ok()) break;
      }
    }
    Volume& volume_;
    io::BufferPool pool_;
    bool stopping_ = false;
    std::uint64_t written_ = 0;
    std::uint64_t refused_ = 0;
    io::Gate gate_;
  };

  void primary_with_load() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    load_ = std::make_unique<Load>(volume(pair_.n1), 64);
    run_for(Duration::milliseconds(200));
  }
  void run_for(Duration time) {
    const Instant until = pair_.world.now() + time;
    pair_.world.run_until([&] { return pair_.world.now() >= until; }, time + Duration::seconds(1));
  }
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
  void end_load() {
    load_->stop();
    pair_.world.run_until([&] { return load_->ended(); }, Duration::seconds(60));
    EXPECT_TRUE(load_->ended());
  }
  void wait_for_disk(sim::Node& node, DiskState state) {
    pair_.world.run_until([&] { return volume(node).state().disk == state; },
                          Duration::seconds(60));
    ASSERT_EQ(name(volume(node).state().disk), name(state));
  }
  static void fail_writes(sim::Node& node) {
    sim::DiskFault fault;
    fault.kinds = all_writes;
    fault.sticky = true;
    node.disk().inject(fault);
  }
  void attach_again_and_compare(sim::Node& node) {
    node.disk().clear_faults();
    pair_.world.run_until([&] { return volume(node).backing() == nullptr; }, Duration::seconds(60));
    ASSERT_EQ(attach(node), 0);
    wait_until_synced();
    ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
    expect_equal();
  }

  std::unique_ptr<Load> load_;
};

TEST_F(DiskFailureTest, the_primary_s_disk_fails_under_load) {
  primary_with_load();
  fail_writes(pair_.n1);
  wait_for_disk(pair_.n1, DiskState::diskless);
  const std::uint64_t before = load_->written();
  run_for(Duration::milliseconds(500));
  EXPECT_GT(load_->written(), before);
  EXPECT_EQ(load_->refused(), 0U);
  end_load();
  attach_again_and_compare(pair_.n1);
}

// Half a promotion would keep the peer from ever being Primary.
TEST_F(DiskFailureTest, a_promotion_that_the_disk_refuses_leaves_a_secondary) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::secondary, false)).code, 0);
  fail_writes(pair_.n1);
  EXPECT_NE(pair_.run(resource(pair_.n1).set_role(Role::primary, false)).code, 0);
  EXPECT_EQ(name(volume(pair_.n1).state().role), "Secondary");
  EXPECT_EQ(pair_.run(resource(pair_.n2).set_role(Role::primary, false)).code, 0);
  EXPECT_EQ(name(volume(pair_.n1).state().peer_role), "Primary");
}

TEST_F(DiskFailureTest, the_secondary_s_disk_fails_under_load) {
  primary_with_load();
  fail_writes(pair_.n2);
  wait_for_disk(pair_.n2, DiskState::diskless);
  run_for(Duration::seconds(3));
  const std::uint64_t before = load_->written();
  run_for(Duration::milliseconds(500));
  EXPECT_GT(load_->written(), before);
  EXPECT_EQ(load_->refused(), 0U);
  end_load();
  wait_for(ConnectionState::connected);
  attach_again_and_compare(pair_.n2);
}

TEST_F(DiskFailureTest, the_primary_is_detached_under_load) {
  primary_with_load();
  EXPECT_EQ(pair_.run(resource(pair_.n1).detach(0, true)).code, 0);
  run_for(Duration::milliseconds(500));
  EXPECT_EQ(load_->refused(), 0U);
  end_load();
  attach_again_and_compare(pair_.n1);
}

TEST_F(DiskFailureTest, the_secondary_writes_for_a_diskless_primary_and_is_detached) {
  primary_with_load();
  ASSERT_EQ(pair_.run(resource(pair_.n1).detach(0, false)).code, 0);
  run_for(Duration::milliseconds(200));
  EXPECT_EQ(pair_.run(resource(pair_.n2).detach(0, true)).code, 0);
  pair_.world.run_until([&] { return load_->ended(); }, Duration::seconds(60));
  EXPECT_TRUE(load_->ended());
  EXPECT_EQ(load_->refused(), 64U);
}

TEST_F(DiskFailureTest, the_target_s_disk_fails_during_a_resync) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  pair_.world.run_until(
      [&] {
        return volume(pair_.n2).state().connection == ConnectionState::sync_target &&
               volume(pair_.n2).out_of_sync_blocks() < 32000;
      },
      Duration::seconds(60));
  ASSERT_EQ(name(volume(pair_.n2).state().connection), "SyncTarget");
  load_ = std::make_unique<Load>(volume(pair_.n1), 16);
  fail_writes(pair_.n2);
  wait_for_disk(pair_.n2, DiskState::diskless);
  run_for(Duration::seconds(3));
  EXPECT_EQ(load_->refused(), 0U);
  end_load();
  wait_for(ConnectionState::connected);
  attach_again_and_compare(pair_.n2);
}

TEST_F(DiskFailureTest, the_source_s_disk_fails_during_a_resync) {
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  pair_.world.run_until(
      [&] {
        return volume(pair_.n2).state().connection == ConnectionState::sync_target &&
               volume(pair_.n2).out_of_sync_blocks() < 32000;
      },
      Duration::seconds(60));
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::read);
  fault.sticky = true;
  pair_.n1.disk().inject(fault);
  wait_for_disk(pair_.n1, DiskState::diskless);
  wait_for(ConnectionState::connected);
  EXPECT_EQ(name(volume(pair_.n2).state().disk), "Inconsistent");
  EXPECT_FALSE(write(pair_.n1, 0, 4096, 1).ok());
}

}  // namespace
}  // namespace replicator
