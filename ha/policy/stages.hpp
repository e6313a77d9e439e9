// The stages of one calculation, in the order in which they run (plan.cpp).
#pragma once

#include "ha/policy/cluster.hpp"
#include "ha/policy/rules.hpp"

namespace ha::policy {

// ---- what the configuration says ----
void read_options(Cluster& cluster);             // options.cpp
void read_nodes(Cluster& cluster);               // nodes.cpp
void read_resources(Cluster& cluster);           // resources.cpp
void read_tags(Cluster& cluster);                // constraints.cpp
void read_health_constraints(Cluster& cluster);  // criteria.cpp; before the others
void read_constraints(Cluster& cluster);         // constraints.cpp
// Instances beyond clone-max are made for what the status says to run.
Resource* make_instance(Cluster& cluster, Resource& clone);
Resource* make_orphan(Cluster& cluster, const Element& history);
[[nodiscard]] Attributes resource_parameters(const Cluster& cluster, const Resource& resource,
                                             const Node* node);
[[nodiscard]] bool target_role(const Resource& resource, Role& role);
[[nodiscard]] bool is_disabled(const Resource& resource);

// ---- what the status says ----
void read_status(Cluster& cluster);                                     // nodes.cpp
void read_history(Cluster& cluster, Node& node, const Element& state);  // history.cpp
void note_failure_on_node(Cluster& cluster, Node& node, const std::string& reason,
                          bool delay = false);
void add_running(Cluster& cluster, Resource& resource, Node& node, bool failed);
struct Failures {
  Score count = 0;
  Seconds last = 0;
};
// `effective`: not counting what failure-timeout let expire.
[[nodiscard]] Failures failures_of(Cluster& cluster, const Node& node, Resource& resource,
                                   bool effective, const Element* operation = nullptr);
Action* clear_failures(Cluster& cluster, Resource& resource, Node& node);
void check_config_changes(Cluster& cluster);  // config_changes.cpp
enum class Digest { match, unknown, changed, restart };
// Of the parameters with which it would run now.
[[nodiscard]] std::string operation_digest(Cluster& cluster, const Resource& resource,
                                           const Node& node, std::string_view task,
                                           std::uint32_t interval);
[[nodiscard]] Digest compare_digest(Cluster& cluster, Resource& resource, Node& node,
                                    const Element& operation);

// ---- who goes where ----
void apply_node_criteria(Cluster& cluster);  // criteria.cpp
Location& new_location(Cluster& cluster, std::string_view id, Resource& resource, Score score,
                       std::string_view discovery, Node* node);
void apply_location(Resource& resource, Location& location);
void new_colocation(Cluster& cluster, std::string_view id, std::string_view attribute, Score score,
                    Resource& dependent, Resource& primary, std::string_view dependent_role,
                    std::string_view primary_role, bool influence);
Node* assign(Cluster& cluster, Resource& resource, Node* prefer = nullptr);  // assign.cpp

// ---- what is to be done ----
void internal_constraints(Cluster& cluster);  // internal_orders.cpp
void schedule_probes(Cluster& cluster);       // probes.cpp
void order_probes(Cluster& cluster);
bool probe(Cluster& cluster, Resource& resource, Node& node);
void create_actions(Cluster& cluster);                  // create_actions.cpp
void schedule_fencing_and_shutdowns(Cluster& cluster);  // fencing.cpp
void apply_orderings(Cluster& cluster);                 // apply_orders.cpp
void select_actions(Cluster& cluster);                  // graph.cpp

}  // namespace ha::policy
