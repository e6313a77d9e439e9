// Placement, in pieces: primitives and groups (assign.cpp), clones (assign_clone.cpp,
// instance_order.cpp), promotion (promotion.cpp), what colocations do to scores
// (colocation_scores.cpp), utilization (utilization.cpp).
#pragma once

#include "ha/policy/constraints.hpp"

namespace ha::policy {

// Best first: score, then load, then the active node, then name.
[[nodiscard]] std::vector<NodeScore> sorted_nodes(const Cluster& cluster, const NodeTable& table,
                                                  const Node* active = nullptr);
// False when there is no such place; the resource then stops.
bool finish_assignment(const Cluster& cluster, Resource& resource, const NodeScore* chosen,
                       bool force);
void unassign(const Cluster& cluster, Resource& resource);
// Places the whole; true if something had a place before.
bool assign_all(const Cluster& cluster, Resource& resource, const NodeScore* chosen, bool force);

void assign_clone(Cluster& cluster, Resource& clone, Node* prefer);
[[nodiscard]] int compare_instances(Cluster& cluster, const Resource& a, const Resource& b);
[[nodiscard]] int compare_instance_numbers(const Resource& a, const Resource& b) noexcept;
// The table that counts instances per node: that of the clone, or of the group in it.
[[nodiscard]] NodeScore* parent_entry(const Resource& instance, const Node* node) noexcept;

void add_promotion_scores(Cluster& cluster, Resource& clone);
void choose_promoted(Cluster& cluster, Resource& clone);

// How the scores of what is colocated count for somebody else's.
struct Merge {
  bool this_with = false;    // follow what the resource depends on, instead of its dependents
  bool active = false;       // ignore a resource that has no place to run anyway
  bool nonnegative = false;  // a preference must not turn into its opposite
  bool fresh = false;        // begin with the resource's own scores
};
void add_colocated_scores(Cluster& cluster, Resource& resource, NodeTable& nodes,
                          std::string_view attribute, float factor, Merge merge);
[[nodiscard]] bool has_influence(const Colocation& colocation,
                                 const Resource* resource = nullptr) noexcept;
// The colocation's effect on the dependent, once the primary has its place.
void apply_colocation(Cluster& cluster, Resource& dependent, Resource& primary,
                      const Colocation& colocation, bool for_dependent);
// Whether the colocation would decide about the dependent's place, once both are placed.
[[nodiscard]] bool would_decide_place(const Resource& dependent, const Resource& primary,
                                      const Colocation& colocation) noexcept;
// The score of the place that was chosen; that of the first member for what consists of several.
[[nodiscard]] Score place_score(const Resource& resource) noexcept;
[[nodiscard]] float factor_of(const Colocation& colocation) noexcept;
// All nodes but these are forbidden.
void keep_only(NodeTable& table, const std::vector<NodeScore>& nodes, bool add_scores);
// The instance of a clone that is, or will be, where the other resource is.
[[nodiscard]] Resource* compatible_instance(const Cluster& cluster, const Resource& other,
                                            const Resource& clone, Role filter, bool current);
[[nodiscard]] bool any_blocked(const Resource& resource) noexcept;
void promotable_sets_dependent(const Resource& primary, Resource& dependent,
                               const Colocation& colocation);
void promotable_sets_priority(const Cluster& cluster, const Resource& primary, Resource& dependent,
                              const Colocation& colocation);

// Nodes with too little room for the resource, with what has to run beside it, are forbidden. The
// node with most room.
Node* ban_full_nodes(Cluster& cluster, Resource& resource);
void take_capacity(const Cluster& cluster, const Resource& resource, Node& node, bool give_back);
[[nodiscard]] int compare_capacities(const Node& a, const Node& b);
void sort_for_utilization(Cluster& cluster);

}  // namespace ha::policy
