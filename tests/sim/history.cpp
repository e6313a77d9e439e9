#include "tests/sim/history.hpp"

#include <fmt/format.h>

#include "base/mark.hpp"
#include "engine/decide/write_ordering.hpp"
#include "tests/sim/failover_history.hpp"
#include "tests/sim/split_brain_history.hpp"
#include "tests/sim/two_primaries_history.hpp"
#include "tls/session.hpp"

namespace replicator::sim {

namespace {

// One of twelve is about split brain; of the others one of ten is about two Primaries, and three of
// twenty have several volumes.
constexpr Subject subject_of(std::uint64_t seed) noexcept {
  if (seed % 12 == 11) return Subject::split_brain;
  if (seed % 10 == 4) return Subject::two_primaries;
  const std::uint64_t share = seed % 20;
  return share == 12 || share == 15 || share == 18 ? Subject::volumes : Subject::one_volume;
}

struct Plan {
  ClusterOptions cluster;
  std::uint32_t faults_enabled = 0;
  std::uint64_t operations = 0;
  Duration fault_interval;
  Duration safety_phase;
  bool hangs = false;
  std::uint32_t rot = 0;  // places that are planted at the end, for a verify to find
  // This node is without the disk of this volume, at first.
  std::size_t away_from = Cluster::nobody;
  std::size_t away_volume = 0;
  Duration away_for;
};

std::string text_of(const Plan& plan) {
  const ReplicaOptions& replica = plan.cluster.replica;
  std::string volumes;
  for (const VolumeOptions& more : plan.cluster.more_volumes) {
    volumes += fmt::format(",{}+{}", more.disk_bytes.value() >> 20U,
                           more.disk_bytes.value() % (1U << 20U) / sector_bytes);
  }
  if (!volumes.empty() && replica.resync_in_turn) volumes += " in turn";
  if (plan.away_from != Cluster::nobody) {
    volumes += fmt::format(" away={}/{}", plan.away_from, plan.away_volume);
  }
  const std::string hangs =
      plan.hangs ? fmt::format("hangs disk-timeout={} ", replica.disk.disk_timeout_tenths) : "";
  return fmt::format(
      "{}{}protocol={} version={} tls={} wo={} disk={}+{}{} synced={} al={} clients={} ops={} "
      "faults={:#x} interval={}ms chop={} buffer={}",
      hangs, replica.disk.fencing == Fencing::dont_care ? "" : "fencing ",
      "?ABC"[static_cast<std::size_t>(replica.net.protocol)], replica.net.protocol_version_max,
      replica.net.tls, letter(write_ordering(replica.disk)), plan.cluster.disk_bytes.value() >> 20U,
      plan.cluster.disk_bytes.value() % (1U << 20U) / sector_bytes, volumes,
      plan.cluster.synced_at_start, replica.disk.al_extents, plan.cluster.workload.clients,
      plan.operations, plan.faults_enabled, plan.fault_interval.milliseconds(),
      plan.cluster.path.choppiness, plan.cluster.path.buffer_bytes);
}

DiskTiming draw_timing(Prng& prng) {
  DiskTiming timing;
  timing.fastest = Duration::microseconds(static_cast<std::int64_t>(10 + prng.below(100)));
  timing.slowest =
      timing.fastest + Duration::microseconds(static_cast<std::int64_t>(prng.below(3000)));
  timing.slow_percent = prng.chance(50) ? static_cast<std::uint32_t>(prng.below(4)) : 0;
  return timing;
}

void draw_disks(Prng& prng, ClusterOptions& options) {
  const std::uint64_t odd = prng.chance(30) ? prng.below(64) : 0;
  std::uint64_t mebibytes = 1 + prng.below(6);
  if (options.synced_at_start && prng.chance(60)) mebibytes = 36 + prng.below(20);
  options.disk_bytes = ByteCount((mebibytes << 20U) + odd * sector_bytes);
  for (DiskModel& disk : options.disks) {
    disk.timing = draw_timing(prng);
    disk.discard = prng.chance(70) ? DiscardMode::zeroes : DiscardMode::unsupported;
    disk.destage_percent = static_cast<std::uint32_t>(prng.below(40));
    disk.check_stability = prng.chance(50);
  }
}

void draw_network(Prng& prng, ClusterOptions& options) {
  options.path.fastest = Duration::microseconds(static_cast<std::int64_t>(10 + prng.below(300)));
  options.path.slowest =
      options.path.fastest + Duration::microseconds(static_cast<std::int64_t>(prng.below(2000)));
  options.path.choppiness = prng.chance(60) ? 0 : 1 + static_cast<std::uint32_t>(prng.below(2));
  options.path.buffer_bytes = static_cast<std::uint32_t>(4096U << prng.below(6));
  NetOptions& net = options.replica.net;
  net.ping_interval_seconds = 1 + static_cast<std::uint32_t>(prng.below(10));
  net.connect_interval_seconds = 1 + static_cast<std::uint32_t>(prng.below(10));
  net.max_epoch_size = prng.chance(30) ? 20 : 2048;
  net.use_rle = prng.chance(70);
  net.verify_alg = prng.chance(50) ? "crc32c" : "sha1";
  if (prng.chance(35)) net.csums_alg = prng.chance(50) ? "crc32c" : "sha1";
  net.csums_after_crash_only = prng.chance(30);
  if (prng.chance(30)) net.data_integrity_alg = "crc32c";
}

// From 91 on: two older nodes that lost the last messages of a resync wait for a human decision.
void draw_version(Prng prng, ClusterOptions& options) {
  if (!prng.chance(25)) return;
  options.replica.net.protocol_version_max = 91 + static_cast<std::uint32_t>(prng.below(10));
}

void draw_engine(Prng& prng, ClusterOptions& options) {
  replicator::DiskOptions& disk = options.replica.disk;
  disk.al_extents = prng.chance(70) ? 7 : 1237;
  disk.resync_rate = 10000 + static_cast<std::uint32_t>(prng.below(200000));
  disk.c_min_rate = 4000;
  disk.c_plan_ahead_tenths = prng.chance(50) ? 0 : 20;
  if (prng.chance(35)) disk.rs_discard_granularity = 4096U << prng.below(7);
}

void draw_workload(Prng& prng, ClusterOptions& options) {
  Workload& work = options.workload;
  work.clients = 1 + static_cast<std::uint32_t>(prng.below(8));
  work.read_percent = static_cast<std::uint32_t>(prng.below(40));
  work.flush_percent = static_cast<std::uint32_t>(prng.below(15));
  work.discard_percent = prng.chance(50) ? static_cast<std::uint32_t>(prng.below(4)) : 0;
  work.zeroes_percent = prng.chance(50) ? static_cast<std::uint32_t>(prng.below(4)) : 0;
  work.stable_percent = static_cast<std::uint32_t>(prng.below(20));
  work.hot_percent = static_cast<std::uint32_t>(prng.below(100));
  work.hot_spots = 1 + static_cast<std::uint32_t>(prng.below(6));
  work.largest_sectors = 4 + static_cast<std::uint32_t>(prng.below(40));
  work.burst_percent = static_cast<std::uint32_t>(prng.below(100));
  work.longest_pause = Duration::microseconds(static_cast<std::int64_t>(prng.below(20000)));
}

// Which of the modes an administrator may choose; a stream of its own, so that a plan stays what it
// was.
void draw_modes(Prng prng, ClusterOptions& options) {
  NetOptions& net = options.replica.net;
  const std::uint64_t dice = prng.below(4);
  if (dice == 0) net.protocol = WireProtocol::a;
  if (dice == 1) net.protocol = WireProtocol::b;
  if (net.protocol == WireProtocol::a && prng.chance(50)) {
    net.on_congestion = prng.chance(70) ? OnCongestion::pull_ahead : OnCongestion::disconnect;
    net.congestion_fill_sectors = prng.chance(80) ? 8 + prng.below(400) : 0;
    net.congestion_extents = prng.chance(50) ? 1 + static_cast<std::uint32_t>(prng.below(4)) : 1237;
  }
  if (prng.chance(30)) {
    options.replica.disk.read_balancing = static_cast<ReadBalancing>(prng.below(11));
  }
  if (prng.chance(10)) options.replica.disk.al_updates = false;
  // Few buffers make a resync slow: on a small disk only.
  const bool small = options.disk_bytes.value() < 16U << 20U;
  if (prng.chance(30)) net.max_buffers = small ? 32 : 128;
  if (prng.chance(30)) net.ko_count = 2 + static_cast<std::uint32_t>(prng.below(5));
  // Without flushes only for disks that need none.
  if (prng.chance(15)) {
    replicator::DiskOptions& disk = options.replica.disk;
    for (DiskModel& model : options.disks)
      model.volatile_cache = false;
    disk.disk_flushes = false;
    disk.disk_drain = prng.chance(50);
    disk.md_flushes = prng.chance(50);
  }
}

// A key, not certificates: signatures are not of one length, and the next run has to be the same.
void draw_tls(Prng prng, ClusterOptions& options) {
  if (!prng.chance(15)) return;
  tls::Material material;
  material.psk_identity = "simulated";
  material.psk.assign(32, std::byte{0x5e});
  std::string problem;
  options.replica.net.tls = true;
  options.replica.net.tls_context = tls::Context::create(material, problem);
}

Plan draw_plan(Prng prng, Prng modes, Prng versions, Prng security) {
  Plan plan;
  plan.cluster.synced_at_start = prng.chance(60);
  draw_disks(prng, plan.cluster);
  draw_network(prng, plan.cluster);
  draw_engine(prng, plan.cluster);
  draw_modes(modes, plan.cluster);
  draw_version(versions, plan.cluster);
  draw_tls(security, plan.cluster);
  draw_workload(prng, plan.cluster);
  if (prng.chance(30)) {
    for (std::int32_t& ppm : plan.cluster.drift_ppm) {
      ppm = static_cast<std::int32_t>(prng.below(20001)) - 10000;
    }
  }
  if (prng.chance(30)) plan.rot = 1 + static_cast<std::uint32_t>(prng.below(20));
  plan.operations = 500 + prng.below(800);
  for (std::uint32_t kind = 0; kind < drawn_fault_kinds; ++kind) {
    if (prng.chance(50)) plan.faults_enabled |= 1U << kind;
  }
  plan.fault_interval = Duration::milliseconds(static_cast<std::int64_t>(50 + prng.below(2000)));
  plan.safety_phase = plan.fault_interval * static_cast<std::int64_t>(6 + prng.below(10));
  return plan;
}

// A Primary that loses its peer freezes until the peer is fenced. What disks that go would add is
// another subject; protocol A is refused with it.
void draw_fencing(Prng prng, Plan& plan) {
  if (!prng.chance(30)) return;
  plan.cluster.replica.disk.fencing = Fencing::resource_and_stonith;
  // Frozen and crashed, the two share a generation; without features a handshake refuses that.
  plan.cluster.replica.net.protocol_version_max =
      std::max(plan.cluster.replica.net.protocol_version_max, 100U);
  plan.cluster.replica.net.protocol = WireProtocol::c;
  plan.cluster.replica.net.on_congestion = OnCongestion::block;
  for (const FaultKind kind : {FaultKind::detach, FaultKind::disk_error}) {
    plan.faults_enabled &= ~(1U << static_cast<unsigned>(kind));
  }
}

// Two or three volumes, each with a disk of its own; one of them may be without a disk on one node
// at first.
void draw_volumes(Prng prng, Plan& plan) {
  ClusterOptions& options = plan.cluster;
  const std::uint64_t more = 1 + prng.below(2);
  for (std::uint64_t i = 0; i < more; ++i) {
    VolumeOptions volume;
    const std::uint64_t odd = prng.chance(30) ? prng.below(64) : 0;
    const std::uint64_t mebibytes = 1 + prng.below(options.synced_at_start ? 12 : 4);
    volume.disk_bytes = ByteCount((mebibytes << 20U) + odd * sector_bytes);
    for (std::size_t node = 0; node < 2; ++node) {
      DiskModel& disk = volume.disks[node];
      disk.timing = draw_timing(prng);
      disk.discard = prng.chance(70) ? DiscardMode::zeroes : DiscardMode::unsupported;
      disk.destage_percent = static_cast<std::uint32_t>(prng.below(40));
      disk.check_stability = prng.chance(50);
      disk.volatile_cache = options.disks[node].volatile_cache;
    }
    options.more_volumes.push_back(volume);
  }
  // Before that no packet says which volume it is about.
  std::uint32_t& version = options.replica.net.protocol_version_max;
  if (version < 100) version = 101;
  options.replica.resync_in_turn = prng.chance(30);
  options.workload.clients = 1 + static_cast<std::uint32_t>(prng.below(4));
  plan.operations /= 1 + more;
  const bool disks_go = options.replica.disk.fencing == Fencing::dont_care;
  if (disks_go && options.synced_at_start && prng.chance(25)) {
    plan.away_from = prng.below(2);
    plan.away_volume = prng.below(1 + more);
    plan.away_for = Duration::milliseconds(static_cast<std::int64_t>(100 + prng.below(10000)));
  }
}

// Disks that stop to answer, with `disk-timeout` or an operator to notice. Not together with disks
// that are merely slow: both would be given up. Before 100 the protocol leaves it to a human whose
// data count when the disk of a Primary comes back that could not say goodbye.
void draw_hangs(Prng prng, Plan& plan) {
  if (plan.cluster.replica.net.protocol_version_max < 100) return;
  if (plan.cluster.replica.disk.fencing != Fencing::dont_care || !prng.chance(25)) return;
  plan.hangs = true;
  plan.faults_enabled &= ~(1U << static_cast<unsigned>(FaultKind::slow_disk));
  if (prng.chance(60)) {
    plan.cluster.replica.disk.disk_timeout_tenths = 1 + static_cast<std::uint32_t>(prng.below(30));
  }
}

class History {
 public:
  History(World& world, const Plan& plan)
      : world_(world), plan_(plan), cluster_(world, plan.cluster) {
    slow_handlers();
  }

  void run(Outcome& outcome) {
    cluster_.set_operations(plan_.operations);
    if (cluster_.start()) {
      Nemesis nemesis(cluster_, plan_.faults_enabled, plan_.fault_interval, plan_.hangs);
      if (plan_.away_from != Cluster::nobody) {
        cluster_.disks_may_go();
        cluster_.want_detach(plan_.away_from, plan_.away_volume, plan_.away_for);
      }
      safety(nemesis);
      outcome.faults = nemesis.faults();
      outcome.hits_in_flight = nemesis.hits_in_flight();
      outcome.injected = nemesis.injected();
      nemesis.stop();
      if (!world_.failed()) liveness();
    }
    outcome.writes = cluster_.writes();
    outcome.description = text_of(plan_) + "; at the end: " + cluster_.describe();
  }

 private:
  // In some histories every handler takes its time, so that anything may happen meanwhile.
  void slow_handlers() {
    Prng prng = world_.stream("handlers");
    const bool slow = prng.chance(40);
    const std::uint64_t longest = slow ? 1 + prng.below(2000) : 5;
    for (std::size_t i = 0; i < 2; ++i) {
      cluster_.node(i).helper().set_script(
          [this, i, prng, longest](const io::HelperCall& c) mutable {
            HelperAnswer answer;
            answer.takes = Duration::milliseconds(static_cast<std::int64_t>(prng.below(longest)));
            return c.handler == "fence-peer" ? cluster_.fence_peer(i, answer.takes) : answer;
          });
    }
  }

  void safety(Nemesis& nemesis) {
    const Instant end = world_.now() + plan_.safety_phase;
    Prng pace = world_.stream("pace");
    while (!world_.failed() && world_.now() < end) {
      world_.run_for(Duration::microseconds(static_cast<std::int64_t>(pace.below(40000))));
      if (world_.failed()) return;
      nemesis.act();
      cluster_.manage();
    }
  }

  // Runs in steps in which the manager acts, until the predicate holds.
  bool manage_until(const std::function<bool()>& predicate, Duration limit) {
    const Instant deadline = world_.now() + limit;
    while (!world_.failed() && world_.now() < deadline) {
      if (predicate()) return true;
      cluster_.manage();
      world_.run_until(predicate, Duration::milliseconds(20));
    }
    return !world_.failed() && predicate();
  }

  void fail_liveness(const char* invariant, const char* what) {
    if (world_.failed()) return;
    world_.fail(FailureKind::liveness, invariant, fmt::format("{}: {}", what, cluster_.describe()));
  }

  void liveness() {
    cluster_.set_hasty(true);
    const auto settled = [this] { return cluster_.both_good() || cluster_.undecidable(); };
    if (!manage_until(settled, Duration::seconds(120))) {
      // One dead socket of two is TCP's to find out.
      cluster_.network().reveal_dead();
      if (!manage_until(settled, Duration::seconds(120))) {
        return fail_liveness("L1", "no healing after the faults stopped");
      }
    }
    if (cluster_.undecidable()) return mark("split brain of volumes that nobody can resolve");
    cluster_.stop_clients();
    if (!manage_until([&] { return cluster_.clients_idle(); }, Duration::seconds(120))) {
      return fail_liveness("L2", "an application request is never answered");
    }
    // A resize that has just been asked for begins a resync when it is heard of, and a socket that
    // is dead without anybody's knowledge would keep the news away.
    cluster_.network().reveal_dead();
    for (int round = 0; round == 0 || !cluster_.both_good(); ++round) {
      const auto quiet = [this] { return cluster_.both_good() && !cluster_.resize_due(); };
      if (round == 10 || !manage_until(quiet, Duration::seconds(120))) {
        return fail_liveness("L1", "not in sync when quiet");
      }
      world_.run_for(Duration::seconds(3));
      if (world_.failed()) return;
    }
    cluster_.check_equal();
    cluster_.check_covered();
    if (plan_.rot != 0 && !world_.failed()) rot_and_repair();
    if (world_.failed()) return;
    shut_down();
  }

  // What differs is found, nothing else is, and a reconnect makes it good.
  void rot_and_repair() {
    if (cluster_.primary() == Cluster::nobody) return;
    cluster_.plant_rot(plan_.rot);
    const auto asking = static_cast<std::size_t>(plan_.rot % 2);
    // A connection that is dead since before may yet be found out: then it is asked for again.
    const auto found = [&] {
      if (!cluster_.both_good()) return false;
      if (cluster_.rot_found()) return true;
      cluster_.look_for_rot(asking);
      return false;
    };
    if (!manage_until(found, Duration::seconds(120))) {
      return fail_liveness("E1", "a verify did not find what differs, or found more");
    }
    mark("rot found by verify");
    cluster_.reconnect_secondary();
    cluster_.manage();
    if (!manage_until([&] { return cluster_.both_good() && cluster_.marked() == 0; },
                      Duration::seconds(120))) {
      return fail_liveness("E1", "a reconnect did not repair what a verify found");
    }
    cluster_.check_equal();
  }

  void shut_down() {
    // A connection that is found dead only now would have the peer shot, or leave marks behind.
    cluster_.network().reveal_dead();
    world_.run_for(Duration::seconds(1));
    if (!manage_until([&] { return cluster_.both_good(); }, Duration::seconds(120))) {
      return fail_liveness("L1", "not in sync before the end");
    }
    cluster_.stop_managing_roles();
    if (!cluster_.close_and_take_down()) return;
    cluster_.check_equal();
    cluster_.check_clean();
  }

  World& world_;
  const Plan& plan_;
  Cluster cluster_;
};

}  // namespace

const char* name(Subject subject) noexcept {
  switch (subject) {
    case Subject::split_brain: return "split-brain";
    case Subject::two_primaries: return "two-primaries";
    case Subject::volumes: return "volumes";
    case Subject::one_volume: return "one-volume";
    case Subject::failover: return "ha";
  }
  return "?";
}

std::optional<Subject> subject_by_name(std::string_view word) noexcept {
  for (const Subject subject : {Subject::split_brain, Subject::two_primaries, Subject::volumes,
                                Subject::one_volume, Subject::failover}) {
    if (word == name(subject)) return subject;
  }
  return std::nullopt;
}

Outcome run_history(const HistoryOptions& options) {
  Outcome outcome;
  World world(options.seed);
  if (options.recording) world.set_recording(true, options.live_trace);
#ifdef POLLUX_SABOTAGE
  set_sabotage(options.sabotage);
#endif
  set_mark_hook(
      [](void* context, const char* name) {
        ++(*static_cast<std::map<std::string, std::uint64_t>*>(context))[name];
      },
      &outcome.marks);
  const Subject subject = options.subject.value_or(subject_of(options.seed));
  if (subject == Subject::split_brain) {
    outcome.description = run_split_brain(world);
  } else if (subject == Subject::failover) {
    const FailoverResult result = run_failover(world);
    outcome.description = result.text;
    outcome.writes = result.moves;
    outcome.faults = result.faults;
  } else if (subject == Subject::two_primaries) {
    const TwoPrimariesResult result = run_two_primaries(world);
    outcome.description = result.text;
    outcome.writes = result.writes;
    outcome.faults = result.faults;
  } else {
    Plan plan = draw_plan(world.stream("plan"), world.stream("modes"), world.stream("versions"),
                          world.stream("security"));
    draw_fencing(world.stream("fencing"), plan);
    if (subject == Subject::volumes) draw_volumes(world.stream("volumes"), plan);
    draw_hangs(world.stream("hanging"), plan);
    History history(world, plan);
    history.run(outcome);
  }
  set_mark_hook(nullptr, nullptr);
#ifdef POLLUX_SABOTAGE
  set_sabotage(Sabotage::none);
#endif
  outcome.failure = world.failure();
  outcome.trace_hash = world.trace_hash();
  outcome.events = world.events();
  if (options.recording) outcome.flight_recorder = world.flight_recorder();
  return outcome;
}

}  // namespace replicator::sim
