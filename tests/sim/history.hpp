// One simulated history from one seed: swarm options are drawn, two nodes live through faults while
// the application works (safety phase), then everything is made whole and must heal, agree and shut
// down (liveness phase).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/sabotage.hpp"
#include "tests/sim/nemesis.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

// What a history is about; it follows from the seed's number, unless it is asked for.
enum class Subject : std::uint8_t { split_brain, two_primaries, volumes, one_volume, failover };
const char* name(Subject subject) noexcept;
std::optional<Subject> subject_by_name(std::string_view word) noexcept;

struct HistoryOptions {
  std::uint64_t seed = 1;
  std::optional<Subject> subject;
  bool recording = false;
  bool live_trace = false;
  Sabotage sabotage = Sabotage::none;
};

struct Outcome {
  Failure failure;
  std::string description;  // drawn options, and the nodes' states at the end
  std::string flight_recorder;
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0;
  std::uint64_t writes = 0;
  std::uint32_t faults = 0;
  std::uint32_t hits_in_flight = 0;
  std::array<std::uint32_t, fault_kinds> injected{};
  std::map<std::string, std::uint64_t> marks;
  [[nodiscard]] bool ok() const noexcept { return failure.kind == FailureKind::none; }
};

Outcome run_history(const HistoryOptions& options);

}  // namespace replicator::sim
