#include "tests/sim/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace replicator::sim {

namespace {

constexpr std::uint16_t port = 7789;
constexpr std::uint64_t common_generation = 0x1234567890abcdf0ULL;

bool is_target(ConnectionState state) {
  return state == ConnectionState::wf_bitmap_t || state == ConnectionState::wf_sync_uuid ||
         state == ConnectionState::starting_sync_t || state == ConnectionState::sync_target ||
         state == ConnectionState::paused_sync_t;
}

bool in_sync(const VolumeState& state) {
  return state.connection == ConnectionState::connected && state.disk == DiskState::up_to_date &&
         state.peer_disk == DiskState::up_to_date;
}

std::string text_of(const VolumeState& state) {
  return fmt::format("{} {}/{} {}/{}", replicator::name(state.connection),
                     replicator::name(state.role), replicator::name(state.peer_role),
                     replicator::name(state.disk), replicator::name(state.peer_disk));
}

}  // namespace

Cluster::Cluster(World& world, const ClusterOptions& options)
    : world_(world),
      options_(options),
      network_(world),
      oracle_((MetadataPlaces(options.disk_bytes).data + growth_limit).value() / sector_bytes,
              MetadataPlaces(options.disk_bytes).data.value() / sector_bytes),
      application_(world, oracle_, MetadataPlaces(options.disk_bytes).data, options.workload),
      prng_(world.stream("cluster")) {
  for (std::size_t i = 0; i < 2; ++i) {
    Member& member = nodes_[i];
    member.node = std::make_unique<Node>(world, network_, i == 0 ? "n1" : "n2",
                                         static_cast<std::uint8_t>(i + 1));
    SimDisk& disk = member.node->add_disk("/dev/disk", options.disk_bytes, options.disks[i]);
    create_metadata(disk.image(), options.synced_at_start ? common_generation : 4);
    member.metadata = std::make_unique<MetadataView>(std::as_const(disk));
    const MetadataPlaces places(options.disk_bytes);
    disk.watch_media(ByteRange(places.bitmap, ByteOffset(disk.size().value()) - places.bitmap));
    disk.on_submit([this, i](const SimDisk::Seen& seen) { submitted(i, seen); });
    member.node->clock().set_drift_ppm(options.drift_ppm[i]);
  }
  for (const auto& [from, to] : {std::pair(0, 1), std::pair(1, 0)}) {
    network_.path(nodes_[static_cast<std::size_t>(from)].node->id(),
                  nodes_[static_cast<std::size_t>(to)].node->id()) = options.path;
  }
  ever_in_sync_ = options.synced_at_start;
  application_.observe(*this);
  if (fencing()) world_.expect_error("fence-peer helper broken");
  world_.set_watcher([this](NodeId node) { watch(node); });
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
  find_metadata(which);
  member.attached = false;
  member.configured = false;
  member.seen = VolumeState();
  member.bad_since = Instant::never();
  member.no_data_since = Instant::never();
  const PeerConfig peer{member.node->address(port), nodes_[other(which)].node->address(port)};
  member.node->boot(
      [&](Node& node) { return std::make_unique<Replica>(node, options_.replica, peer); });
}

// What the protocol does not promise to keep: with A what a Primary that died may not have sent,
// with A and B what a node that died may have received and not written.
void Cluster::excuse_losses(std::size_t which) noexcept {
  const WireProtocol protocol = options_.replica.net.protocol;
  if (protocol == WireProtocol::c) return;
  if (primary_ != which) nodes_[which].weak_since = world_.now();
  else if (protocol == WireProtocol::a) nodes_[other(which)].weak_since = world_.now();
}

void Cluster::died(std::size_t which) {
  excuse_losses(which);
  if (primary_ == which) {
    application_.node_died(nodes_[which].node->id());
    primary_ = nobody;
    clients_open_ = false;
    switching_ = false;
  }
  if (promoting_ == which) {
    // Its generation may be on media or not; nothing was written into it.
    nodes_[other(which)].outdone = nodes_[other(which)].stale && !stale_before_;
    promoting_ = nobody;
  }
  Member& member = nodes_[which];
  member.seen = VolumeState();
  member.bad_since = Instant::never();
  member.no_data_since = Instant::never();
  member.disconnected_until = Instant(-1);
  member.detached_until = Instant(-1);
  member.sync_paused_until = Instant(-1);
  member.crash_countdown = 0;
  member.verify_wanted = false;
  const auto longest = static_cast<std::uint64_t>(options_.reboot_delay_max.nanoseconds());
  member.reboot_at =
      world_.now() + Duration::nanoseconds(static_cast<std::int64_t>(prng_.below(longest + 1)));
  check_superblock(which);
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
  if (options_.disks[which].volatile_cache) nodes_[which].weak_since = world_.now();
  died(which);
  check_covered();
}

void Cluster::crash_at_operation(std::size_t which, std::uint64_t k, bool with_power) {
  nodes_[which].crash_countdown = k + 1;
  nodes_[which].crash_with_power = with_power;
}

void Cluster::submitted(std::size_t which, const SimDisk::Seen& seen) {
  Member& member = nodes_[which];
  if (options_.check_d2) check_intent(which, seen);
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
    if (options_.disks[i].volatile_cache) nodes_[i].weak_since = world_.now();
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
        return nodes_[0].seen.connection == ConnectionState::connected &&
               nodes_[1].seen.connection == ConnectionState::connected;
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
  Member& member = nodes_[which];
  const VolumeState now = replica(which)->state();
  if (now == member.seen) return;
  const VolumeState before = member.seen;
  member.seen = now;
  note_change(which, before, now);
  agree();
}

void Cluster::note_change(std::size_t which, const VolumeState& before, const VolumeState& now) {
  Member& member = nodes_[which];
  world_.note(pack(now));
  if (world_.recording()) {
    world_.record(member.node->id(), "state " + text_of(before) + " -> " + text_of(now));
  }
  // A Primary with only one of the two replicas begins a generation there, written to or not.
  const bool here = now.disk == DiskState::up_to_date;
  const bool there = now.peer_disk == DiskState::up_to_date;
  // A finished target has what its source had, even when the source never hears of the end.
  if (is_target(before.connection) && before.disk == DiskState::inconsistent && here) {
    member.stale = nodes_[other(which)].stale;
  }
  // Told to take the peer's data, a Primary gives up what it has not been told of by then.
  const bool gives_up = now.connection == ConnectionState::starting_sync_t &&
                        before.connection != ConnectionState::starting_sync_t;
  if (gives_up && now.role == Role::primary && options_.replica.net.protocol != WireProtocol::c) {
    nodes_[other(which)].stale = nodes_[other(which)].lacks = false;
    nodes_[other(which)].weak_since = world_.now();
  }
  const bool begun = !now.suspended();  // while it is suspended it is only owed
  if (now.role == Role::primary && here && !there && begun) nodes_[other(which)].stale = true;
  if (now.role == Role::primary && there && !here) member.stale = true;
  // Its disk is back, and nothing was answered in between.
  const bool back = before.disk < DiskState::inconsistent && here;
  if (now.role == Role::primary && back && !member.lacks) member.stale = false;
  // The end of a resync: it has what the source had, even when that goes before both agree.
  if (before.connection == ConnectionState::sync_target &&
      now.connection == ConnectionState::connected && here) {
    member.stale = nodes_[other(which)].stale;
    member.lacks = nodes_[other(which)].lacks;
  }
  if (here) member.bad_since = Instant::never();
  else if (member.bad_since == Instant::never()) member.bad_since = world_.now();
  if (here || there) member.no_data_since = Instant::never();
  else if (member.no_data_since == Instant::never()) member.no_data_since = world_.now();
  if (is_target(now.connection) && !is_target(before.connection)) sync_begins(which);
  // A finished resync made it the equal of its source; one that never began changed nothing.
  if (is_target(before.connection) && before.disk == DiskState::inconsistent &&
      now.connection == ConnectionState::connected && here) {
    member.stale = nodes_[other(which)].stale;
    member.lacks = nodes_[other(which)].lacks;
  }
  const bool fell_apart = now.connection == ConnectionState::stand_alone &&
                          before.connection != ConnectionState::stand_alone;
  if (now.connection == ConnectionState::disconnecting) {
    member.refused = before.connection == ConnectionState::wf_report_params;
  }
  const bool congested = options_.replica.net.on_congestion == OnCongestion::disconnect;
  const bool asked_for =
      replica(which)->given() == Verb::disconnect || (congested && !member.refused);
  // A Primary that lost its disk refuses older data: it waits for its own, or for a newer peer.
  const bool keeps_out = now.role == Role::primary && now.disk < DiskState::inconsistent;
  if (fell_apart && !asked_for && !keeps_out && roles_managed_ && !resolve_split_brain()) {
    world_.fail(FailureKind::liveness, "L1",
                fmt::format("{} went StandAlone by itself: {} -> {}", node(which).name(),
                            text_of(before), text_of(now)));
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

// A node that serves a diskless Primary begins a generation for it, which the Primary may never
// come to use: then both have one of their own. The node that lacks nothing keeps its data.
bool Cluster::resolve_split_brain() noexcept {
  if (!disks_may_go_ || (nodes_[0].lacks && nodes_[1].lacks)) return false;
  if (!nodes_[0].stale && !nodes_[1].stale) return false;
  std::size_t victim = nodes_[0].stale ? 0 : 1;
  if (nodes_[0].stale && nodes_[1].stale) {
    // Nothing was written into one of the two generations.
    victim = nodes_[0].lacks ? 0 : 1;
    if (nodes_[0].lacks == nodes_[1].lacks && primary_ == 1) victim = 0;
  }
  nodes_[other(victim)].stale = false;
  nodes_[victim].discards = true;
  return true;
}

void Cluster::sync_begins(std::size_t target) {
  const std::size_t source = other(target);
  if (nodes_[source].stale && (nodes_[source].lacks || !nodes_[source].outdone)) {
    world_.fail(FailureKind::safety, "G1",
                fmt::format("{} becomes sync target of {}, which lacks an answered write: {}",
                            node(target).name(), node(source).name(), describe()));
  }
  nodes_[target].weak_since = std::max(nodes_[target].weak_since, nodes_[source].weak_since);
}

// Both say: connected, both UpToDate. Then E1 promises equality, and each holds what the other
// holds.
void Cluster::agree() {
  if (!in_sync(nodes_[0].seen) || !in_sync(nodes_[1].seen)) return;
  ever_in_sync_ = true;
  nodes_[0].stale = nodes_[1].stale = false;
  nodes_[0].lacks = nodes_[1].lacks = false;
  nodes_[0].outdone = nodes_[1].outdone = false;
  application_.may_write_up_to(std::min(replica(0)->size(), replica(1)->size()));
  nodes_[0].discards = nodes_[1].discards = false;
  if (primary_ != nobody) {
    nodes_[other(primary_)].weak_since = nodes_[primary_].weak_since;
  } else {
    const Instant weak = std::max(nodes_[0].weak_since, nodes_[1].weak_since);
    nodes_[0].weak_since = nodes_[1].weak_since = weak;
  }
}

void Cluster::answered(NodeId node_id, ByteRange range, Instant began) {
  const std::size_t which = index_of(node_id);
  Member& member = nodes_[which];
  const VolumeState state = replica(which)->state();
  // The peer's refusal of a write travels ahead of the news that its disk failed.
  const bool peer_failed =
      node(other(which)).running() && nodes_[other(which)].seen.disk <= DiskState::failed;
  // A target may have finished its resync before its source hears of that. Without protocol C the
  // write may still be on its way to the disk.
  const bool under_way = options_.replica.net.protocol != WireProtocol::c &&
                         state.connection >= ConnectionState::connected &&
                         nodes_[other(which)].seen.connection >= ConnectionState::connected;
  const bool ahead_of_news = node(other(which)).running() &&
                             nodes_[other(which)].seen.disk == DiskState::up_to_date &&
                             (under_way || equal_in(range));
  const bool told = state.connection >= ConnectionState::connected &&
                    state.peer_disk == DiskState::up_to_date && !peer_failed;
  const bool peer_has_it = told || ahead_of_news;
  check_frozen(which, peer_has_it);
  // A disk that was given up meanwhile keeps nothing either: the peer must have it.
  const bool never_here = member.bad_since < began || state.disk == DiskState::inconsistent;
  Member& peer = nodes_[other(which)];
  if (!peer_has_it && !never_here) peer.stale = peer.lacks = true;
  // It may have been written here too, just before the disk went.
  if (told && state.disk != DiskState::up_to_date && !equal_in(range)) {
    member.stale = member.lacks = true;
  }
  if (never_here) member.stale = member.lacks = true;
  if (member.no_data_since < began) {
    world_.fail(FailureKind::safety, "S6",
                "a write was answered although no replica is UpToDate: " + describe());
  }
}

Instant Cluster::weak_since(NodeId node_id) {
  const std::size_t which = index_of(node_id);
  const Instant mine = nodes_[which].weak_since;
  if (nodes_[which].seen.disk == DiskState::up_to_date) return mine;
  return std::max(mine, nodes_[other(which)].weak_since);
}

// A command under way may still change the state that is good now.
bool Cluster::both_good() noexcept {
  for (std::size_t i = 0; i < 2; ++i) {
    if (replica(i) != nullptr && replica(i)->busy()) return false;
    if (world_.paused(node(i).id())) return false;  // what it says of itself may be long ago
  }
  return in_sync(nodes_[0].seen) && in_sync(nodes_[1].seen);
}

bool Cluster::may_reboot(std::size_t which) noexcept {
  return !node(which).running() && (hasty_ || nodes_[which].reboot_at <= world_.now());
}

std::string Cluster::describe() {
  std::string all;
  for (std::size_t i = 0; i < 2; ++i) {
    const Member& member = nodes_[i];
    all += fmt::format("{}{}: {}{}{}", i == 0 ? "" : "; ", member.node->name(),
                       member.node->running() ? text_of(replica(i)->state()) : "down",
                       member.stale ? " (stale)" : "", primary_ == i ? " (in use)" : "");
    if (member.node->running()) {
      all += fmt::format(" oos={}", replica(i)->out_of_sync_blocks());
      if (replica(i)->busy()) all += " busy";
    }
  }
  return all;
}

// --- the manager ---

void Cluster::manage() {
  for (std::size_t i = 0; i < 2; ++i) {
    if (may_reboot(i)) boot(i);
    manage_member(i);
  }
  if (switching_) manage_switch();
  if (resizing_) manage_size();
  manage_role();
}

void Cluster::manage_member(std::size_t which) {
  Member& member = nodes_[which];
  Replica* replicator = replica(which);
  if (replicator == nullptr || replicator->busy() || promoting_ == which) return;
  const VolumeState state = replicator->state();
  const bool detached_on_purpose = member.detached_until > world_.now();
  const bool disconnected_on_purpose = member.disconnected_until > world_.now();
  if (state.disk > DiskState::negotiating) member.attaches = 0;
  const bool apart = state.connection == ConnectionState::stand_alone;
  const bool without_disk = state.disk == DiskState::diskless && !detached_on_purpose;
  if (member.discards && state.role == Role::secondary && !(apart && without_disk)) {
    if (apart) member.discards = false;
    replicator->command(apart ? Verb::connect_discarding : Verb::disconnect);
  } else if (without_disk && !(apart && !disconnected_on_purpose &&
                               replicator->given() == Verb::attach && !replicator->last_ok())) {
    // A disk that is refused as too old needs the peer.
    // No disk fails any more: what the handshake refuses again and again is a split brain.
    const bool refused = replicator->given() == Verb::attach && replicator->last_ok();
    if (hasty_ && refused && ++member.attaches == 10) static_cast<void>(resolve_split_brain());
    find_metadata(which);
    replicator->command(Verb::attach);
  } else if (detached_on_purpose && state.disk > DiskState::failed) {
    replicator->command(Verb::detach);
  } else if (!disconnected_on_purpose && apart) {
    replicator->command(Verb::connect);
  } else if (disconnected_on_purpose && !apart) {
    replicator->command(Verb::disconnect);
  } else if (state.sync_paused_by_user != (member.sync_paused_until > world_.now())) {
    replicator->command(state.sync_paused_by_user ? Verb::resume_sync : Verb::pause_sync);
  } else {
    member.configured = true;
    if (!member.verify_wanted || !in_sync(state)) return;
    member.verify_wanted = false;
    replicator->command(Verb::verify);
  }
}

void Cluster::want_disconnect(std::size_t which, Duration for_how_long) {
  nodes_[which].disconnected_until = world_.now() + for_how_long;
}

void Cluster::want_detach(std::size_t which, Duration for_how_long) {
  nodes_[which].detached_until = world_.now() + for_how_long;
}

void Cluster::want_pause(std::size_t which, Duration for_how_long) {
  nodes_[which].sync_paused_until = world_.now() + for_how_long;
}

void Cluster::invalidate(std::size_t which, bool remote) {
  // Known gap (S3): a Primary whose own disk is invalidated under resource-and-stonith.
  if (!both_good() || promoting_ != nobody || fencing()) return;
  replica(which)->command(remote ? Verb::invalidate_remote : Verb::invalidate);
}

// drbdadm has drbdmeta look for meta data that are no longer at the end, before it attaches.
void Cluster::find_metadata(std::size_t which) {
  MetadataView& view = *nodes_[which].metadata;
  view.refresh();
  Image& image = node(which).disk().image();
  if (view.found_in() == image.size()) return;
  move_metadata(image, view.found_in());
  node(which).disk().image_changed();
  view.refresh();
}

void Cluster::grow(ByteCount by) {
  // A verify finds new storage, which waits to be resynchronised.
  world_.expect_error("Online verify found");
  world_.expect_error("Out of sync: start=");
  const ByteCount size = node(0).disk().size() + by;
  if (size > options_.disk_bytes + growth_limit) return;
  for (std::size_t i = 0; i < 2; ++i) {
    SimDisk& disk = node(i).disk();
    const ByteRange added(ByteOffset(disk.size().value()), by);
    disk.resize(size);
    nodes_[i].metadata->note_size();
    // Nobody wrote there: it holds anything.
    std::vector<std::byte> junk(by.value(), i == 0 ? std::byte{} : std::byte{0xa5});
    disk.image().write(added.begin, junk);
    for (const Image::DirtyPage& page : disk.image().dirty_pages()) {
      if (page.page >= added.begin.value() / block_bytes) disk.image().keep(page);
    }
    const MetadataPlaces first(options_.disk_bytes);
    disk.watch_media(ByteRange(first.bitmap, ByteOffset(size.value()) - first.bitmap));
  }
  resizing_ = true;
}

void Cluster::manage_size() {
  if (primary_ == nobody || promoting_ != nobody || !both_good()) return;
  resizing_ = false;
  replica(prng_.below(2))->command(Verb::resize);
}

void Cluster::manage_role() {
  if (promoting_ != nobody) {
    Replica* replicator = replica(promoting_);
    if (replicator->busy()) return;
    const std::size_t which = promoting_;
    promoting_ = nobody;
    if (replicator->last_ok()) promoted(which);
    return;
  }
  // What rots on the Secondary is to be found by a verify, not to be promoted.
  const bool sound = rotten_.empty();
  if (roles_managed_ && primary_ != nobody && fencing() && sound) try_take_over();
  if (!roles_managed_ || primary_ != nobody) return;
  if (!hasty_ && !prng_.chance(30)) return;
  const std::size_t first = prng_.below(2);
  for (const std::size_t which : {first, other(first)}) {
    if (promotable(which)) return promote(which);
  }
}

void Cluster::promote(std::size_t which) {
  promoting_ = which;
  stale_before_ = nodes_[other(which)].stale;
  replica(which)->command(Verb::primary);
}

void Cluster::promoted(std::size_t which) {
  if (replica(which)->role() != Role::primary) {
    world_.fail(FailureKind::safety, "S2", "promotion succeeded without the role: " + describe());
    return;
  }
  if (node(other(which)).running() && replica(other(which))->role() == Role::primary) {
    world_.fail(FailureKind::safety, "S1", "two primaries: " + describe());
    return;
  }
  primary_ = which;
  nodes_[other(which)].outdone = false;
  if (replica(which)->state().disk == DiskState::up_to_date) {
    const std::string wrong =
        oracle_.check_image(node(which).disk().image(), world_.now(), nodes_[which].weak_since);
    if (!wrong.empty()) {
      world_.fail(FailureKind::safety, "D1/D3",
                  fmt::format("at the promotion of {}: {}", node(which).name(), wrong));
    }
  }
  start_clients();
}

void Cluster::start_clients() {
  Replica* replicator = replica(primary_);
  const Status opened = replicator->device().open(true);
  if (!opened.ok()) {
    world_.fail(FailureKind::safety, "S4", "a Primary refused to be opened: " + describe());
    return;
  }
  clients_open_ = true;
  if (clients_stopped_) return;
  const std::uint64_t left =
      operations_ > application_.operations() ? operations_ - application_.operations() : 0;
  const World::As as(world_, node(primary_).id());
  application_.run(replicator->clients(), node(primary_).id(), node(primary_).io().clock,
                   replicator->device(), left);
}

void Cluster::stop_clients() {
  clients_stopped_ = true;
  application_.stop();
}

void Cluster::manage_switch() {
  if (primary_ == nobody) {
    switching_ = false;
    return;
  }
  Replica* replicator = replica(primary_);
  if (clients_open_) {
    application_.stop();
    if (!application_.idle()) return;
    replicator->device().close(true);
    clients_open_ = false;
  }
  if (replicator->busy()) return;
  if (replicator->role() == Role::secondary) {
    primary_ = nobody;
    switching_ = false;
    const std::size_t next = prng_.below(2);
    if (promotable(next)) promote(next);
    return;
  }
  replicator->command(Verb::secondary);
}

bool Cluster::close_and_take_down() {
  if (clients_open_) replica(primary_)->device().close(true);
  clients_open_ = false;
  primary_ = nobody;
  for (std::size_t i = 0; i < 2; ++i) {
    // An ordinary order: the second node notices that the first one left.
    const bool free = world_.run_until([&] { return !replica(i)->busy(); }, Duration::seconds(60));
    if (free) replica(i)->command(Verb::down);
    const bool done =
        free && world_.run_until([&] { return !replica(i)->busy(); }, Duration::seconds(60));
    if (world_.failed()) return false;
    if (!done || !replica(i)->last_ok()) {
      world_.fail(
          FailureKind::liveness, "L4",
          fmt::format("down of {} {} (code {}): {}", node(i).name(),
                      done ? "failed" : "does not end", replica(i)->last_code(), describe()));
      return false;
    }
  }
  world_.run_for(Duration::seconds(1));
  for (std::size_t i = 0; i < 2; ++i)
    node(i).stop();
  return !world_.failed();
}

// --- checks ---

}  // namespace replicator::sim
