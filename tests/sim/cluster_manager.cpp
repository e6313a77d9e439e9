// The part of the simulated cluster that plays a careful manager: reboots, attaches, connects,
// promotes, moves the role, makes use of new space, and ends everything in order.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/cluster.hpp"

namespace replicator::sim {

void Cluster::manage() {
  for (std::size_t i = 0; i < 2; ++i) {
    if (may_reboot(i)) boot(i);
    manage_member(i);
  }
  if (switching_) manage_switch();
  if (resize_due()) manage_size();
  manage_role();
}

void Cluster::manage_member(std::size_t which) {
  Member& member = nodes_[which];
  Replica* replicator = replica(which);
  if (replicator == nullptr || replicator->busy() || promoting_ == which) return;
  const VolumeState state = replicator->state();
  const bool disconnected_on_purpose = member.disconnected_until > world_.now();
  const bool apart = state.connection == ConnectionState::stand_alone;
  bool without_disk = false;
  for (std::size_t v = 0; v < volumes(); ++v) {
    if (replicator->state(v).disk > DiskState::negotiating) share(which, v).attaches = 0;
    without_disk = without_disk || lacks_disk(which, v);
  }
  if (member.discards && state.role == Role::secondary && !(apart && without_disk)) {
    if (apart) member.discards = false;
    replicator->command(apart ? Verb::connect_discarding : Verb::disconnect);
  } else if (manage_disks(which)) {
    return;
  } else if (!disconnected_on_purpose && apart) {
    replicator->command(Verb::connect);
  } else if (disconnected_on_purpose && !apart) {
    replicator->command(Verb::disconnect);
  } else if (!manage_sync(which)) {
    member.configured = true;
    for (std::size_t v = 0; v < volumes(); ++v) {
      if (!share(which, v).verify_wanted || !in_sync(replicator->state(v))) continue;
      share(which, v).verify_wanted = false;
      return replicator->command(Verb::verify, v);
    }
  }
}

// One that was given up can't be opened before its last operation has ended.
bool Cluster::lacks_disk(std::size_t which, std::size_t volume) noexcept {
  return replica(which)->state(volume).disk == DiskState::diskless &&
         node(which).disks_kept() == 0 && share(which, volume).detached_until <= world_.now();
}

// True: a command was given.
bool Cluster::manage_disks(std::size_t which) {
  Replica* replicator = replica(which);
  const bool apart = replicator->state().connection == ConnectionState::stand_alone &&
                     nodes_[which].disconnected_until <= world_.now();
  for (std::size_t v = 0; v < volumes(); ++v) {
    const Replica::Attached before = replicator->attached(v);
    // A disk that is refused as too old needs the peer.
    if (!lacks_disk(which, v) || (apart && before == Replica::Attached::refused)) continue;
    // No disk fails any more: what the handshake refuses again and again is a split brain.
    const bool refused = before == Replica::Attached::done;
    if (hasty_ && refused && ++share(which, v).attaches == 10) {
      static_cast<void>(resolve_split_brain());
    }
    find_metadata(which, v);
    replicator->command(Verb::attach, v);
    return true;
  }
  for (std::size_t v = 0; v < volumes(); ++v) {
    const bool on_purpose = share(which, v).detached_until > world_.now();
    if (!on_purpose || replicator->state(v).disk <= DiskState::failed) continue;
    replicator->command(Verb::detach, v);
    return true;
  }
  return false;
}

bool Cluster::manage_sync(std::size_t which) {
  Replica* replicator = replica(which);
  for (std::size_t v = 0; v < volumes(); ++v) {
    const bool paused = replicator->state(v).sync_paused_by_user;
    if (paused == (share(which, v).sync_paused_until > world_.now())) continue;
    replicator->command(paused ? Verb::resume_sync : Verb::pause_sync, v);
    return true;
  }
  return false;
}

void Cluster::want_disconnect(std::size_t which, Duration for_how_long) {
  nodes_[which].disconnected_until = world_.now() + for_how_long;
}

void Cluster::want_detach(std::size_t which, std::size_t volume, Duration for_how_long) {
  share(which, volume).detached_until = world_.now() + for_how_long;
}

void Cluster::force_disk_off(std::size_t which, std::size_t volume) {
  if (replica(which) != nullptr) replica(which)->force_disk_off(volume);
}

void Cluster::want_pause(std::size_t which, std::size_t volume, Duration for_how_long) {
  share(which, volume).sync_paused_until = world_.now() + for_how_long;
}

void Cluster::invalidate(std::size_t which, std::size_t volume, bool remote) {
  if (!both_good() || promoting_ != nobody) return;
  replica(which)->command(remote ? Verb::invalidate_remote : Verb::invalidate, volume);
}

// drbdadm has drbdmeta look for meta data that are no longer at the end, before it attaches.
void Cluster::find_metadata(std::size_t which, std::size_t volume) {
  MetadataView& view = *share(which, volume).metadata;
  view.refresh();
  Image& image = disk(which, volume).image();
  // Nor does drbdmeta touch a disk that the daemon has open.
  if (view.found_in() == image.size() || disk(which, volume).is_open()) return;
  move_metadata(image, view.found_in());
  disk(which, volume).image_changed();
  view.refresh();
}

void Cluster::grow(std::size_t volume, ByteCount by) {
  // A verify finds new storage, which waits to be resynchronised.
  world_.expect_error("Online verify found");
  world_.expect_error("Out of sync: start=");
  Truth& truth = *truths_[volume];
  const ByteCount size = this->disk(0, volume).size() + by;
  if (size > truth.disk_bytes + growth_limit) return;
  for (std::size_t i = 0; i < 2; ++i) {
    SimDisk& disk = this->disk(i, volume);
    const ByteRange added(ByteOffset(disk.size().value()), by);
    disk.resize(size);
    share(i, volume).metadata->note_size();
    // Nobody wrote there: it holds anything.
    std::vector<std::byte> junk(by.value(), i == 0 ? std::byte{} : std::byte{0xa5});
    disk.image().write(added.begin, junk);
    for (const Image::DirtyPage& page : disk.image().dirty_pages()) {
      if (page.page >= added.begin.value() / block_bytes) disk.image().keep(page);
    }
    const MetadataPlaces first(truth.disk_bytes);
    disk.watch_media(ByteRange(first.bitmap, ByteOffset(size.value()) - first.bitmap));
  }
  truth.resizing = true;
}

void Cluster::manage_size() {
  if (primary_ == nobody || promoting_ != nobody || !both_good()) return;
  for (std::size_t v = 0; v < volumes(); ++v) {
    if (!truths_[v]->resizing) continue;
    truths_[v]->resizing = false;
    return replica(prng_.below(2))->command(Verb::resize, v);
  }
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
  if (roles_managed_ && primary_ != nobody && fencing() && !rotten()) try_take_over();
  if (!roles_managed_ || primary_ != nobody) return;
  if (!hasty_ && !prng_.chance(30)) return;
  const std::size_t first = prng_.below(2);
  for (const std::size_t which : {first, other(first)}) {
    if (promotable(which)) return promote(which);
  }
}

void Cluster::promote(std::size_t which) {
  promoting_ = which;
  for (std::size_t v = 0; v < volumes(); ++v)
    truths_[v]->stale_before = share(other(which), v).stale;
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
  for (std::size_t v = 0; v < volumes(); ++v) {
    share(other(which), v).outdone = false;
    if (replica(which)->state(v).disk != DiskState::up_to_date) continue;
    if (rot_planted_) continue;  // it may be promoted before a resync has made it good
    const std::string wrong = truths_[v]->oracle.check_image(disk(which, v).image(), world_.now(),
                                                             share(which, v).weak_since);
    if (!wrong.empty()) {
      world_.fail(
          FailureKind::safety, "D1/D3",
          fmt::format("at the promotion of {}, volume {}: {}", node(which).name(), v, wrong));
    }
  }
  start_clients();
}

void Cluster::start_clients() {
  Replica* replicator = replica(primary_);
  for (std::size_t v = 0; v < volumes(); ++v) {
    const Status opened = replicator->device(v).open(true);
    if (!opened.ok()) {
      world_.fail(FailureKind::safety, "S4", "a Primary refused to be opened: " + describe());
      return;
    }
  }
  clients_open_ = true;
  if (clients_stopped_) return;
  const World::As as(world_, node(primary_).id());
  for (std::size_t v = 0; v < volumes(); ++v) {
    Application& application = truths_[v]->application;
    const std::uint64_t left =
        operations_ > application.operations() ? operations_ - application.operations() : 0;
    application.run(replicator->clients(), node(primary_).id(), node(primary_).io().clock,
                    replicator->device(v), left);
  }
}

void Cluster::stop_clients() {
  clients_stopped_ = true;
  for (const std::unique_ptr<Truth>& truth : truths_)
    truth->application.stop();
}

void Cluster::close_devices() {
  for (std::size_t v = 0; clients_open_ && v < volumes(); ++v)
    replica(primary_)->device(v).close(true);
  clients_open_ = false;
}

void Cluster::manage_switch() {
  if (primary_ == nobody) {
    switching_ = false;
    return;
  }
  Replica* replicator = replica(primary_);
  if (clients_open_) {
    for (const std::unique_ptr<Truth>& truth : truths_)
      truth->application.stop();
    if (!clients_idle()) return;
    close_devices();
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
  close_devices();
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

}  // namespace replicator::sim
