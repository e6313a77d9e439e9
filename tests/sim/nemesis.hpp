// Draws faults. Which kinds, how often and how hard is drawn once per seed (swarm): half of the
// kinds are off in any one history, because faults mask each other.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tests/sim/cluster.hpp"

namespace replicator::sim {

enum class FaultKind : std::uint8_t {
  reset_connections,
  cut_one_socket,
  cut_after_bytes,
  half_open,
  block_both_ways,
  block_one_way,
  slow_link,
  kill_primary,
  kill_secondary,
  kill_both,
  kill_at_disk_operation,
  power_cut_primary,
  power_cut_secondary,
  power_cut_both,
  pause_node,
  slow_disk,
  switch_roles,
  disconnect,
  fence_and_take_over,
  detach,
  disk_error,
  pause_sync,
  invalidate,
  verify,
  grow,
  hang_disk,  // drawn on its own, beside the others
};
inline constexpr std::size_t drawn_fault_kinds = 25;
inline constexpr std::size_t fault_kinds = drawn_fault_kinds + 1;
const char* name(FaultKind kind) noexcept;

class Nemesis {
 public:
  Nemesis(Cluster& cluster, std::uint32_t enabled_kinds, Duration mean_interval, bool hangs);

  // Called every so often; injects a fault when its time has come.
  void act();
  // Ends all lasting faults.
  void stop();

  [[nodiscard]] const std::array<std::uint32_t, fault_kinds>& injected() const noexcept {
    return injected_;
  }
  // Faults that hit while application writes were in flight.
  [[nodiscard]] std::uint32_t hits_in_flight() const noexcept { return hits_in_flight_; }
  [[nodiscard]] std::uint32_t faults() const noexcept { return faults_; }

 private:
  void inject(FaultKind kind);
  void network_fault(FaultKind kind);
  void node_fault(FaultKind kind);
  void kill_at_operation();
  void fail_disk();
  void act_on_hang();
  void hang_disk();
  CutKind draw_cut();
  [[nodiscard]] std::size_t primary_or_any();
  [[nodiscard]] std::size_t draw_volume();
  [[nodiscard]] Duration draw(Duration shortest, Duration longest);

  Cluster& cluster_;
  std::uint32_t enabled_;
  Duration mean_interval_;
  Prng prng_;
  Prng volume_prng_;
  Instant next_;
  Instant heal_at_ = Instant::never();
  PathOptions normal_path_;
  std::array<std::vector<DiskTiming>, 2> normal_timing_;
  bool hangs_;
  Prng hang_prng_;
  Instant next_hang_;
  std::size_t hanging_ = 0;  // which node's disk of which volume, until …
  std::size_t hanging_volume_ = 0;
  Instant hang_ends_ = Instant::never();
  Instant force_off_at_ = Instant::never();
  std::array<std::uint32_t, fault_kinds> injected_{};
  std::uint32_t hits_in_flight_ = 0;
  std::uint32_t faults_ = 0;
};

}  // namespace replicator::sim
