#include "tests/sim/two_primaries_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/mark.hpp"
#include "tests/sim/application.hpp"
#include "tests/sim/disk_checks.hpp"
#include "tests/sim/metadata_view.hpp"
#include "tests/sim/net.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/replica.hpp"

namespace replicator::sim {

namespace {

constexpr std::uint64_t common_generation = 0x1234567890abcdf0ULL;
constexpr std::uint16_t port = 7789;
constexpr std::size_t nobody = 2;

enum class Blow : std::uint8_t {
  none,
  cut,
  cut_soon,
  block,
  kill,
  power_cut,
  kill_both,
  disconnect
};
constexpr std::uint64_t blows = 8;

bool is_target(ConnectionState state) {
  return state == ConnectionState::wf_bitmap_t || state == ConnectionState::wf_sync_uuid ||
         state == ConnectionState::sync_target || state == ConnectionState::paused_sync_t;
}

class TwoPrimaries final : public Application::Observer {
 public:
  explicit TwoPrimaries(World& world)
      : world_(world), network_(world), prng_(world.stream("two primaries")) {
    draw();
    const ByteCount data = MetadataPlaces(disk_bytes_).data;
    oracle_ = std::make_unique<Oracle>(data.value() / sector_bytes, data.value() / sector_bytes);
    oracle_->several_writers();
    for (std::size_t i = 0; i < 2; ++i) {
      Member& member = members_[i];
      member.node = std::make_unique<Node>(world, network_, i == 0 ? "n1" : "n2",
                                           static_cast<std::uint8_t>(i + 1));
      SimDisk& disk = member.node->add_disk(disk_path(0), disk_bytes_, disks_[i]);
      create_metadata(disk.image(), common_generation);
      const MetadataPlaces places(disk_bytes_);
      disk.watch_media(ByteRange(places.bitmap, ByteOffset(disk_bytes_.value()) - places.bitmap));
      member.metadata = std::make_unique<MetadataView>(std::as_const(disk));
      member.application = std::make_unique<Application>(
          world, *oracle_, data, workload_, i == 0 ? "application" : "application of n2");
      member.application->observe(*this);
    }
    members_[1].application->share_hot_spots(*members_[0].application);
    world_.set_watcher([this](NodeId node) { watch(node); });
  }
  ~TwoPrimaries() {
    world_.set_watcher({});
    for (Member& member : members_) {
      if (member.node->running()) member.node->kill();
    }
  }
  TwoPrimaries(const TwoPrimaries&) = delete;
  TwoPrimaries& operator=(const TwoPrimaries&) = delete;

  TwoPrimariesResult run() {
    boot(0);
    boot(1);
    wait("two fresh nodes do not become Primary", [this] { return whole(); });
    for (std::uint64_t i = 0; i < rounds_ && !world_.failed(); ++i)
      round();
    if (!world_.failed()) shut_down();
    TwoPrimariesResult result;
    result.text = text_ + "; at the end: " + describe();
    result.writes = oracle_->writes();
    result.faults = faults_;
    return result;
  }

  // Application::Observer
  void answered(NodeId node, ByteRange /*range*/, Instant /*began*/, ConstBytes /*data*/) override {
    const std::size_t which = index_of(node);
    const VolumeState state = replica(which).state();
    const bool mirrored =
        state.connection >= ConnectionState::connected && state.peer_disk == DiskState::up_to_date;
    if (!mirrored) members_[which].wrote_alone = true;
  }
  Instant weak_since(NodeId node) override { return members_[index_of(node)].weak_since; }

 private:
  struct Member {
    std::unique_ptr<Node> node;
    std::unique_ptr<MetadataView> metadata;
    std::unique_ptr<Application> application;
    VolumeState seen;
    bool open = false;
    bool connected_once = false;  // since it booted
    bool wrote_alone = false;     // was answered what the peer lacks
    Instant alone_since = Instant::never();
    Instant weak_since = Oracle::strong();
    Instant reboot_at;
  };

  void draw() {
    disk_bytes_ = ByteCount((1 + prng_.below(6)) << 20U);
    if (prng_.chance(30)) disk_bytes_ = ByteCount((36 + prng_.below(8)) << 20U);
    NetOptions& net = options_.net;
    net.allow_two_primaries = true;
    net.connect_interval_seconds = 1;
    net.ping_interval_seconds = 1 + static_cast<std::uint32_t>(prng_.below(5));
    net.max_epoch_size = prng_.chance(50) ? 20 : 2048;
    if (prng_.chance(30)) net.data_integrity_alg = "crc32c";
    if (prng_.chance(25)) {
      net.protocol_version_max = 100;
    }
    net.verify_alg = "crc32c";
    options_.disk.al_extents = prng_.chance(70) ? 7 : 1237;
    options_.disk.resync_rate = 100000;
    options_.disk.c_plan_ahead_tenths = 0;
    for (DiskModel& disk : disks_) {
      disk.timing.fastest =
          Duration::microseconds(static_cast<std::int64_t>(10 + prng_.below(100)));
      disk.timing.slowest = disk.timing.fastest +
                            Duration::microseconds(static_cast<std::int64_t>(prng_.below(3000)));
      disk.timing.slow_percent = static_cast<std::uint32_t>(prng_.below(4));
      disk.check_stability = prng_.chance(50);
    }
    draw_workload();
    rounds_ = 2 + prng_.below(5);
    text_ = fmt::format(
        "two primaries: version={} disk={} al={} epoch={} clients={} hot={}/{} rounds={}",
        net.protocol_version_max, disk_bytes_.value() >> 20U, options_.disk.al_extents,
        net.max_epoch_size, workload_.clients, workload_.hot_percent, workload_.hot_spots, rounds_);
  }

  void draw_workload() {
    workload_.clients = 1 + static_cast<std::uint32_t>(prng_.below(5));
    workload_.read_percent = static_cast<std::uint32_t>(prng_.below(40));
    workload_.flush_percent = static_cast<std::uint32_t>(prng_.below(15));
    workload_.discard_percent = prng_.chance(50) ? static_cast<std::uint32_t>(prng_.below(4)) : 0;
    workload_.zeroes_percent = prng_.chance(50) ? static_cast<std::uint32_t>(prng_.below(4)) : 0;
    workload_.stable_percent = static_cast<std::uint32_t>(prng_.below(20));
    workload_.hot_percent = 50 + static_cast<std::uint32_t>(prng_.below(51));
    workload_.hot_spots = 1 + static_cast<std::uint32_t>(prng_.below(3));
    workload_.largest_sectors = 4 + static_cast<std::uint32_t>(prng_.below(60));
    workload_.burst_percent = static_cast<std::uint32_t>(prng_.below(100));
    workload_.longest_pause = Duration::microseconds(static_cast<std::int64_t>(prng_.below(10000)));
  }

  Replica& replica(std::size_t which) {
    return *static_cast<Replica*>(members_[which].node->program());
  }
  bool runs(std::size_t which) { return members_[which].node->running(); }
  std::size_t index_of(NodeId node) const { return members_[0].node->id() == node ? 0 : 1; }

  // --- what is seen ---

  void watch(NodeId node) {
    if (node == outside) return;
    const std::size_t which = index_of(node);
    Member& member = members_[which];
    if (!runs(which)) return;
    const VolumeState now = replica(which).state();
    if (now == member.seen) return;
    const VolumeState before = std::exchange(member.seen, now);
    world_.note(pack(now));
    if (world_.recording()) {
      world_.record(node, fmt::format("state {} {}/{} {}/{}", name(now.connection), name(now.role),
                                      name(now.peer_role), name(now.disk), name(now.peer_disk)));
    }
    const bool was = before.connection >= ConnectionState::connected;
    const bool is = now.connection >= ConnectionState::connected;
    if (is) member.connected_once = true;
    if (was && !is) parted(which);
    if (is_target(now.connection) && !is_target(before.connection)) sync_begins(which);
    if (is_target(before.connection) && now.connection == ConnectionState::connected &&
        now.disk == DiskState::up_to_date) {
      member.weak_since = members_[1 - which].weak_since;
    }
    agree();
  }

  void parted(std::size_t which) {
    if (calm_) {
      world_.fail(FailureKind::liveness, "L1", "the link was lost without a fault: " + describe());
    }
    members_[which].alone_since = std::min(members_[which].alone_since, world_.now());
    oracle_->divide();
  }

  void sync_begins(std::size_t target) {
    const Member& lost = members_[target];
    const bool both = lost.wrote_alone && members_[1 - target].wrote_alone;
    if (lost.wrote_alone && !(both && victim_ == target)) {
      return world_.fail(FailureKind::safety, both ? "G2" : "G1",
                         fmt::format("{} becomes sync target with what only it holds: {}",
                                     members_[target].node->name(), describe()));
    }
    if (lost.wrote_alone) oracle_->disown(lost.node->id(), lost.alone_since);
    members_[target].weak_since =
        std::max(members_[target].weak_since, members_[1 - target].weak_since);
  }

  void agree() {
    if (!in_sync(members_[0].seen) || !in_sync(members_[1].seen)) return;
    if (members_[0].wrote_alone && members_[1].wrote_alone && victim_ == nobody) {
      world_.fail(FailureKind::safety, "G2", "both wrote alone, and nobody chose: " + describe());
    }
    const Instant weak = std::max(members_[0].weak_since, members_[1].weak_since);
    for (Member& member : members_) {
      member.wrote_alone = false;
      member.alone_since = Instant::never();
      member.weak_since = weak;
    }
    victim_ = nobody;
    oracle_->unite(world_.now());
  }

  std::string describe() {
    std::string all;
    for (std::size_t i = 0; i < 2; ++i) {
      const Member& member = members_[i];
      all += fmt::format("{}{} ", i == 0 ? "" : "; ", member.node->name());
      if (!runs(i)) {
        all += "down";
        continue;
      }
      const VolumeState state = replica(i).state();
      all += fmt::format("{} {}/{} {}/{} oos={}{}{}{}", name(state.connection), name(state.role),
                         name(state.peer_role), name(state.disk), name(state.peer_disk),
                         replica(i).out_of_sync_blocks(), replica(i).busy() ? " busy" : "",
                         member.wrote_alone ? " wrote alone" : "", victim_ == i ? " victim" : "");
    }
    return all;
  }

  // --- the operator ---

  void boot(std::size_t which) {
    Member& member = members_[which];
    member.seen = VolumeState();
    member.connected_once = false;
    const PeerConfig peer{member.node->address(port), members_[1 - which].node->address(port)};
    member.node->boot([&](Node& node) { return std::make_unique<Replica>(node, options_, peer); });
  }

  void manage() {
    for (std::size_t i = 0; i < 2; ++i) {
      if (!runs(i) && members_[i].reboot_at <= world_.now()) boot(i);
      if (runs(i) && !replica(i).busy()) manage(i);
    }
  }

  void manage(std::size_t which) {
    Member& member = members_[which];
    const VolumeState state = replica(which).state();
    const bool apart = state.connection == ConnectionState::stand_alone;
    if (state.disk == DiskState::diskless) return replica(which).command(Verb::attach);
    if (apart && disconnected_until_ > world_.now()) return;
    if (victim_ == which && state.connection < ConnectionState::connected) {
      return manage_victim(which);
    }
    const bool refused = member.connected_once || replica(which).given() == Verb::connect;
    if (apart && refused && victim_ == nobody && runs(1 - which)) choose_victim();
    if (apart) return manage_reunion(which);
    if (state.role == Role::secondary) {
      if (victim_ == nobody && members_agree()) replica(which).command(Verb::primary);
    } else if (!member.open) {
      open(which);
    }
  }

  bool members_agree() {
    return runs(0) && runs(1) && in_sync(members_[0].seen) && in_sync(members_[1].seen);
  }

  // A node that parted by itself, or was never connected since it booted, is told to connect; after
  // a split brain only when the other one is ready to give up its data.
  void manage_reunion(std::size_t which) {
    const std::size_t other = 1 - which;
    const bool waits = victim_ == other && runs(other) && replica(other).role() == Role::primary;
    if (!waits) replica(which).command(Verb::connect);
  }

  // The one that wrote nothing, if there is one.
  void choose_victim() {
    victim_ = prng_.below(2);
    if (members_[0].wrote_alone != members_[1].wrote_alone) {
      victim_ = members_[0].wrote_alone ? 1 : 0;
    } else if (!members_[0].wrote_alone && last_victim_ != nobody) {
      victim_ = 1 - last_victim_;  // a generation may have begun on the other one
    }
    last_victim_ = victim_;
    mark("two primaries: a victim was chosen");
    if (members_[0].wrote_alone && members_[1].wrote_alone) mark("two primaries: both wrote alone");
    if (world_.recording()) {
      world_.record(outside, fmt::format("operator: {} is the victim", victim_ == 0 ? "n1" : "n2"));
    }
  }

  void manage_victim(std::size_t which) {
    Member& member = members_[which];
    Replica& mine = replica(which);
    const bool apart = mine.state().connection == ConnectionState::stand_alone;
    if (member.open) {
      member.application->stop();
      if (member.application->idle()) close(which);
    } else if (mine.role() == Role::primary) {
      mine.command(Verb::secondary);
    } else if (apart) {
      mine.command(Verb::connect_discarding);
    } else if (mine.given() != Verb::connect_discarding) {
      mine.command(Verb::disconnect);
    }
  }

  void open(std::size_t which) {
    Member& member = members_[which];
    if (!replica(which).device().open(true).ok()) {
      world_.fail(FailureKind::safety, "S4", "a Primary refused to be opened: " + describe());
      return;
    }
    member.open = true;
    start_clients(which);
  }

  void start_clients(std::size_t which) {
    Member& member = members_[which];
    if (!member.open || quiet_ || !member.application->idle()) return;
    const World::As as(world_, member.node->id());
    member.application->run(replica(which).clients(), member.node->id(), member.node->io().clock,
                            replica(which).device(), 1'000'000);
  }

  void close(std::size_t which) {
    replica(which).device().close(true);
    members_[which].open = false;
  }

  // --- rounds ---

  bool whole() {
    return members_agree() && members_[0].open && members_[1].open && !replica(0).busy() &&
           !replica(1).busy();
  }

  void live(Duration how_long) {
    const Instant end = world_.now() + how_long;
    while (!world_.failed() && world_.now() < end) {
      manage();
      world_.run_for(Duration::microseconds(static_cast<std::int64_t>(1 + prng_.below(20000))));
    }
  }

  void wait(const char* what, const std::function<bool()>& predicate) {
    const Instant deadline = world_.now() + Duration::seconds(240);
    bool revealed = false;
    while (!world_.failed() && !predicate()) {
      if (world_.now() > deadline) {
        world_.fail(FailureKind::liveness, "L1", fmt::format("{}: {}", what, describe()));
        return;
      }
      if (!revealed && world_.now() + Duration::seconds(120) > deadline) {
        network_.reveal_dead();
        revealed = true;
      }
      manage();
      world_.run_until(predicate, Duration::milliseconds(10));
    }
  }

  void round() {
    draw_paths();
    quiet_ = false;
    calm_ = !cut_planned_;
    for (std::size_t i = 0; i < 2; ++i)
      start_clients(i);
    if (prng_.chance(20)) verify_meanwhile();
    live(Duration::milliseconds(static_cast<std::int64_t>(20 + prng_.below(400))));
    const auto kind = static_cast<Blow>(prng_.below(blows));
    if (kind != Blow::none && !world_.failed()) blow(kind);
    wait("no healing after the fault", [this] { return whole(); });
    fall_silent();
  }

  void draw_paths() {
    const NodeId a = members_[0].node->id();
    const NodeId b = members_[1].node->id();
    for (PathOptions* path : {&network_.path(a, b), &network_.path(b, a)}) {
      path->fastest = Duration::microseconds(static_cast<std::int64_t>(10 + prng_.below(300)));
      path->slowest =
          path->fastest + Duration::microseconds(static_cast<std::int64_t>(prng_.below(4000)));
      path->choppiness = prng_.chance(60) ? 0 : 1;
    }
  }

  // It must find nothing while both write.
  void verify_meanwhile() {
    const std::size_t which = prng_.below(2);
    if (!replica(which).busy()) replica(which).command(Verb::verify);
  }

  void blow(Blow kind) {
    calm_ = false;
    ++faults_;
    for (const char* line : {"Split-Brain detected but unresolved", "the handshake was refused",
                             "I shall become SyncTarget", "waited for a packet sequence number"}) {
      world_.expect_error(line);
    }
    if (world_.recording()) {
      world_.record(outside, fmt::format("blow {}", static_cast<int>(kind)));
    }
    strike(kind);
    live(Duration::milliseconds(static_cast<std::int64_t>(1 + prng_.below(3000))));
    // While they find together again, once more.
    while (!world_.failed() && prng_.chance(30)) {
      strike(static_cast<Blow>(1 + prng_.below(blows - 1)));
      live(Duration::milliseconds(static_cast<std::int64_t>(1 + prng_.below(3000))));
    }
    network_.heal_all();
    if (prng_.chance(60)) network_.reveal_dead();
  }

  void strike(Blow kind) {
    const NodeId a = members_[0].node->id();
    const NodeId b = members_[1].node->id();
    const std::size_t which = prng_.below(2);
    const auto cut = static_cast<CutKind>(prng_.below(5));
    switch (kind) {
      case Blow::none: break;
      case Blow::cut: network_.cut_all(a, b, cut); break;
      case Blow::cut_soon:
        cut_planned_ = true;
        network_.cut_one_after(a, b, prng_.below(2), prng_.chance(50), prng_.below(20000), cut);
        break;
      case Blow::block:
        network_.block(a, b);
        if (prng_.chance(50)) network_.block(b, a);
        break;
      case Blow::kill: kill(which); break;
      case Blow::power_cut: power_cut(which); break;
      case Blow::kill_both:
        kill(which);
        kill(1 - which);
        break;
      case Blow::disconnect:
        disconnected_until_ =
            world_.now() + Duration::milliseconds(static_cast<std::int64_t>(prng_.below(2000)));
        if (runs(which) && !replica(which).busy()) replica(which).command(Verb::disconnect);
        break;
    }
  }

  void died(std::size_t which) {
    Member& member = members_[which];
    if (member.open) member.application->node_died(member.node->id());
    member.open = false;
    member.seen = VolumeState();
    member.alone_since = std::min(member.alone_since, world_.now());
    member.reboot_at =
        world_.now() + Duration::milliseconds(static_cast<std::int64_t>(prng_.below(2000)));
    oracle_->divide();
    check_covered();
  }

  void kill(std::size_t which) {
    if (!runs(which)) return;
    members_[which].node->kill();
    died(which);
  }

  // What only its cache held is gone, so that only one that lacks nothing elsewhere is hit.
  void power_cut(std::size_t which) {
    if (!runs(which)) return;
    members_[which].node->power_cut(CutMode::drawn);
    members_[which].weak_since = world_.now();
    died(which);
  }

  // --- checks ---

  const Image& image(std::size_t which) { return members_[which].node->disk().image(); }

  void check_covered() {
    const std::vector<std::uint64_t> blocks =
        uncovered_blocks(image(0), *members_[0].metadata, image(1), *members_[1].metadata);
    if (blocks.empty()) return;
    world_.fail(
        FailureKind::safety, "E2",
        fmt::format("block {} differs and nothing says so: {}", blocks.front(), describe()));
  }

  void check_equal() {
    const auto block =
        different_block(image(0), *members_[0].metadata, image(1), *members_[1].metadata);
    if (block) {
      return world_.fail(
          FailureKind::safety, "E1",
          fmt::format("block {} differs although all is quiet: {}", *block, describe()));
    }
    const std::string wrong = oracle_->check_image(image(0), world_.now(), members_[0].weak_since);
    if (!wrong.empty()) world_.fail(FailureKind::safety, "D1", wrong);
  }

  bool idle() const { return members_[0].application->idle() && members_[1].application->idle(); }

  void fall_silent() {
    if (world_.failed()) return;
    quiet_ = true;
    for (Member& member : members_)
      member.application->stop();
    wait("a request is never answered", [this] { return idle(); });
    // A connection that is dead since before may be found out only now.
    for (int i = 0; i < 10 && !world_.failed(); ++i) {
      wait("not in sync when quiet", [this] { return whole(); });
      world_.run_for(Duration::seconds(2));
      if (whole()) break;
    }
    if (world_.failed()) return;
    if (!whole()) {
      return world_.fail(FailureKind::liveness, "L1", "not quiet: " + describe());
    }
    check_equal();
    for (std::size_t i = 0; i < 2 && !world_.failed(); ++i) {
      if (replica(i).out_of_sync_blocks() == 0) continue;
      world_.fail(FailureKind::safety, "E1", "blocks stay marked: " + describe());
    }
  }

  void command(std::size_t which, Verb verb) {
    if (world_.failed()) return;
    replica(which).command(verb);
    world_.run_until([&] { return !replica(which).busy(); }, Duration::seconds(60));
    if (world_.failed() || (!replica(which).busy() && replica(which).last_ok())) return;
    world_.fail(
        FailureKind::liveness, "L4",
        fmt::format("{} of {} failed: {}", name(verb), members_[which].node->name(), describe()));
  }

  void shut_down() {
    calm_ = false;
    network_.reveal_dead();
    world_.run_for(Duration::seconds(1));
    wait("not in sync before the end", [this] { return whole(); });
    if (world_.failed()) return;
    for (std::size_t i = 0; i < 2; ++i)
      close(i);
    for (std::size_t i = 0; i < 2; ++i)
      command(i, Verb::down);
    if (world_.failed()) return;
    world_.run_for(Duration::seconds(1));
    for (Member& member : members_)
      member.node->stop();
    check_equal();
    for (Member& member : members_) {
      member.metadata->refresh();
      if (member.metadata->marked_blocks() == 0 &&
          (member.metadata->flags() & md_flag::primary) == 0) {
        continue;
      }
      world_.fail(
          FailureKind::safety, "E1",
          fmt::format("after a clean end {} has {} blocks marked, flags {:#x}", member.node->name(),
                      member.metadata->marked_blocks(), member.metadata->flags()));
    }
  }

  World& world_;
  SimNetwork network_;
  Prng prng_;
  ReplicaOptions options_;
  ByteCount disk_bytes_{1U << 20U};
  std::array<DiskModel, 2> disks_;
  Workload workload_;
  std::unique_ptr<Oracle> oracle_;
  std::array<Member, 2> members_;
  std::string text_;
  std::uint64_t rounds_ = 0;
  std::uint32_t faults_ = 0;
  std::size_t victim_ = nobody;
  std::size_t last_victim_ = nobody;
  Instant disconnected_until_ = Instant(-1);
  bool quiet_ = false;
  bool calm_ = false;  // no fault yet: the link must stay
  bool cut_planned_ = false;
};

}  // namespace

TwoPrimariesResult run_two_primaries(World& world) {
  TwoPrimaries history(world);
  return history.run();
}

}  // namespace replicator::sim
