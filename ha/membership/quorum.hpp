// Who may act, and who decides: functions of the membership alone, so that all nodes that see the
// same nodes come to the same answer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace ha::membership {

// Two nodes cannot outvote each other: with two, whoever is left may go on, and only fencing can
// keep both from doing so. With three or more (the third may hold no resources) more than half of
// all configured nodes must be there.
inline bool has_quorum(std::size_t configured, std::size_t present) noexcept {
  return configured <= 2 ? present >= 1 : 2 * present > configured;
}

// The node that plans: the first by name of those present; empty when there is none.
inline std::string elect(const std::vector<std::string>& present) {
  const auto first = std::min_element(present.begin(), present.end());
  return first == present.end() ? std::string() : *first;
}

}  // namespace ha::membership
