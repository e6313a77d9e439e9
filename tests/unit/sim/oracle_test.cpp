// The oracle and the application against a volume that is nothing but a local disk: a correct one
// survives kills and power cuts; volumes that lie about writes, flushes or reads are caught.
#include "tests/sim/oracle.hpp"

#include <gtest/gtest.h>

#include "tests/sim/application.hpp"
#include "tests/sim/two_nodes.hpp"

namespace replicator::sim {
namespace {

constexpr std::uint64_t device_bytes = 2U << 20U;

enum class Lie { none, answers_early, flush_does_nothing, reads_stale };

class LocalVolume final : public io::BlockDevice, public Node::Program {
 public:
  LocalVolume(Node& node, Lie lie)
      : disk_(std::move(*node.io().storage.open("/dev/disk", io::DiskAccess::exclusive))),
        lie_(lie) {}

  [[nodiscard]] io::BlockLimits limits() const noexcept override {
    return {.size = disk_->size(), .writable = true};
  }
  Status open(bool /*for_writing*/) override { return Status(); }
  void close(bool /*for_writing*/) noexcept override {}
  Task<Status> read(ByteRange range, Bytes into) override {
    io::Op op;
    disk_->read(op, range.begin, into);
    const std::int32_t result = co_await op;
    if (lie_ == Lie::reads_stale && ++reads_ % 20 == 0) fill_bytes(into, std::byte{0});
    co_return outcome(result);
  }
  Task<Status> write(ByteRange range, ConstBytes data, bool stable) override {
    if (lie_ == Lie::answers_early) {
      gate.start(write_later(range, std::vector<std::byte>(data.begin(), data.end())));
      co_return Status();
    }
    io::RangeLock::Turn turn(turns_, range);
    co_await turn;
    io::Op op;
    disk_->write(op, range.begin, data, stable ? io::Durability::stable : io::Durability::cached);
    const std::int32_t result = co_await op;
    co_return outcome(result);
  }
  Task<Status> flush() override {
    if (lie_ == Lie::flush_does_nothing) co_return Status();
    io::Op op;
    disk_->flush(op);
    const std::int32_t result = co_await op;
    co_return outcome(result);
  }
  Task<Status> discard(ByteRange range) override {
    io::RangeLock::Turn turn(turns_, range);
    co_await turn;
    io::Op op;
    disk_->discard(op, range);
    const std::int32_t result = co_await op;
    co_return outcome(result);
  }
  Task<Status> write_zeroes(ByteRange range, bool may_unmap) override {
    io::RangeLock::Turn turn(turns_, range);
    co_await turn;
    io::Op op;
    disk_->write_zeroes(op, range, may_unmap);
    const std::int32_t result = co_await op;
    co_return outcome(result);
  }

 private:
  struct alignas(4096) Copy {
    std::byte bytes[1U << 20U];
  };
  Task<void> write_later(ByteRange range, std::vector<std::byte> data) {
    const auto copy = std::unique_ptr<Copy>(new Copy);
    copy_bytes(copy->bytes, data);
    io::RangeLock::Turn turn(turns_, range);
    co_await turn;
    io::Op op;
    disk_->write(op, range.begin, ConstBytes(copy->bytes).first(data.size()),
                 io::Durability::cached);
    co_await op;
  }
  static Status outcome(std::int32_t result) {
    return result < 0 ? Status(Fault::io_error, "disk", -result) : Status();
  }

  std::unique_ptr<io::Disk> disk_;
  Lie lie_;
  io::RangeLock turns_;
  std::uint32_t reads_ = 0;

 public:
  io::Gate gate;
};

class Truth final : public Application::Observer {
 public:
  void answered(NodeId /*node*/, ByteRange /*range*/, Instant /*began*/,
                ConstBytes /*data*/) override {}
  Instant weak_since(NodeId /*node*/) override { return weak; }
  Instant weak = Oracle::strong();
};

// A history of one node: writes, and a few kills and power cuts. The failure, or an empty text.
std::string history(std::uint64_t seed, Lie lie) {
  TwoNodes pair(seed, ByteCount(device_bytes));
  Prng prng = pair.world.stream("history");
  Oracle oracle(device_bytes / sector_bytes, device_bytes / sector_bytes);
  Truth truth;
  Application application(pair.world, oracle, ByteCount(device_bytes), Workload());
  application.observe(truth);
  for (int round = 0; round < 4 && !pair.world.failed(); ++round) {
    pair.n1.boot([&](Node& node) { return std::make_unique<LocalVolume>(node, lie); });
    auto& volume = static_cast<LocalVolume&>(*pair.n1.program());
    application.run(volume.gate, pair.n1.id(), pair.n1.io().clock, volume, 150);
    pair.world.run_until([&] { return application.idle(); },
                         Duration::milliseconds(static_cast<std::int64_t>(prng.below(60))));
    if (prng.chance(50)) {
      pair.n1.kill();
    } else {
      pair.n1.power_cut();
      truth.weak = pair.world.now();
    }
    application.node_died(pair.n1.id());
    const std::string wrong =
        oracle.check_image(pair.n1.disk().image(), pair.world.now(), truth.weak);
    if (!wrong.empty()) return wrong;
  }
  return pair.world.failure().text;
}

bool caught_within(std::uint64_t seeds, Lie lie) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (!history(seed, lie).empty()) return true;
  }
  return false;
}

TEST(sim_oracle, a_correct_disk_has_no_violations) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    EXPECT_EQ(history(seed, Lie::none), "") << "seed " << seed;
  }
}
TEST(sim_oracle, an_answer_before_the_write_is_caught) {
  EXPECT_TRUE(caught_within(20, Lie::answers_early));
}
TEST(sim_oracle, a_flush_that_does_nothing_is_caught) {
  EXPECT_TRUE(caught_within(20, Lie::flush_does_nothing));
}
TEST(sim_oracle, a_stale_read_is_caught) { EXPECT_TRUE(caught_within(20, Lie::reads_stale)); }

TEST(sim_oracle, new_storage_holds_anything_until_it_is_written) {
  Oracle oracle(4, 2);
  std::array<std::byte, sector_bytes> junk;
  junk.fill(std::byte{0xa5});
  const auto sector = [](std::uint64_t number) {
    return ByteRange(ByteOffset(number * sector_bytes), ByteCount(sector_bytes));
  };
  EXPECT_NE(oracle.check_read(sector(1), junk, Instant(1), Instant(2), Oracle::strong()), "");
  EXPECT_EQ(oracle.check_read(sector(2), junk, Instant(1), Instant(2), Oracle::strong()), "");
  const WriteId id = oracle.begin_write(sector(2), ChangeKind::data, 1, Instant(3));
  EXPECT_EQ(oracle.check_read(sector(2), junk, Instant(4), Instant(5), Oracle::strong()), "");
  oracle.end_write(id, true, false, Instant(6));
  EXPECT_NE(oracle.check_read(sector(2), junk, Instant(7), Instant(8), Oracle::strong()), "");
}

// The rules one by one. Times are virtual nanoseconds.
class OracleRules : public testing::Test {
 protected:
  WriteId write(std::int64_t from, std::int64_t to, bool ok = true, bool stable = false) {
    const WriteId id = oracle_.begin_write(range_, ChangeKind::data, 1, Instant(from));
    if (to > 0) oracle_.end_write(id, ok, stable, Instant(to));
    return id;
  }
  bool may_read(WriteId id, std::int64_t from, std::int64_t to, std::int64_t weak = -1) {
    std::array<std::byte, 512> data{};
    if (id != initial_content) oracle_.stamp(id, data);
    return oracle_.check_read(range_, data, Instant(from), Instant(to), Instant(weak)).empty();
  }
  Oracle oracle_{8, 8};
  ByteRange range_{ByteOffset(512), ByteCount(512)};
};

TEST_F(OracleRules, only_the_last_answered_write_may_be_read) {
  const WriteId a = write(10, 20);
  const WriteId b = write(30, 40);
  EXPECT_FALSE(may_read(initial_content, 50, 60));
  EXPECT_FALSE(may_read(a, 50, 60));
  EXPECT_TRUE(may_read(b, 50, 60));
}

TEST_F(OracleRules, a_read_may_see_writes_it_overlaps_with_but_not_go_back) {
  const WriteId a = write(10, 20);
  const WriteId b = write(30, 90);
  EXPECT_TRUE(may_read(a, 35, 40));
  EXPECT_TRUE(may_read(b, 45, 50));
  EXPECT_FALSE(may_read(a, 55, 60));
}

TEST_F(OracleRules, concurrent_writes_may_end_in_either_order_but_only_one) {
  const WriteId a = write(10, 20);
  const WriteId b = write(15, 25);
  EXPECT_TRUE(may_read(a, 30, 35));
  EXPECT_TRUE(may_read(b, 33, 36));  // overlaps with the read before: either came first
  EXPECT_TRUE(may_read(a, 37, 38));
  EXPECT_FALSE(may_read(b, 40, 45));  // came back
}

TEST_F(OracleRules, an_open_write_of_a_dead_node_may_have_happened_but_not_later) {
  const WriteId a = write(10, 20);
  const WriteId b = write(30, 0);
  oracle_.node_died(1, Instant(40));
  EXPECT_TRUE(may_read(a, 50, 60));
  EXPECT_TRUE(may_read(b, 70, 80));
  write(90, 95);
  EXPECT_FALSE(may_read(b, 100, 110));
}

TEST_F(OracleRules, a_power_cut_excuses_what_was_not_flushed) {
  const WriteId a = write(10, 20);
  oracle_.flushed(Instant(25), Oracle::strong(), 1);
  const WriteId b = write(30, 40);
  EXPECT_FALSE(may_read(a, 60, 65));
  EXPECT_TRUE(may_read(a, 60, 65, 50));
  EXPECT_FALSE(may_read(initial_content, 60, 65, 50));
  oracle_.flushed(Instant(45), Oracle::strong(), 1);
  EXPECT_FALSE(may_read(a, 60, 65, 50));
  EXPECT_TRUE(may_read(b, 60, 65, 50));
}

TEST_F(OracleRules, foreign_and_damaged_sectors_are_never_right) {
  const WriteId a = write(10, 20);
  std::array<std::byte, 512> data{};
  stamp_sector(data, 2, 1, a);  // stamped for sector 2, found in sector 1
  EXPECT_FALSE(oracle_.check_read(range_, data, Instant(30), Instant(40), Instant(-1)).empty());
  oracle_.stamp(a, data);
  data[511] ^= std::byte{1};
  EXPECT_FALSE(oracle_.check_read(range_, data, Instant(30), Instant(40), Instant(-1)).empty());
}

}  // namespace
}  // namespace replicator::sim
