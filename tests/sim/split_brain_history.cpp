#include "tests/sim/split_brain_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/mark.hpp"
#include "tests/sim/metadata_view.hpp"
#include "tests/sim/net.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/replica.hpp"
#include "tests/sim/undo_store.hpp"
#include "undo/undo_format.hpp"

namespace replicator::sim {

namespace {

using Asb = AfterSplitBrain;

constexpr std::uint64_t disk_bytes = 3U << 20U;
constexpr std::uint64_t common_generation = 0x1234567890abcdf0ULL;
constexpr std::uint16_t port = 7789;
constexpr std::array zero_policies{
    Asb::disconnect,           Asb::discard_younger_primary, Asb::discard_older_primary,
    Asb::discard_zero_changes, Asb::discard_least_changes,   Asb::discard_local,
    Asb::discard_remote};
constexpr std::array one_policies{Asb::disconnect, Asb::consensus, Asb::violently_as0p,
                                  Asb::discard_secondary, Asb::call_pri_lost_after_sb};
constexpr std::array conflict_policies{ConflictPolicy::disconnect, ConflictPolicy::call_pri_lost,
                                       ConflictPolicy::violently};

Asb mirrored(Asb policy) {
  if (policy == Asb::discard_local) return Asb::discard_remote;
  if (policy == Asb::discard_remote) return Asb::discard_local;
  return policy;
}

struct alignas(block_bytes) Block {
  std::array<std::byte, block_bytes> bytes;
};

Task<void> write_block(io::BlockDevice& device, ByteOffset at, const Block& block, Status& result,
                       bool& done) {
  const ByteRange range(at, ByteCount(block_bytes));
  result = co_await device.write(range, block.bytes, false);
  done = true;
}

class SplitBrain {
 public:
  explicit SplitBrain(World& world)
      : world_(world), network_(world), prng_(world.stream("split brain")) {
    for (const char* line : {"Split-Brain detected but unresolved", "the handshake was refused",
                             "I shall become SyncTarget", "disk failed, detaching from"}) {
      world.expect_error(line);
    }
    draw();
    for (std::size_t i = 0; i < 2; ++i) {
      nodes_[i] = std::make_unique<Node>(world, network_, i == 0 ? "n1" : "n2",
                                         static_cast<std::uint8_t>(i + 1));
      SimDisk& disk = nodes_[i]->add_disk("/dev/disk", ByteCount(disk_bytes), DiskModel());
      create_metadata(disk.image(), common_generation);
      undo_[i] = std::make_unique<SimUndoStore>(*nodes_[i]);
    }
  }
  ~SplitBrain() {
    for (const std::unique_ptr<Node>& node : nodes_) {
      if (node->running()) node->kill();
    }
  }
  SplitBrain(const SplitBrain&) = delete;
  SplitBrain& operator=(const SplitBrain&) = delete;

  std::string run() {
    boot(0);
    boot(1);
    for (const std::size_t i : {0U, 1U})
      command(i, Verb::attach);
    for (const std::size_t i : {0U, 1U})
      command(i, Verb::connect);
    wait("they do not connect", Duration::seconds(60), [&] { return in_sync(); });
    part();
    meet();
    if (!world_.failed()) judge();
    return text_;
  }

 private:
  void draw() {
    zero_ = zero_policies[prng_.below(zero_policies.size())];
    one_ = one_policies[prng_.below(one_policies.size())];
    conflict_ = conflict_policies[prng_.below(conflict_policies.size())];
    for (std::size_t i = 0; i < 2; ++i) {
      stays_primary_[i] = i == 0 && prng_.chance(40);
      changes_[i] = prng_.chance(20) ? 0 : 1 + prng_.below(6);
    }
    if (prng_.chance(50)) std::swap(stays_primary_[0], stays_primary_[1]);
    primary_at_loss_ = prng_.below(3);
    faults_ = prng_.chance(60) ? prng_.below(6) : 0;
    options_.net.after_sb_1pri = one_;
    options_.net.rr_conflict = conflict_;
    options_.net.connect_interval_seconds = 1;
    options_.net.ping_interval_seconds = 1;
    text_ = fmt::format(
        "split brain: 0pri={} 1pri={} rr={} primary={}{} loss={} changes={},{} "
        "faults={}",
        static_cast<int>(zero_), static_cast<int>(one_), static_cast<int>(conflict_),
        stays_primary_[0], stays_primary_[1], primary_at_loss_, changes_[0], changes_[1], faults_);
  }

  Replica& replica(std::size_t which) { return *static_cast<Replica*>(nodes_[which]->program()); }

  void boot(std::size_t which) {
    const PeerConfig peer{nodes_[which]->address(port), nodes_[1 - which]->address(port)};
    ReplicaOptions options = options_;
    options.undo = undo_[which].get();
    options.net.after_sb_0pri = which == 0 ? zero_ : mirrored(zero_);
    nodes_[which]->boot([&](Node& node) { return std::make_unique<Replica>(node, options, peer); });
  }

  void wait(const char* what, Duration limit, const std::function<bool()>& predicate) {
    if (world_.failed() || world_.run_until(predicate, limit) || world_.failed()) return;
    world_.fail(FailureKind::liveness, "L1", std::string(what) + ": " + describe());
  }

  void command(std::size_t which, Verb verb) {
    if (world_.failed()) return;
    wait("a command does not end", Duration::seconds(120), [&] { return !replica(which).busy(); });
    if (world_.failed()) return;
    replica(which).command(verb);
    wait("a command does not end", Duration::seconds(120), [&] { return !replica(which).busy(); });
  }

  void write_blocks(std::size_t which, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count && !world_.failed(); ++i) {
      const std::uint64_t block = prng_.below(256);
      block_.bytes.fill(static_cast<std::byte>(1 + prng_.below(255)));
      Status status;
      bool done = false;
      {
        const World::As as(world_, nodes_[which]->id());
        replica(which).clients().start(write_block(
            replica(which).device(), ByteOffset(block * block_bytes), block_, status, done));
      }
      wait("a write is not answered", Duration::seconds(60), [&] { return done; });
      if (!world_.failed() && !status.ok()) {
        world_.fail(FailureKind::safety, "D7", "a Primary with a good disk refused a write");
      }
    }
  }

  // Each is Primary for a while, alone.
  void part() {
    if (primary_at_loss_ < 2) {
      command(primary_at_loss_, Verb::primary);
      write_blocks(primary_at_loss_, 1 + prng_.below(4));
    }
    const std::size_t first = prng_.below(2);
    command(first, Verb::disconnect);
    command(1 - first, Verb::disconnect);
    for (const std::size_t which : {first, 1 - first}) {
      if (world_.failed()) return;
      if (replica(which).role() != Role::primary) command(which, Verb::primary);
      write_blocks(which, changes_[which]);
      if (!stays_primary_[which]) command(which, Verb::secondary);
      if (world_.failed()) return;
      held_[which] = content(which);
      marked_[which] = replica(which).out_of_sync_blocks();
    }
  }

  void meet() {
    for (const std::size_t which : {0U, 1U})
      command(which, Verb::connect);
    for (std::uint64_t i = 0; i < faults_ && !world_.failed(); ++i) {
      world_.run_for(Duration::milliseconds(static_cast<std::int64_t>(prng_.below(3000))));
      fault();
      reconnect();
    }
    network_.heal_all();
    network_.reveal_dead();
    // Long enough for a resync, or for both to find out that there will be none.
    for (int i = 0; i < 60 && !world_.failed() && !in_sync(); ++i) {
      world_.run_for(Duration::seconds(1));
      if (i % 10 == 9) reconnect();
    }
  }

  void fault() {
    const NodeId a = nodes_[0]->id();
    const NodeId b = nodes_[1]->id();
    const auto cut = static_cast<CutKind>(prng_.below(5));
    switch (prng_.below(4)) {
      case 0: network_.cut_all(a, b, cut); break;
      case 1:
        network_.cut_one_after(a, b, prng_.below(2), prng_.chance(50), prng_.below(4000), cut);
        break;
      case 2: network_.cut_one(a, b, prng_.below(2), prng_.chance(50), cut); break;
      default: restart(prng_.below(2)); break;
    }
  }

  // The process dies and comes back, Secondary.
  void restart(std::size_t which) {
    nodes_[which]->kill();
    restarted_ = true;
    boot(which);
    command(which, Verb::attach);
    command(which, Verb::connect);
  }

  // Whoever went StandAlone is told to try again, as an operator would.
  void reconnect() {
    for (const std::size_t which : {0U, 1U}) {
      if (world_.failed()) return;
      const VolumeState state = replica(which).state();
      if (state.connection == ConnectionState::stand_alone) command(which, Verb::connect);
    }
  }

  bool in_sync() {
    for (std::size_t i = 0; i < 2; ++i) {
      const VolumeState state = replica(i).state();
      if (state.connection != ConnectionState::connected || state.disk != DiskState::up_to_date ||
          state.peer_disk != DiskState::up_to_date) {
        return false;
      }
    }
    return true;
  }

  std::vector<std::byte> content(std::size_t which) const {
    std::vector<std::byte> data(MetadataPlaces(ByteCount(disk_bytes)).data.value());
    nodes_[which]->disk().image().read(ByteOffset(0), data);
    return data;
  }

  // The survivor that the policy names whoever answers first; nothing when that is open.
  std::optional<std::size_t> survivor() const {
    if (restarted_) return std::nullopt;  // roles and marks are not what they were
    const bool primary = stays_primary_[0] || stays_primary_[1];
    const std::size_t keeper = stays_primary_[0] ? 0 : 1;
    if (primary && one_ == Asb::discard_secondary) return keeper;
    if (primary && one_ == Asb::consensus) return keeper;
    if (zero_ == Asb::discard_local) return 1;
    if (zero_ == Asb::discard_remote) return 0;
    // An exchange of bitmaps that broke off leaves other counts.
    const bool counts = faults_ == 0;
    if (counts && zero_ == Asb::discard_least_changes && marked_[0] != marked_[1]) {
      return marked_[0] > marked_[1] ? 0 : 1;
    }
    if (counts && zero_ == Asb::discard_zero_changes && (marked_[0] == 0) != (marked_[1] == 0)) {
      return marked_[0] != 0 ? 0 : 1;
    }
    if (primary_at_loss_ < 2 && zero_ == Asb::discard_younger_primary) return primary_at_loss_;
    if (primary_at_loss_ < 2 && zero_ == Asb::discard_older_primary) return 1 - primary_at_loss_;
    return std::nullopt;
  }

  // Nobody may decide, however often they meet.
  bool must_stay_apart() const {
    const bool primary = stays_primary_[0] || stays_primary_[1];
    if (zero_ != Asb::disconnect &&
        !(zero_ == Asb::discard_zero_changes && changes_[0] != 0 && changes_[1] != 0)) {
      return primary && !restarted_ && one_ == Asb::disconnect;
    }
    return !primary || one_ != Asb::discard_secondary;
  }

  // Is what `which` held, and does not hold any more, in its undo files?
  bool kept(std::size_t which, const std::vector<std::byte>& now) {
    for (std::uint64_t at = 0; at + block_bytes <= now.size(); at += block_bytes) {
      const ConstBytes held = ConstBytes(held_[which]).subspan(at, block_bytes);
      if (std::ranges::equal(held, ConstBytes(now).subspan(at, block_bytes))) continue;
      bool found = false;
      for (const SimDisk* file : undo_[which]->files()) {
        const UndoHeader header = undo_header(*file);
        std::array<std::byte, block_bytes> bits;
        std::array<std::byte, block_bytes> block;
        file->image().read(header.bitmap_at(), bits);
        file->image().read(header.data_at() + ByteCount(at), block);
        const std::uint64_t bit = at / block_bytes;
        const bool set = ((bits[bit / 8] >> (bit % 8)) & std::byte{1}) != std::byte{0};
        found = found || (set && std::ranges::equal(held, block));
      }
      if (!found) return false;
    }
    return true;
  }

  static UndoHeader undo_header(const SimDisk& file) {
    std::array<std::byte, undo_header_bytes> block;
    file.image().read(ByteOffset(0), block);
    const Result<UndoHeader> header = decode_undo_header(block);
    return header ? *header : UndoHeader();
  }

  void judge() {
    const std::vector<std::byte> a = content(0);
    if (!in_sync()) {
      for (std::size_t i = 0; i < 2; ++i) {
        if (replica(i).state().disk == DiskState::up_to_date && content(i) != held_[i]) {
          return world_.fail(FailureKind::safety, "G1", "unresolved, but changed: " + describe());
        }
      }
      mark("split brain stays");
      return;
    }
    mark("split brain resolved");
    if (must_stay_apart()) {
      return world_.fail(FailureKind::safety, "G2", "resolved without a policy: " + describe());
    }
    if (a != content(1)) return world_.fail(FailureKind::safety, "E1", "replicas differ");
    const bool first = a == held_[0];
    const bool second = a == held_[1];
    if (!first && !second) {
      return world_.fail(FailureKind::safety, "G1", "neither side's data: " + describe());
    }
    const std::optional<std::size_t> named = survivor();
    if (named && !(*named == 0 ? first : second)) {
      return world_.fail(FailureKind::safety, "G1",
                         fmt::format("the policy names n{}: {}", *named + 1, describe()));
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (kept(i, a)) continue;
      return world_.fail(
          FailureKind::safety, "U1",
          fmt::format("what n{} lost is not in its undo file: {}", i + 1, describe()));
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (replica(i).out_of_sync_blocks() == 0) continue;
      return world_.fail(FailureKind::safety, "E1", "blocks stay marked: " + describe());
    }
  }

  std::string describe() {
    std::string all = text_;
    for (std::size_t i = 0; i < 2; ++i) {
      if (!nodes_[i]->running()) continue;
      const VolumeState state = replica(i).state();
      all += fmt::format("; {} {} {} {}/{}", nodes_[i]->name(), name(state.connection),
                         name(state.role), name(state.disk), name(state.peer_disk));
    }
    return all;
  }

  World& world_;
  SimNetwork network_;
  Prng prng_;
  ReplicaOptions options_;
  Asb zero_ = Asb::disconnect;
  Asb one_ = Asb::disconnect;
  ConflictPolicy conflict_ = ConflictPolicy::disconnect;
  std::array<bool, 2> stays_primary_{};
  std::array<std::uint64_t, 2> changes_{};
  std::array<std::uint64_t, 2> marked_{};
  std::size_t primary_at_loss_ = 2;
  std::uint64_t faults_ = 0;
  bool restarted_ = false;
  std::string text_;
  Block block_{};
  std::array<std::vector<std::byte>, 2> held_;  // when they met
  std::array<std::unique_ptr<SimUndoStore>, 2> undo_;
  std::array<std::unique_ptr<Node>, 2> nodes_;
};

}  // namespace

std::string run_split_brain(World& world) {
  SplitBrain history(world);
  return history.run();
}

}  // namespace replicator::sim
