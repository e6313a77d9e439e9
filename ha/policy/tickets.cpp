// Tickets: permission, granted from outside, to run something at this site.
#include "ha/policy/constraints.hpp"

namespace ha::policy {
namespace {

bool usable(const Ticket& ticket) { return ticket.granted && !ticket.standby; }

LossPolicy loss_policy_of(const Cluster& cluster, std::string_view word, Role role) {
  if (same(word, "fence")) return cluster.options.fencing ? LossPolicy::fence : LossPolicy::stop;
  if (same(word, "freeze")) return LossPolicy::freeze;
  if (same(word, "demote")) return LossPolicy::demote;
  if (same(word, "stop")) return LossPolicy::stop;
  return role == Role::promoted ? LossPolicy::demote : LossPolicy::stop;
}

void lose(Cluster& cluster, Resource& resource, const TicketConstraint& constraint) {
  const bool concerned = constraint.role == Role::unknown || constraint.role == resource.role;
  switch (constraint.loss_policy) {
    case LossPolicy::stop: add_location_score(cluster, resource, nullptr, -infinity); break;
    case LossPolicy::demote:
      if (constraint.role != Role::promoted)
        add_location_score(cluster, resource, nullptr, -infinity);
      break;
    case LossPolicy::fence:
      if (!concerned) return;
      add_location_score(cluster, resource, nullptr, -infinity);
      for (Node* node : resource.running_on)
        note_failure_on_node(cluster, *node, "deadman ticket was lost");
      break;
    case LossPolicy::freeze:
      if (!concerned) return;
      resource.managed = false;
      resource.blocked = true;
      break;
  }
}

void apply(Cluster& cluster, Resource& resource, const TicketConstraint& constraint) {
  for (Resource* child : resource.children)
    apply(cluster, *child, constraint);
  if (!resource.children.empty()) return;
  if (!constraint.ticket->granted && !resource.running_on.empty()) {
    lose(cluster, resource, constraint);
  } else if (constraint.role != Role::promoted || constraint.loss_policy == LossPolicy::stop) {
    add_location_score(cluster, resource, nullptr, -infinity);
  }
}

void constrain(Cluster& cluster, Resource& resource, const Ticket& ticket,
               std::string_view role_word, std::string_view loss_word) {
  TicketConstraint& made = cluster.ticket_constraints.emplace_back();
  made.ticket = &ticket;
  made.role = same(role_word, "Started") ? Role::unknown : parse_role(role_word);
  made.loss_policy = loss_policy_of(cluster, loss_word, made.role);
  resource.tickets.push_back(&made);
  if (!usable(ticket)) apply(cluster, resource, made);
}

}  // namespace

void read_ticket_constraint(Cluster& cluster, const Element& xml) {
  const std::string* name = xml.get("ticket");
  if (name == nullptr) return;
  const Ticket& ticket = cluster.tickets[*name];
  bool any_sets = false;
  for (const Element& set : xml.children) {
    if (set.name != "resource_set") continue;
    any_sets = true;
    for (Resource* member : set_members(cluster, set)) {
      constrain(cluster, *member, ticket, set.value("role"), xml.value("loss-policy"));
    }
  }
  Resource* resource = any_sets ? nullptr : constraint_resource(cluster, xml.value("rsc"));
  if (resource != nullptr)
    constrain(cluster, *resource, ticket, xml.value("rsc-role"), xml.value("loss-policy"));
}

void require_promotion_tickets(Cluster& cluster, Resource& clone) {
  for (const TicketConstraint* constraint : clone.tickets) {
    if (constraint->role == Role::promoted && !usable(*constraint->ticket)) {
      add_location_score(cluster, clone, nullptr, -infinity);
    }
  }
}

}  // namespace ha::policy
