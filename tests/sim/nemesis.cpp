#include "tests/sim/nemesis.hpp"

#include <fmt/format.h>

namespace replicator::sim {

namespace {
constexpr std::uint64_t kill_operation_window = 60;
}

const char* name(FaultKind kind) noexcept {
  switch (kind) {
    case FaultKind::reset_connections: return "reset-connections";
    case FaultKind::cut_one_socket: return "cut-one-socket";
    case FaultKind::cut_after_bytes: return "cut-after-bytes";
    case FaultKind::half_open: return "half-open";
    case FaultKind::block_both_ways: return "block-both-ways";
    case FaultKind::block_one_way: return "block-one-way";
    case FaultKind::slow_link: return "slow-link";
    case FaultKind::kill_primary: return "kill-primary";
    case FaultKind::kill_secondary: return "kill-secondary";
    case FaultKind::kill_both: return "kill-both";
    case FaultKind::kill_at_disk_operation: return "kill-at-disk-operation";
    case FaultKind::power_cut_primary: return "power-cut-primary";
    case FaultKind::power_cut_secondary: return "power-cut-secondary";
    case FaultKind::power_cut_both: return "power-cut-both";
    case FaultKind::pause_node: return "pause-node";
    case FaultKind::slow_disk: return "slow-disk";
    case FaultKind::switch_roles: return "switch-roles";
    case FaultKind::disconnect: return "disconnect";
    case FaultKind::fence_and_take_over: return "fence-and-take-over";
    case FaultKind::detach: return "detach";
    case FaultKind::disk_error: return "disk-error";
    case FaultKind::pause_sync: return "pause-sync";
    case FaultKind::invalidate: return "invalidate";
    case FaultKind::verify: return "verify";
    case FaultKind::grow: return "grow";
    case FaultKind::hang_disk: return "hang-disk";
  }
  return "?";
}

Nemesis::Nemesis(Cluster& cluster, std::uint32_t enabled_kinds, Duration mean_interval, bool hangs)
    : cluster_(cluster),
      enabled_(enabled_kinds),
      mean_interval_(mean_interval),
      prng_(cluster.world().stream("nemesis")),
      volume_prng_(cluster.world().stream("nemesis of volumes")),
      next_(cluster.world().now()),
      hangs_(hangs),
      hang_prng_(cluster.world().stream("hangs")),
      next_hang_(cluster.world().now()) {
  normal_path_ = cluster_.network().path(cluster_.node(0).id(), cluster_.node(1).id());
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t v = 0; v < cluster_.volumes(); ++v)
      normal_timing_[i].push_back(cluster_.disk(i, v).options().timing);
  }
  const auto on = [this](FaultKind kind) {
    return (enabled_ & (1U << static_cast<unsigned>(kind))) != 0;
  };
  if (on(FaultKind::detach) || on(FaultKind::disk_error) || hangs_) cluster_.disks_may_go();
}

Duration Nemesis::draw(Duration shortest, Duration longest) {
  return Duration::nanoseconds(
      static_cast<std::int64_t>(prng_.between(static_cast<std::uint64_t>(shortest.nanoseconds()),
                                              static_cast<std::uint64_t>(longest.nanoseconds()))));
}

std::size_t Nemesis::primary_or_any() {
  const std::size_t primary = cluster_.primary();
  return primary != Cluster::nobody ? primary : prng_.below(2);
}

std::size_t Nemesis::draw_volume() {
  return cluster_.volumes() == 1 ? 0 : volume_prng_.below(cluster_.volumes());
}

CutKind Nemesis::draw_cut() { return static_cast<CutKind>(prng_.below(5)); }

void Nemesis::act() {
  World& world = cluster_.world();
  if (heal_at_ <= world.now()) stop();
  if (hangs_) act_on_hang();
  if (world.now() < next_ || enabled_ == 0) return;
  next_ = world.now() + draw(Duration(), mean_interval_ * 2);
  auto kind = static_cast<FaultKind>(prng_.below(drawn_fault_kinds));
  while ((enabled_ & (1U << static_cast<unsigned>(kind))) == 0) {
    kind = static_cast<FaultKind>(prng_.below(drawn_fault_kinds));
  }
  if (world.recording()) world.record(outside, fmt::format("nemesis: {}", name(kind)));
  ++injected_[static_cast<std::size_t>(kind)];
  ++faults_;
  if (cluster_.in_flight() > 0) ++hits_in_flight_;
  inject(kind);
}

void Nemesis::stop() {
  heal_at_ = Instant::never();
  hang_ends_ = Instant::never();
  force_off_at_ = Instant::never();
  cluster_.network().heal_all();
  // Sometimes a half-open connection stays: then the keep-alive and the watch on the peer must find
  // out.
  if (prng_.chance(60)) cluster_.network().reveal_dead();
  const NodeId a = cluster_.node(0).id();
  const NodeId b = cluster_.node(1).id();
  cluster_.network().path(a, b) = normal_path_;
  cluster_.network().path(b, a) = normal_path_;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t v = 0; v < cluster_.volumes(); ++v) {
      SimDisk& disk = cluster_.disk(i, v);
      disk.set_timing(normal_timing_[i][v]);
      disk.clear_faults();
      disk.release_stuck();
    }
    cluster_.cancel_crash(i);
  }
}

void Nemesis::inject(FaultKind kind) {
  if (kind <= FaultKind::slow_link) return network_fault(kind);
  node_fault(kind);
}

void Nemesis::network_fault(FaultKind kind) {
  SimNetwork& network = cluster_.network();
  const std::size_t one = prng_.below(2);
  const NodeId a = cluster_.node(one).id();
  const NodeId b = cluster_.node(1 - one).id();
  World& world = cluster_.world();
  const bool toward_server = prng_.chance(50);
  const std::uint64_t which = prng_.below(4);
  switch (kind) {
    case FaultKind::reset_connections: network.cut_all(a, b, CutKind::reset); break;
    case FaultKind::cut_one_socket: {
      const CutKind cut = draw_cut();
      network.cut_one(a, b, which, toward_server, cut);
      break;
    }
    case FaultKind::cut_after_bytes: {
      const CutKind cut = draw_cut();
      const std::uint64_t bytes = prng_.below(prng_.chance(50) ? 300 : 20000);
      network.cut_one_after(a, b, which, toward_server, bytes, cut);
      break;
    }
    case FaultKind::half_open: network.cut_all(a, b, CutKind::silent); break;
    case FaultKind::block_both_ways:
      network.block(a, b);
      network.block(b, a);
      heal_at_ = world.now() + draw(Duration::milliseconds(1), Duration::seconds(15));
      break;
    case FaultKind::block_one_way:
      network.block(a, b);
      heal_at_ = world.now() + draw(Duration::milliseconds(1), Duration::seconds(15));
      break;
    default: {
      PathOptions& path = network.path(a, b);
      path.fastest = draw(Duration(), Duration::milliseconds(5));
      path.slowest = path.fastest + draw(Duration(), Duration::milliseconds(50));
      if (prng_.chance(30)) path.bytes_per_second = 1000 + prng_.below(10'000'000);
      path.choppiness = static_cast<std::uint32_t>(prng_.below(3));
      heal_at_ = world.now() + draw(Duration::milliseconds(10), Duration::seconds(5));
      break;
    }
  }
}

void Nemesis::node_fault(FaultKind kind) {
  World& world = cluster_.world();
  const std::size_t primary = primary_or_any();
  switch (kind) {
    case FaultKind::kill_primary: cluster_.kill(primary); break;
    case FaultKind::kill_secondary: cluster_.kill(1 - primary); break;
    case FaultKind::kill_both:
      cluster_.kill(primary);
      cluster_.kill(1 - primary);
      break;
    case FaultKind::kill_at_disk_operation: kill_at_operation(); break;
    case FaultKind::power_cut_primary: cluster_.power_cut(primary, CutMode::drawn); break;
    case FaultKind::power_cut_secondary: cluster_.power_cut(1 - primary, CutMode::drawn); break;
    case FaultKind::power_cut_both: cluster_.power_cut_both(CutMode::drawn); break;
    case FaultKind::pause_node:
      world.pause(cluster_.node(prng_.below(2)).id(),
                  world.now() + draw(Duration::milliseconds(1), Duration::seconds(12)));
      break;
    case FaultKind::slow_disk: {
      DiskTiming timing;
      timing.fastest = draw(Duration(), Duration::milliseconds(2));
      timing.slowest = timing.fastest + draw(Duration(), Duration::milliseconds(100));
      timing.slow_percent = static_cast<std::uint32_t>(prng_.below(20));
      timing.slow = draw(Duration::milliseconds(10), Duration::seconds(4));
      cluster_.disk(prng_.below(2), draw_volume()).set_timing(timing);
      heal_at_ = world.now() + draw(Duration::milliseconds(10), Duration::seconds(5));
      break;
    }
    case FaultKind::switch_roles: cluster_.want_switch(); break;
    case FaultKind::disconnect:
      cluster_.want_disconnect(prng_.below(2),
                               draw(Duration::milliseconds(100), Duration::seconds(5)));
      break;
    case FaultKind::detach: {
      const std::size_t which = prng_.below(2);
      cluster_.want_detach(which, draw_volume(),
                           draw(Duration::milliseconds(10), Duration::seconds(3)));
      break;
    }
    case FaultKind::disk_error: fail_disk(); break;
    case FaultKind::pause_sync: {
      const std::size_t which = prng_.below(2);
      cluster_.want_pause(which, draw_volume(),
                          draw(Duration::milliseconds(10), Duration::seconds(5)));
      break;
    }
    case FaultKind::invalidate: {
      const std::size_t which = prng_.below(2);
      cluster_.invalidate(which, draw_volume(), prng_.chance(50));
      break;
    }
    case FaultKind::verify: cluster_.want_verify(prng_.below(2), draw_volume()); break;
    case FaultKind::grow: {
      const std::uint64_t blocks = 1 + prng_.below(prng_.chance(50) ? 4 : 200);
      cluster_.grow(draw_volume(), ByteCount(blocks * block_bytes));
      break;
    }
    default:  // fence and take over: the link goes, and the Primary is shot at once
      cluster_.network().cut_all(cluster_.node(0).id(), cluster_.node(1).id(), CutKind::silent);
      cluster_.power_cut(primary, CutMode::drawn);
      break;
  }
}

// In the middle of whatever the node does: at its k-th disk operation from now.
void Nemesis::kill_at_operation() {
  const std::size_t which = prng_.below(2);
  const bool with_power = prng_.chance(50);
  if (!cluster_.node(which).running()) return;
  cluster_.crash_at_operation(which, prng_.below(kill_operation_window), with_power);
}

void Nemesis::act_on_hang() {
  const Instant now = cluster_.world().now();
  if (force_off_at_ <= now) {
    force_off_at_ = Instant::never();
    cluster_.force_disk_off(hanging_, hanging_volume_);
  }
  if (hang_ends_ <= now) {
    hang_ends_ = Instant::never();
    cluster_.disk(hanging_, hanging_volume_).clear_faults();
    cluster_.disk(hanging_, hanging_volume_).release_stuck();
  }
  if (now < next_hang_) return;
  const auto mean = static_cast<std::uint64_t>(mean_interval_.nanoseconds());
  next_hang_ =
      now + Duration::nanoseconds(static_cast<std::int64_t>(hang_prng_.between(mean, mean * 8)));
  // Only one of the two at a time.
  if (hang_ends_ == Instant::never()) hang_disk();
}

// From some operation on, a disk does not answer any more: nothing, or nothing of one kind. What it
// has taken it carries out in the end. Sometimes the operator forces it off meanwhile.
void Nemesis::hang_disk() {
  World& world = cluster_.world();
  if (world.recording()) world.record(outside, "nemesis: hang-disk");
  ++injected_[static_cast<std::size_t>(FaultKind::hang_disk)];
  ++faults_;
  if (cluster_.in_flight() > 0) ++hits_in_flight_;
  hanging_ = hang_prng_.below(2);
  hanging_volume_ = hang_prng_.below(cluster_.volumes());
  cluster_.disk(1 - hanging_, hanging_volume_).clear_faults();
  DiskFault fault;
  constexpr std::array kinds{DiskOp::read, DiskOp::write, DiskOp::flush, DiskOp::zeroes};
  for (const DiskOp kind : kinds)
    fault.kinds |= bit(kind);
  if (hang_prng_.chance(40)) fault.kinds = bit(kinds[hang_prng_.below(kinds.size())]);
  fault.countdown = hang_prng_.below(kill_operation_window);
  fault.sticky = hang_prng_.chance(80);
  fault.stuck = true;
  cluster_.disk(hanging_, hanging_volume_).inject(fault);
  const auto draw_up_to = [this](std::int64_t milliseconds) {
    return Duration::milliseconds(
        static_cast<std::int64_t>(hang_prng_.below(static_cast<std::uint64_t>(milliseconds))));
  };
  hang_ends_ = world.now() + draw_up_to(hang_prng_.chance(50) ? 20000 : 3000);
  if (hang_prng_.chance(40)) force_off_at_ = world.now() + draw_up_to(3000);
}

// One operation soon fails, or all of a kind do until the faults end. Only one of a volume's
// two disks at a time: with both gone there is no good data left to be kept.
void Nemesis::fail_disk() {
  const std::size_t which = prng_.below(2);
  const std::size_t volume = draw_volume();
  cluster_.disk(1 - which, volume).clear_faults();
  DiskFault fault;
  constexpr std::array kinds{DiskOp::read, DiskOp::write, DiskOp::flush, DiskOp::zeroes};
  fault.kinds = bit(kinds[prng_.below(kinds.size())]);
  fault.countdown = prng_.below(kill_operation_window);
  fault.sticky = prng_.chance(20);
  cluster_.disk(which, volume).inject(fault);
  if (fault.sticky) {
    heal_at_ = cluster_.world().now() + draw(Duration::milliseconds(10), Duration::seconds(3));
  }
}

}  // namespace replicator::sim
