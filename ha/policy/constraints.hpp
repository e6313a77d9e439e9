// The kinds of constraints, each read by a file of its own.
#pragma once

#include "ha/policy/stages.hpp"

namespace ha::policy {

// The resource that a constraint means by this id.
[[nodiscard]] Resource* constraint_resource(const Cluster& cluster, std::string_view id);
// Empty when one of them does not exist.
[[nodiscard]] std::vector<Resource*> set_members(const Cluster& cluster, const Element& set);

// Sorted into the lists of the resources that they bind.
void add_this_with(Resource& resource, const Colocation& colocation);
void add_with_this(Resource& resource, const Colocation& colocation);

void read_location(Cluster& cluster, const Element& xml);           // locations.cpp
void read_colocation(Cluster& cluster, const Element& xml);         // colocations.cpp
void read_ordering(Cluster& cluster, const Element& xml);           // orderings.cpp
void read_ticket_constraint(Cluster& cluster, const Element& xml);  // tickets.cpp
// Ban promotion where a ticket for it is missing.
void require_promotion_tickets(Cluster& cluster, Resource& clone);

}  // namespace ha::policy
