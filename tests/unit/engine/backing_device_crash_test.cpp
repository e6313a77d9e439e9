// Crash-point enumeration of the backing device: attach, taking the role, covering, eviction,
// bitmap and superblock writes, with a crash after each disk operation in turn (process killed;
// power lost with all, none or some of the cache kept) and with each disk operation failing in
// turn. What is in doubt or known to differ from the peer must be in the durable activity log or
// bitmap at every instant (D2, D4, E2), the superblock must always be one that was written (D6),
// and attaching again must find every such block marked.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/flow/backing_device.hpp"
#include "tests/sim/metadata_view.hpp"
#include "tests/sim/two_nodes.hpp"

namespace replicator::sim {
namespace {

constexpr std::uint64_t disk_bytes = 40ULL << 20U;  // ten extents
constexpr std::uint32_t slots = 3;
constexpr std::uint64_t generation = 0xfeed000000000010ULL;

struct alignas(4096) Page {
  std::array<std::byte, 4096> bytes{};
};

// Blocks that must be found after a crash. Survives the program.
struct Doubt {
  std::multiset<std::uint64_t> in_doubt;  // submitted, the peer may or may not have it
  std::set<std::uint64_t> different;      // the peer does not have it
  bool data_before_intent = false;
};

// A Primary that writes to its backing device with and without a peer, and nothing else.
class LocalPrimary final : public Node::Program {
 public:
  LocalPrimary(Node& node, Doubt& doubt) : node_(node), doubt_(doubt) { gate_.start(run()); }
  [[nodiscard]] bool done() const noexcept { return done_; }
  [[nodiscard]] BackingDevice* device() noexcept { return device_.get(); }

 private:
  Task<void> run() {
    BackingConfig config;
    config.disk_path = "/dev/disk";
    config.meta_disk_path = "/dev/disk";
    replicator::DiskOptions options;
    options.al_extents = slots;
    Result<std::unique_ptr<BackingDevice>> opened =
        co_await BackingDevice::open(node_.io(), config, options);
    if (!opened) {
      done_ = true;
      co_return;
    }
    device_ = std::move(*opened);
    device_->superblock().flags |= md_flag_primary;
    const Status promoted = co_await device_->write_superblock();
    if (!promoted.ok()) {
      done_ = true;
      co_return;
    }
    for (std::uint64_t client = 0; client < 3; ++client)
      writers_.start(write_some(client));
    writers_.start(save_now_and_then());
    co_await writers_.close();
    done_ = true;
  }

  Task<void> write_some(std::uint64_t client) {
    const auto page = std::make_unique<Page>();  // a frame would not keep its alignment
    for (std::uint64_t i = 0; i < 7; ++i) {
      const std::uint64_t extent = (client * 3 + i * 2) % 9;
      const std::uint64_t block = extent * 1024 + client * 16 + i;
      const ByteRange range(ByteOffset(block * 4096), ByteCount(4096));
      co_await write_block(range, block, *page, i % 2 == 0);
    }
  }

  Task<void> write_block(ByteRange range, std::uint64_t block, Page& page, bool mirrored) {
    ActivityHold hold;
    const Status covered = co_await device_->cover(range, hold);
    if (!covered.ok()) co_return;
    doubt_.in_doubt.insert(block);
    if (!mirrored) device_->bitmap().set_range(range);
    io::Op op;
    device_->write(op, range.begin, page.bytes, io::Durability::cached);
    co_await op;
    if (!mirrored) doubt_.different.insert(block);
    io::Op pause;
    node_.io().clock.sleep(pause, Duration::microseconds(300));
    co_await pause;
    doubt_.in_doubt.erase(doubt_.in_doubt.find(block));  // the barrier ack, and the hold goes
  }

  Task<void> save_now_and_then() {
    for (int i = 0; i < 3; ++i) {
      io::Op pause;
      node_.io().clock.sleep(pause, Duration::milliseconds(2));
      co_await pause;
      const Status pages = co_await device_->write_changed_bitmap_pages();
      if (!pages.ok()) co_return;
      device_->superblock().flags ^= md_flag_connected;
      const Status saved = co_await device_->write_superblock();
      if (!saved.ok()) co_return;
    }
  }

  Node& node_;
  Doubt& doubt_;
  std::unique_ptr<BackingDevice> device_;
  bool done_ = false;
  io::Gate writers_;
  io::Gate gate_;
};

enum class Crash { none, kill, power_lose_all, power_keep_all, power_lose_some };

class Scenario {
 public:
  explicit Scenario(std::uint64_t seed)
      : pair_(seed, ByteCount(disk_bytes)), view_(std::as_const(disk())) {
    create_metadata(disk().image(), generation);
    const MetadataPlaces places{ByteCount(disk_bytes)};
    disk().watch_media(ByteRange(places.bitmap, ByteOffset(disk_bytes) - places.bitmap));
    disk().on_submit([this](const SimDisk::Seen& seen) { submitted(seen); });
  }

  // Runs with a crash after the k-th disk operation; the number of operations it had until then.
  std::uint64_t run(std::uint64_t k, Crash crash) {
    countdown_ = k;
    crash_ = crash;
    boot();
    world().run_until([&] { return !node().running() || program().done(); }, Duration::seconds(60));
    const std::uint64_t operations = disk().operations();
    if (!node().running()) check_after_crash();
    return operations;
  }
  // A crash after the k-th operation, and another one after the l-th operation of the next life.
  void run_twice(std::uint64_t k, std::uint64_t l, Crash crash) {
    crash_ = crash;
    for (const std::uint64_t countdown : {k, l}) {
      countdown_ = countdown;
      boot();
      world().run_until([&] { return !node().running() || program().done(); },
                        Duration::seconds(60));
      if (node().running()) return;
    }
    check_after_crash();
  }
  void fail_operation(std::uint64_t k, bool sticky) {
    pair_.world.expect_error(": local ");
    disk().inject({.kinds = bit(DiskOp::read) | bit(DiskOp::write) | bit(DiskOp::flush),
                   .countdown = k,
                   .sticky = sticky});
  }
  World& world() { return pair_.world; }
  [[nodiscard]] std::string failure() { return world().failure().text; }

 private:
  Node& node() { return pair_.n1; }
  SimDisk& disk() { return pair_.n1.disk(); }
  LocalPrimary& program() { return static_cast<LocalPrimary&>(*node().program()); }
  void boot() {
    node().boot([this](Node& n) { return std::make_unique<LocalPrimary>(n, doubt_); });
  }

  void submitted(const SimDisk::Seen& seen) {
    const bool data =
        seen.kind == DiskOp::write && seen.range.begin.value() < view_.places().data.value();
    if (data) check_intent(seen.range.begin.value() / 4096);
    if (crash_ == Crash::none || countdown_ == ~0ULL) return;
    if (countdown_-- != 0) return;
    countdown_ = ~0ULL;
    world().at(world().now(), [this] { end(); });
  }
  void end() {
    switch (crash_) {
      case Crash::none: break;
      case Crash::kill: node().kill(); break;
      case Crash::power_lose_all: node().power_cut(CutMode::lose_all); break;
      case Crash::power_keep_all: node().power_cut(CutMode::keep_all); break;
      case Crash::power_lose_some: node().power_cut(CutMode::lose_some); break;
    }
  }
  void check_intent(std::uint64_t block) {
    view_.refresh();
    if (!view_.covered(block)) {
      world().fail(FailureKind::safety, "D2",
                   "block " + std::to_string(block) + " is submitted without intent on media");
    }
  }
  void check_after_crash() {
    view_.refresh();
    if (!view_.valid() || view_.uuid(0) != generation) {
      world().fail(FailureKind::safety, "D6", "the superblock is none that was written");
    }
    std::set<std::uint64_t> wanted = doubt_.different;
    wanted.insert(doubt_.in_doubt.begin(), doubt_.in_doubt.end());
    for (const std::uint64_t block : wanted) {
      if (view_.covered(block)) continue;
      world().fail(FailureKind::safety, "D4/E2",
                   "block " + std::to_string(block) + " is in doubt and not covered on media");
    }
    if (world().failed()) return;
    boot();
    world().run_until([&] { return program().device() != nullptr || program().done(); },
                      Duration::seconds(60));
    if (program().device() == nullptr) {
      world().fail(FailureKind::safety, "D6", "the disk cannot be attached after the crash");
      return;
    }
    for (const std::uint64_t block : wanted) {
      if (program().device()->bitmap().test(BitmapBlock(block))) continue;
      world().fail(FailureKind::safety, "E2",
                   "block " + std::to_string(block) + " is not marked after attaching again");
    }
  }

  TwoNodes pair_;
  MetadataView view_;
  Doubt doubt_;
  std::uint64_t countdown_ = ~0ULL;
  Crash crash_ = Crash::none;
};

std::uint64_t operations_of_a_whole_run() {
  Scenario scenario(1);
  return scenario.run(~0ULL, Crash::none);
}

class CrashPoints : public testing::TestWithParam<Crash> {};

TEST_P(CrashPoints, nothing_in_doubt_is_ever_forgotten) {
  const std::uint64_t steps = operations_of_a_whole_run();
  ASSERT_GT(steps, 60U);
  const std::uint64_t repetitions = GetParam() == Crash::power_lose_some ? 6 : 1;
  for (std::uint64_t step = 0; step < steps; ++step) {
    for (std::uint64_t repetition = 0; repetition < repetitions; ++repetition) {
      Scenario scenario(1 + repetition);
      scenario.run(step, GetParam());
      ASSERT_EQ(scenario.failure(), "")
          << "crash after operation " << step << ", seed " << 1 + repetition;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(backing_device, CrashPoints,
                         testing::Values(Crash::kill, Crash::power_lose_all, Crash::power_keep_all,
                                         Crash::power_lose_some));

// The second crash hits the attach that repairs what the first one left.
TEST(backing_device, a_crash_during_the_repair_of_a_crash_loses_nothing) {
  const std::uint64_t steps = operations_of_a_whole_run();
  constexpr std::uint64_t steps_of_attach = 50;
  for (std::uint64_t first = 20; first < steps; first += 3) {
    for (std::uint64_t second = 0; second < steps_of_attach; ++second) {
      Scenario scenario(first);
      scenario.run_twice(first, second, Crash::power_lose_some);
      ASSERT_EQ(scenario.failure(), "")
          << "crashes after operations " << first << " and " << second;
    }
  }
}

class ErrorPoints : public testing::TestWithParam<bool> {};

// Whatever fails, data is not submitted without its intent (checked at each submission), nothing
// hangs, and a crash afterwards finds what it must.
TEST_P(ErrorPoints, a_failing_operation_never_lets_data_out_uncovered) {
  const std::uint64_t steps = operations_of_a_whole_run();
  for (std::uint64_t step = 0; step < steps; ++step) {
    Scenario scenario(1);
    scenario.fail_operation(step, GetParam());
    scenario.run(~0ULL, Crash::none);
    ASSERT_EQ(scenario.failure(), "") << "operation " << step << " failed";
  }
}

INSTANTIATE_TEST_SUITE_P(backing_device, ErrorPoints, testing::Bool());

}  // namespace
}  // namespace replicator::sim
