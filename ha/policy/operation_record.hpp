// One entry of a resource's history on a node.
#pragma once

#include <optional>
#include <vector>

#include "ha/policy/cluster.hpp"

namespace ha::policy {

// How an operation ended, apart from what the agent returned.
enum class Execution : int {
  unknown = -2,
  pending = -1,
  done = 0,
  canceled = 1,
  timed_out = 2,
  not_supported = 3,
  error = 4,
  hard_error = 5,
  fatal_error = 6,
  not_installed = 7,
  not_connected = 8,
  invalid = 9,
  no_fence_device = 10,
  no_secrets = 11,
};

// Results of agents.
namespace ocf {
constexpr int ok = 0;
constexpr int invalid_parameter = 2;
constexpr int not_implemented = 3;
constexpr int insufficient_privileges = 4;
constexpr int not_installed = 5;
constexpr int not_configured = 6;
constexpr int not_running = 7;
constexpr int promoted = 8;
constexpr int failed_promoted = 9;
constexpr int degraded = 190;
constexpr int degraded_promoted = 191;
}  // namespace ocf

struct OperationRecord {
  const Element* xml = nullptr;
  std::string_view task;
  std::string_view key;
  std::uint32_t interval = 0;
  int call = -1;
  int result = 0;
  Execution execution = Execution::unknown;
  int expected = -1;  // negative: not recorded
  std::optional<Seconds> last_change;

  [[nodiscard]] bool is_probe() const noexcept { return interval == 0 && task == "monitor"; }
  // A probe that cannot say more than that the agent does not work here.
  [[nodiscard]] bool is_masked_probe() const noexcept;
};

// The result that a transition key ("action:transition:result:uuid") promises.
[[nodiscard]] std::optional<int> expected_result(std::string_view transition_key) noexcept;
[[nodiscard]] OperationRecord read_record(const Element& xml);
// Positive when a happened after b.
[[nodiscard]] int compare_age(const Element& a, const Element& b, bool same_node = true);
// All operations of a history entry, oldest first.
[[nodiscard]] std::vector<OperationRecord> sorted_records(const Element& history);

// Which of the sorted records belong to the present activity.
struct ActivePart {
  int start = -1;
  int stop = -1;
};
[[nodiscard]] ActivePart active_part(const std::vector<OperationRecord>& records);

}  // namespace ha::policy
