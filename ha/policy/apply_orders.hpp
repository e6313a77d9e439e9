// What orderings do to the actions at their ends: apply_orders.cpp goes through all of them until
// nothing changes, order_effects.cpp knows what one ordering does.
#pragma once

#include "ha/policy/stages.hpp"

namespace ha::policy {

namespace changed {
constexpr unsigned nothing = 0;
constexpr unsigned first = 1;
constexpr unsigned then = 2;
}  // namespace changed

// One bit of an ordering at work.
struct Effect {
  Action* first = nullptr;
  Action* then = nullptr;
  const Node* node = nullptr;
  std::uint32_t first_flags = 0;  // as `then` sees them
  std::uint32_t filter = 0;       // which of them count
  std::uint32_t kind = 0;         // the bit
};
[[nodiscard]] unsigned apply_effect(Cluster& cluster, const Effect& effect);

// The flags of an action of a group or clone follow from those of the members.
[[nodiscard]] std::uint32_t action_flags(Action& action, const Node* node);
// The task of the members behind a task of the whole: "running" is their "start".
[[nodiscard]] std::string_view member_task(const Resource& member, std::string_view task);

[[nodiscard]] std::string_view clone_member_task(const Action& action);

void update_for_orders(Cluster& cluster, Action& then);
void block_colocated(Cluster& cluster, Action& action);
// Whether what the link waits for waits, in turn, for the action (graph.cpp).
[[nodiscard]] bool leads_back(const Action& start, Action& action, Link& link);
void clear_because(Action& action, std::uint32_t flag, const Action& reason);

}  // namespace ha::policy
