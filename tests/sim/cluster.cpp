#include "tests/sim/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace replicator::sim {

namespace {

constexpr std::uint16_t port = 7789;
constexpr std::uint64_t common_generation = 0x1234567890abcdf0ULL;

bool is_target(ConnectionState state) {
  return state == ConnectionState::wf_bitmap_t || state == ConnectionState::wf_sync_uuid ||
         state == ConnectionState::starting_sync_t || state == ConnectionState::sync_target ||
         state == ConnectionState::paused_sync_t;
}

std::string text_of(const VolumeState& state) {
  return fmt::format("{} {}/{} {}/{}", replicator::name(state.connection),
                     replicator::name(state.role), replicator::name(state.peer_role),
                     replicator::name(state.disk), replicator::name(state.peer_disk));
}

}  // namespace

Cluster::Truth::Truth(Cluster& owner, std::size_t volume, ByteCount bytes)
    : cluster(owner),
      number(volume),
      disk_bytes(bytes),
      oracle((MetadataPlaces(bytes).data + growth_limit).value() / sector_bytes,
             MetadataPlaces(bytes).data.value() / sector_bytes),
      application(owner.world_, oracle, MetadataPlaces(bytes).data, owner.options_.workload,
                  volume == 0 ? "application" : fmt::format("application {}", volume)),
      ever_in_sync(owner.options_.synced_at_start) {
  application.observe(*this);
}

Cluster::Cluster(World& world, const ClusterOptions& options)
    : world_(world), options_(options), network_(world), prng_(world.stream("cluster")) {
  options_.replica.volumes = 1 + static_cast<std::uint32_t>(options.more_volumes.size());
  truths_.push_back(std::make_unique<Truth>(*this, 0, options.disk_bytes));
  for (const VolumeOptions& more : options.more_volumes)
    truths_.push_back(std::make_unique<Truth>(*this, truths_.size(), more.disk_bytes));
  for (std::size_t i = 0; i < 2; ++i) {
    Member& member = nodes_[i];
    member.node = std::make_unique<Node>(world, network_, i == 0 ? "n1" : "n2",
                                         static_cast<std::uint8_t>(i + 1));
    member.shares.resize(truths_.size());
    add_disk(i, 0, options.disks[i]);
    for (std::size_t v = 1; v < truths_.size(); ++v)
      add_disk(i, v, options.more_volumes[v - 1].disks[i]);
    member.node->clock().set_drift_ppm(options.drift_ppm[i]);
  }
  for (const auto& [from, to] : {std::pair(0, 1), std::pair(1, 0)}) {
    network_.path(nodes_[static_cast<std::size_t>(from)].node->id(),
                  nodes_[static_cast<std::size_t>(to)].node->id()) = options.path;
  }
  if (fencing()) world_.expect_error("fence-peer helper broken");
  world_.set_watcher([this](NodeId node) { watch(node); });
}

void Cluster::add_disk(std::size_t which, std::size_t volume, const DiskModel& model) {
  const ByteCount bytes = truths_[volume]->disk_bytes;
  SimDisk& disk = node(which).add_disk(disk_path(volume), bytes, model);
  create_metadata(disk.image(), options_.synced_at_start ? common_generation : 4);
  share(which, volume).metadata = std::make_unique<MetadataView>(std::as_const(disk));
  const MetadataPlaces places(bytes);
  disk.watch_media(ByteRange(places.bitmap, ByteOffset(disk.size().value()) - places.bitmap));
  disk.on_submit(
      [this, which, volume](const SimDisk::Seen& seen) { submitted(which, volume, seen); });
}

// Programs refer to the application and the oracle.
Cluster::~Cluster() {
  world_.set_watcher({});
  for (Member& member : nodes_) {
    if (member.node->running()) member.node->kill();
  }
}

// --- life of the nodes ---

void Cluster::boot(std::size_t which) {
  Member& member = nodes_[which];
  member.configured = false;
  for (std::size_t v = 0; v < volumes(); ++v) {
    find_metadata(which, v);
    share(which, v).seen = VolumeState();
    share(which, v).bad_since = Instant::never();
    share(which, v).no_data_since = Instant::never();
  }
  const PeerConfig peer{member.node->address(port), nodes_[other(which)].node->address(port)};
  member.node->boot(
      [&](Node& node) { return std::make_unique<Replica>(node, options_.replica, peer); });
}

// What the protocol does not promise to keep: with A what a Primary that died may not have sent,
// with A and B what a node that died may have received and not written.
void Cluster::excuse_losses(std::size_t which) noexcept {
  const WireProtocol protocol = options_.replica.net.protocol;
  if (protocol == WireProtocol::c) return;
  if (primary_ == which && protocol != WireProtocol::a) return;
  Member& loser = nodes_[primary_ == which ? other(which) : which];
  for (Share& share : loser.shares)
    share.weak_since = world_.now();
}

void Cluster::died(std::size_t which) {
  excuse_losses(which);
  if (primary_ == which) {
    for (const std::unique_ptr<Truth>& truth : truths_)
      truth->application.node_died(nodes_[which].node->id());
    primary_ = nobody;
    clients_open_ = false;
    switching_ = false;
  }
  if (promoting_ == which) {
    // Its generation may be on media or not; nothing was written into it. As before, if an earlier
    // promotion was broken off as well.
    for (std::size_t v = 0; v < volumes(); ++v) {
      Share& peer = share(other(which), v);
      peer.outdone = peer.stale && (peer.outdone || !truths_[v]->stale_before);
    }
    promoting_ = nobody;
  }
  Member& member = nodes_[which];
  for (Share& share : member.shares) {
    share.seen = VolumeState();
    share.bad_since = Instant::never();
    share.no_data_since = Instant::never();
    share.detached_until = Instant(-1);
    share.sync_paused_until = Instant(-1);
    share.verify_wanted = false;
  }
  member.disconnected_until = Instant(-1);
  member.crash_countdown = 0;
  const auto longest = static_cast<std::uint64_t>(options_.reboot_delay_max.nanoseconds());
  member.reboot_at =
      world_.now() + Duration::nanoseconds(static_cast<std::int64_t>(prng_.below(longest + 1)));
  for (std::size_t v = 0; v < volumes(); ++v)
    check_superblock(which, v);
}

void Cluster::lose_caches(std::size_t which) noexcept {
  for (std::size_t v = 0; v < volumes(); ++v) {
    if (disk(which, v).options().volatile_cache) share(which, v).weak_since = world_.now();
  }
}

void Cluster::kill(std::size_t which) {
  if (!node(which).running()) return;
  node(which).kill();
  died(which);
  check_covered();
}

void Cluster::power_cut(std::size_t which, CutMode mode) {
  if (!node(which).running()) return;
  node(which).power_cut(mode);
  lose_caches(which);
  died(which);
  check_covered();
}

void Cluster::crash_at_operation(std::size_t which, std::uint64_t k, bool with_power) {
  nodes_[which].crash_countdown = k + 1;
  nodes_[which].crash_with_power = with_power;
}

void Cluster::submitted(std::size_t which, std::size_t volume, const SimDisk::Seen& seen) {
  Member& member = nodes_[which];
  if (options_.check_d2) check_intent(which, volume, seen);
  if (member.crash_countdown == 0 || --member.crash_countdown != 0) return;
  const std::uint32_t boots = member.node->boots();
  world_.at(world_.now(), [this, which, boots] {
    if (nodes_[which].node->boots() != boots) return;
    if (nodes_[which].crash_with_power) power_cut(which, CutMode::drawn);
    else kill(which);
  });
}

void Cluster::power_cut_both(CutMode mode) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (!node(i).running()) continue;
    node(i).power_cut(mode);
    lose_caches(i);
    died(i);
  }
  check_covered();
}

bool Cluster::start() {
  boot(0);
  boot(1);
  const bool connected = world_.run_until(
      [&] {
        manage_member(0);
        manage_member(1);
        return std::all_of(nodes_.begin(), nodes_.end(), [](const Member& member) {
          return std::all_of(member.shares.begin(), member.shares.end(), [](const Share& share) {
            return share.seen.connection == ConnectionState::connected;
          });
        });
      },
      Duration::seconds(120));
  if (!connected) {
    world_.fail(FailureKind::liveness, "L1", "two fresh nodes did not connect: " + describe());
    return false;
  }
  replica(0)->command(options_.synced_at_start ? Verb::primary : Verb::primary_force);
  promoting_ = 0;
  const bool promoted_in_time = world_.run_until(
      [&] {
        manage_role();
        return primary_ == 0;
      },
      Duration::seconds(60));
  if (!promoted_in_time) {
    world_.fail(FailureKind::liveness, "L1", "the first promotion failed: " + describe());
    return false;
  }
  return true;
}

// --- watching ---

void Cluster::watch(NodeId node) {
  if (node == outside) return;
  const std::size_t which = index_of(node);
  if (!nodes_[which].node->running()) return;
  observe(which);
}

void Cluster::observe(std::size_t which) {
  for (std::size_t v = 0; v < volumes(); ++v) {
    const VolumeState now = replica(which)->state(v);
    if (now == share(which, v).seen) continue;
    const VolumeState before = std::exchange(share(which, v).seen, now);
    note_change(which, v, before, now);
    agree(v);
  }
}

void Cluster::note_change(std::size_t which, std::size_t volume, const VolumeState& before,
                          const VolumeState& now) {
  world_.note(pack(now) + volume);
  if (world_.recording()) {
    const std::string label = volumes() == 1 ? "state" : fmt::format("volume {}", volume);
    world_.record(node(which).id(), label + " " + text_of(before) + " -> " + text_of(now));
  }
  note_data(which, volume, before, now);
  if (now.connection == ConnectionState::disconnecting) {
    const bool shaking = before.connection == ConnectionState::wf_report_params;
    nodes_[which].refused = shaking || (volume != 0 && nodes_[which].refused);
  }
  if (volume == 0) note_connection(which, before, now);
}

bool Cluster::same_generation_on_media(std::size_t volume) {
  for (std::size_t i = 0; i < 2; ++i)
    share(i, volume).metadata->refresh();
  return (share(0, volume).metadata->uuid(0) | 1U) == (share(1, volume).metadata->uuid(0) | 1U);
}

void Cluster::note_data(std::size_t which, std::size_t volume, const VolumeState& before,
                        const VolumeState& now) {
  Share& member = share(which, volume);
  Share& peer = share(other(which), volume);
  // A Primary with only one of the two replicas begins a generation there, written to or not.
  const bool here = now.disk == DiskState::up_to_date;
  const bool there = now.peer_disk == DiskState::up_to_date;
  // A finished target has what its source had, even when the source never hears of the end.
  if (is_target(before.connection) && before.disk == DiskState::inconsistent && here) {
    member.stale = peer.stale;
  }
  // Told to take the peer's data, a Primary gives up what it has not been told of by then.
  const bool gives_up = now.connection == ConnectionState::starting_sync_t &&
                        before.connection != ConnectionState::starting_sync_t;
  if (gives_up && now.role == Role::primary && options_.replica.net.protocol != WireProtocol::c) {
    peer.stale = peer.lacks = false;
    peer.weak_since = world_.now();
  }
  const bool begun = !now.suspended();  // while it is suspended it is only owed
  // The news that a target has finished may be on the way to its source.
  const bool ahead =
      now.connection > ConnectionState::connected && before.disk == DiskState::up_to_date &&
      before.peer_disk != DiskState::up_to_date && before.role == now.role &&
      peer.seen.connection == ConnectionState::connected && peer.seen.disk == DiskState::up_to_date;
  if (now.role == Role::primary && here && !there && begun && !ahead) peer.stale = true;
  if (now.role == Role::primary && there && !here) member.stale = true;
  // Its disk went before the generation that it began alone was written: nothing was answered in
  // it, and it is forgotten.
  if (now.role == Role::primary && before.disk == DiskState::up_to_date && !there &&
      now.disk < DiskState::inconsistent && !peer.lacks && same_generation_on_media(volume)) {
    peer.stale = false;
  }
  // Its disk is back, and nothing was answered in between.
  const bool back = before.disk < DiskState::inconsistent && here;
  if (now.role == Role::primary && back && !member.lacks) member.stale = false;
  // The end of a resync: it has what the source had, even when that goes before both agree.
  if (before.connection == ConnectionState::sync_target &&
      now.connection == ConnectionState::connected && here) {
    member.stale = peer.stale;
    member.lacks = peer.lacks;
  }
  if (here) member.bad_since = Instant::never();
  else if (member.bad_since == Instant::never()) member.bad_since = world_.now();
  if (here || there) member.no_data_since = Instant::never();
  else if (member.no_data_since == Instant::never()) member.no_data_since = world_.now();
  if (is_target(now.connection) && !is_target(before.connection)) sync_begins(which, volume);
  // A finished resync made it the equal of its source; one that never began changed nothing.
  if (is_target(before.connection) && before.disk == DiskState::inconsistent &&
      now.connection == ConnectionState::connected && here) {
    member.stale = peer.stale;
    member.lacks = peer.lacks;
  }
}

// Told by the first volume; the connection is that of all.
void Cluster::note_connection(std::size_t which, const VolumeState& before,
                              const VolumeState& now) {
  if (now.connection != ConnectionState::stand_alone ||
      before.connection == ConnectionState::stand_alone) {
    return;
  }
  const bool congested = options_.replica.net.on_congestion == OnCongestion::disconnect;
  const bool asked_for =
      replica(which)->given() == Verb::disconnect || (congested && !nodes_[which].refused);
  // A Primary that lost its disk refuses older data: it waits for its own, or for a newer peer.
  bool keeps_out = false;
  for (std::size_t v = 0; v < volumes(); ++v) {
    const bool without = replica(which)->state(v).disk < DiskState::inconsistent;
    keeps_out = keeps_out || (now.role == Role::primary && without);
  }
  if (!asked_for && !keeps_out && roles_managed_ && !resolve_split_brain()) {
    world_.fail(FailureKind::liveness, "L1",
                fmt::format("{} went StandAlone by itself: {} -> {}; {}", node(which).name(),
                            text_of(before), text_of(now), describe()));
  }
}

void Cluster::disks_may_go() {
  disks_may_go_ = true;
  for (const char* line : {": local ", "disk failed, detaching from",
                           "can only connect to data with the generation in use",
                           "Split-Brain detected but unresolved", "the handshake was refused",
                           "Disk attach process on the peer node was aborted"}) {
    world_.expect_error(line);
  }
}

// By the meta data: neither generation is in the other one's past.
bool Cluster::diverged(std::size_t volume) {
  const auto knows = [&](std::size_t which, std::uint64_t generation) {
    for (std::size_t slot = 0; slot < 4; ++slot) {
      const std::uint64_t mine = share(which, volume).metadata->uuid(slot);
      if ((mine & ~1ULL) == (generation & ~1ULL)) return true;
    }
    return false;
  };
  for (std::size_t i = 0; i < 2; ++i)
    share(i, volume).metadata->refresh();
  return !knows(0, share(1, volume).metadata->uuid(0)) &&
         !knows(1, share(0, volume).metadata->uuid(0));
}

// A node that serves a diskless Primary begins a generation for it, which the Primary may never
// come to use: then both have one of their own. The node that lacks nothing keeps its data.
bool Cluster::resolve_split_brain() {
  if (!disks_may_go_) return false;
  std::array<bool, 2> stale{};
  std::array<bool, 2> lacks{};
  for (std::size_t v = 0; v < volumes(); ++v) {
    if (share(0, v).lacks && share(1, v).lacks) return false;
    if (volumes() > 1 && !diverged(v)) continue;  // whoever is the victim: no data of it are
    for (std::size_t i = 0; i < 2; ++i) {
      stale[i] = stale[i] || share(i, v).stale;
      lacks[i] = lacks[i] || share(i, v).lacks;
    }
  }
  if (lacks[0] && lacks[1]) {
    undecidable_ = true;
    return true;
  }
  if (!stale[0] && !stale[1]) return false;
  std::size_t victim = stale[0] ? 0 : 1;
  if (stale[0] && stale[1]) {
    // Nothing was written into one of the two generations.
    victim = lacks[0] ? 0 : 1;
    if (lacks[0] == lacks[1] && primary_ == 1) victim = 0;
  }
  for (std::size_t v = 0; v < volumes(); ++v) {
    if (volumes() == 1 || diverged(v)) share(other(victim), v).stale = false;
  }
  nodes_[victim].discards = true;
  return true;
}

void Cluster::sync_begins(std::size_t target, std::size_t volume) {
  const Share& source = share(other(target), volume);
  // News of it are on the way to the target: a source without a disk sends nothing.
  if (source.seen.disk <= DiskState::failed) return;
  if (source.stale && (source.lacks || !source.outdone)) {
    world_.fail(FailureKind::safety, "G1",
                fmt::format("{} becomes sync target of {}, which lacks an answered write of volume "
                            "{}: {}",
                            node(target).name(), node(other(target)).name(), volume, describe()));
  }
  Share& mine = share(target, volume);
  mine.weak_since = std::max(mine.weak_since, source.weak_since);
}

// Both say: connected, both UpToDate. Then E1 promises equality, and each holds what the other
// holds.
void Cluster::agree(std::size_t volume) {
  Share& first = share(0, volume);
  Share& second = share(1, volume);
  if (!in_sync(first.seen) || !in_sync(second.seen)) return;
  truths_[volume]->ever_in_sync = true;
  first.stale = second.stale = false;
  first.lacks = second.lacks = false;
  first.outdone = second.outdone = false;
  truths_[volume]->application.may_write_up_to(
      std::min(replica(0)->size(volume), replica(1)->size(volume)));
  if (all_in_sync()) nodes_[0].discards = nodes_[1].discards = false;
  if (primary_ != nobody) {
    share(other(primary_), volume).weak_since = share(primary_, volume).weak_since;
  } else {
    first.weak_since = second.weak_since = std::max(first.weak_since, second.weak_since);
  }
}

bool Cluster::all_in_sync() const noexcept {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const Member& member) {
    return std::all_of(member.shares.begin(), member.shares.end(),
                       [](const Share& share) { return in_sync(share.seen); });
  });
}

void Cluster::answered(NodeId node_id, std::size_t volume, ByteRange range, Instant began,
                       ConstBytes data) {
  const std::size_t which = index_of(node_id);
  Share& member = share(which, volume);
  Share& peer = share(other(which), volume);
  const bool peer_runs = node(other(which)).running();
  const VolumeState state = replica(which)->state(volume);
  // The peer's refusal of a write travels ahead of the news that its disk failed.
  const bool peer_failed = peer_runs && peer.seen.disk <= DiskState::failed;
  // A target may have finished its resync before its source hears of that. Without protocol C the
  // write may still be on its way to the disk.
  const bool under_way = options_.replica.net.protocol != WireProtocol::c &&
                         state.connection >= ConnectionState::connected &&
                         peer.seen.connection >= ConnectionState::connected;
  const bool ahead_of_news = peer_runs && peer.seen.disk == DiskState::up_to_date &&
                             (under_way || equal_in(volume, range));
  const bool told = state.connection >= ConnectionState::connected &&
                    state.peer_disk == DiskState::up_to_date && !peer_failed;
  // The own disk was given up while the peer's answer had come: the link may have gone since.
  const bool given_up = state.disk != DiskState::up_to_date && !data.empty();
  const bool only_there = given_up && !told && holds(other(which), volume, range, data) &&
                          !holds(which, volume, range, data);
  const bool peer_has_it = told || ahead_of_news || only_there;
  check_frozen(which, volume, peer_has_it);
  // A disk that was given up meanwhile keeps nothing either: the peer must have it.
  const bool never_here = member.bad_since < began || state.disk == DiskState::inconsistent;
  if (!peer_has_it && !never_here) peer.stale = peer.lacks = true;
  // It may have been written here too, just before the disk went.
  if (told && state.disk != DiskState::up_to_date && !equal_in(volume, range)) {
    member.stale = member.lacks = true;
  }
  if (never_here || only_there) member.stale = member.lacks = true;
  if (member.no_data_since < began) {
    world_.fail(FailureKind::safety, "S6",
                "a write was answered although no replica is UpToDate: " + describe());
  }
}

Instant Cluster::weak_since(NodeId node_id, std::size_t volume) {
  const std::size_t which = index_of(node_id);
  const Share& member = share(which, volume);
  if (member.seen.disk == DiskState::up_to_date) return member.weak_since;
  return std::max(member.weak_since, share(other(which), volume).weak_since);
}

bool Cluster::clients_idle() const noexcept {
  return std::all_of(truths_.begin(), truths_.end(),
                     [](const auto& truth) { return truth->application.idle(); });
}

std::uint32_t Cluster::in_flight() const noexcept {
  std::uint32_t sum = 0;
  for (const std::unique_ptr<Truth>& truth : truths_)
    sum += truth->application.in_flight();
  return sum;
}

std::uint64_t Cluster::writes() const noexcept {
  std::uint64_t sum = 0;
  for (const std::unique_ptr<Truth>& truth : truths_)
    sum += truth->oracle.writes();
  return sum;
}

std::uint64_t Cluster::marked() noexcept {
  std::uint64_t sum = 0;
  for (std::size_t v = 0; v < volumes(); ++v)
    sum += replica(0)->out_of_sync_blocks(v) + replica(1)->out_of_sync_blocks(v);
  return sum;
}

bool Cluster::resize_due() const noexcept {
  return std::any_of(truths_.begin(), truths_.end(),
                     [](const auto& truth) { return truth->resizing; });
}

// A command under way may still change the state that is good now.
bool Cluster::both_good() noexcept {
  for (std::size_t i = 0; i < 2; ++i) {
    if (replica(i) != nullptr && replica(i)->busy()) return false;
    if (world_.paused(node(i).id())) return false;  // what it says of itself may be long ago
  }
  return all_in_sync();
}

bool Cluster::may_reboot(std::size_t which) noexcept {
  return !node(which).running() && (hasty_ || nodes_[which].reboot_at <= world_.now());
}

std::string Cluster::describe() {
  std::string all;
  for (std::size_t i = 0; i < 2; ++i) {
    const Member& member = nodes_[i];
    all += fmt::format("{}{}:", i == 0 ? "" : "; ", member.node->name());
    for (std::size_t v = 0; v < volumes(); ++v) {
      if (v != 0) all += fmt::format(" |{}|", v);
      all += fmt::format(" {}{}", member.node->running() ? text_of(replica(i)->state(v)) : "down",
                         member.shares[v].stale ? " (stale)" : "");
      if (member.node->running()) {
        all += fmt::format(" oos={}", replica(i)->out_of_sync_blocks(v));
      }
    }
    if (primary_ == i) all += " (in use)";
    if (member.node->running() && replica(i)->busy()) all += " busy";
  }
  return all;
}

}  // namespace replicator::sim
