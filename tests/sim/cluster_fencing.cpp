// The part of the simulated cluster that fences: what stands behind the handler fence-peer, who
// tries to take over, and what must not have been answered.
#include <fmt/format.h>

#include "base/mark.hpp"
#include "tests/sim/cluster.hpp"

namespace replicator::sim {

HelperAnswer Cluster::fence_peer(std::size_t asker, Duration takes) {
  const std::size_t peer = other(asker);
  HelperAnswer answer;
  answer.takes = takes;
  bool current = true;
  bool behind = true;
  for (std::size_t v = 0; v < volumes(); ++v) {
    const bool good = replica(asker)->state(v).disk == DiskState::up_to_date;
    current = current && good;
    behind = behind && !good;
  }
  const std::uint64_t dice = prng_.below(100);
  if (!node(peer).running()) {
    mark("fence-peer: dead");
    answer.at_end = [this, peer] { return node(peer).running() ? 1 : 5; };
  } else if (!current && !behind) {
    // With one volume of which it is sure it would take all of them for good.
    mark("fence-peer: asked by one that is current in part");
    answer.exit_code = 1;
  } else if (!current) {
    // Nobody is shot for a node that may be behind.
    mark("fence-peer: asked by one that is not current");
    answer.at_end = [this, peer] {
      return node(peer).running() && replica(peer)->role() == Role::primary ? 6 : 5;
    };
  } else if (dice < 40) {
    mark("fence-peer: shot");
    world_.at(world_.now(), [this, peer] { power_cut(peer, CutMode::drawn); });
    answer.exit_code = 7;
  } else if (dice < 80 && !replica(peer)->busy()) {
    world_.at(world_.now(), [this, peer] {
      const bool free = node(peer).running() && !replica(peer)->busy() && promoting_ != peer;
      if (free) replica(peer)->command(Verb::outdate);
    });
    answer.at_end = [this, peer] { return outdated_or_not(peer); };
  } else {
    mark("fence-peer: failed");
    answer.exit_code = 1;
  }
  return answer;
}

int Cluster::outdated_or_not(std::size_t peer) {
  if (!node(peer).running()) return 5;
  if (replica(peer)->busy()) return 1;  // the command has not returned: nothing is on media yet
  if (replica(peer)->role() == Role::primary) return 6;
  for (std::size_t v = 0; v < volumes(); ++v) {
    const VolumeState state = replica(peer)->state(v);
    const bool connected = state.connection >= ConnectionState::connected;
    if (connected || state.disk > DiskState::outdated) return 1;
  }
  mark("fence-peer: outdated");
  return 4;
}

bool Cluster::promotable(std::size_t which) noexcept {
  Replica* replicator = replica(which);
  if (replicator == nullptr || replicator->busy()) return false;
  if (!nodes_[which].configured || replicator->role() != Role::secondary) return false;
  for (std::size_t v = 0; v < volumes(); ++v) {
    const DiskState disk = replicator->state(v).disk;
    if (disk == DiskState::up_to_date && (fencing() || !share(which, v).stale)) continue;
    // With fencing the node itself has to know (S2); nobody tells it who has the newest data.
    if (!fencing() || disk != DiskState::consistent) return false;
  }
  return true;
}

// The manager of the other side sees nobody any more and wants the service for itself.
void Cluster::try_take_over() {
  const std::size_t which = other(primary_);
  if (switching_ || !prng_.chance(3) || !promotable(which)) return;
  for (std::size_t v = 0; v < volumes(); ++v) {
    const VolumeState state = replica(which)->state(v);
    if (state.connection >= ConnectionState::connected) return;
    // A Primary that is known to lack data it runs on (a sync target) is not in anybody's way.
    if (state.peer_disk != DiskState::d_unknown) return;
  }
  mark("take-over tried");
  promote(which);
}

// S3: who answers a write that its peer lacks has made sure that the peer can not take over.
void Cluster::check_frozen(std::size_t which, std::size_t volume, bool peer_has_it) {
  if (!fencing() || peer_has_it || !node(other(which)).running()) return;
  const VolumeState& peer = share(other(which), volume).seen;
  if (peer.disk != DiskState::up_to_date || peer.connection >= ConnectionState::connected) return;
  world_.fail(FailureKind::safety, "S3",
              "a write was answered that a peer which may take over lacks: " + describe());
}

}  // namespace replicator::sim
