// The status section: what operations left behind, node by node, in the form that the planner
// reads. Pure changes of the tree.
#pragma once

#include <string>
#include <string_view>

#include "ha/controller/operation.hpp"

namespace ha::controller {

// The record of an operation that has ended; of one that has begun when the outcome is pending.
[[nodiscard]] Element record_of(const Operation& operation, const Outcome& outcome, int call);
[[nodiscard]] Element pending_record(const Operation& operation, Seconds now);
// An operation that may change what the resource does on the node.
[[nodiscard]] bool changes_role(const std::string& task);
// Puts it into the history of its resource, which is made when there is none, in place of the one
// that it follows.
void put_record(Element& resources, const Operation& operation, const Element& record);
// What was said of a monitor that is no longer done.
void drop_record(Element& resources, const Operation& canceled);
// Its monitors ended, as something else began.
void drop_monitors(Element& resources, const std::string& resource);
// The resource is forgotten there: it will be asked again.
void drop_resource(Element& resources, std::string_view resource);
// Its failures are.
void drop_failures(Element& resources, std::string_view resource);
[[nodiscard]] Operation operation_of_record(const Element& resource, const Element& record);

struct NodeStanding {
  bool member = false;   // heard
  bool process = false;  // its manager takes part
  std::string_view join = "down";
  std::string_view expected = "down";
};
Element& node_state(Element& root, const std::string& node);
[[nodiscard]] const Element* find_node_state(const Element& root, std::string_view node) noexcept;
[[nodiscard]] std::string node_id(const Element& root, std::string_view node);
void set_standing(Element& state, const NodeStanding& standing);
Element& histories_of(Element& state);

// Whether any of these resources is active, or may be, for all that is known of it.
[[nodiscard]] bool any_active(const Element& resources);

// Attributes of a node that end with its life. Null takes it away.
void set_transient(Element& state, std::string_view name, const std::string* value);
[[nodiscard]] const std::string* find_transient(const Element& root, std::string_view node,
                                                std::string_view name) noexcept;
void wipe_transient(Element& state);
void wipe_histories(Element& state);

// The failure counts against the node, as far as this kind of operation counts: true if it did.
bool count_failure(Element& state, const Operation& operation, const Outcome& outcome,
                   bool start_failure_is_fatal, Seconds now);
void clear_failure_counts(Element& state, std::string_view resource);

}  // namespace ha::controller
