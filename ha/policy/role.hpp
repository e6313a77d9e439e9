// What a resource is doing on a node, in ascending order: each role includes those below it.
#pragma once

#include <string_view>

#include "ha/policy/text.hpp"

namespace ha::policy {

enum class Role { unknown, stopped, started, unpromoted, promoted };

[[nodiscard]] constexpr std::string_view role_text(Role role) noexcept {
  switch (role) {
    case Role::unknown: return "Unknown";
    case Role::stopped: return "Stopped";
    case Role::started: return "Started";
    case Role::unpromoted: return "Unpromoted";
    case Role::promoted: return "Promoted";
  }
  return "Unknown";
}

// Both the present and the older words; unknown for others.
[[nodiscard]] inline Role parse_role(std::string_view text) noexcept {
  if (same(text, "Stopped")) return Role::stopped;
  if (same(text, "Started")) return Role::started;
  if (any_of(text, {"Unpromoted", "Slave"})) return Role::unpromoted;
  if (any_of(text, {"Promoted", "Master"})) return Role::promoted;
  return Role::unknown;
}

}  // namespace ha::policy
