// Order constraints: pairs and sets, each with its inverse.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/constraints.hpp"

namespace ha::policy {
namespace {

enum class OrderKind { optional, mandatory, serialize };
enum class Symmetry { asymmetric, symmetric, inverse };

std::string_view opposite(std::string_view action) {
  constexpr std::pair<std::string_view, std::string_view> pairs[] = {
      {"start", "stop"}, {"promote", "demote"}, {"promoted", "demoted"}, {"running", "stopped"}};
  for (const auto& [one, other] : pairs) {
    if (same(action, one)) return other;
    if (same(action, other)) return one;
  }
  return {};
}

OrderKind kind_of(const Element& xml) {
  const std::string* kind = xml.get("kind");
  if (kind == nullptr) {
    const std::string* score = xml.get("score");  // what 1.0 had instead
    return score != nullptr && parse_score(*score) == 0 ? OrderKind::optional
                                                        : OrderKind::mandatory;
  }
  if (same(*kind, "Optional")) return OrderKind::optional;
  return same(*kind, "Serialize") ? OrderKind::serialize : OrderKind::mandatory;
}

Symmetry symmetry_of(const Element& xml, OrderKind parent_kind,
                     const std::string* parent_symmetrical) {
  const bool own_kind = xml.get("kind") != nullptr || xml.get("score") != nullptr;
  const OrderKind kind = own_kind ? kind_of(xml) : parent_kind;
  std::optional<bool> symmetric = parse_bool(xml.value("symmetrical"));
  if (!symmetric && parent_symmetrical != nullptr) symmetric = is_true(*parent_symmetrical);
  const bool by_default = kind != OrderKind::serialize;
  if (!symmetric) return by_default ? Symmetry::symmetric : Symmetry::asymmetric;
  return *symmetric && by_default ? Symmetry::symmetric : Symmetry::asymmetric;
}

std::uint32_t flags_of(OrderKind kind, std::string_view first_action, Symmetry symmetry) {
  if (kind == OrderKind::optional) return order::optional;
  if (kind == OrderKind::serialize) return order::optional | order::serialize;
  switch (symmetry) {
    case Symmetry::asymmetric: return order::optional | order::asymmetric;
    case Symmetry::inverse: return order::optional | order::implies_first;
    case Symmetry::symmetric: break;
  }
  const bool upwards = any_of(first_action, {"start", "promote"});
  return order::optional | order::implies_then | (upwards ? order::needs_runnable_first : 0);
}

int least_instances(const Resource& first, const Element& xml) {
  if (!first.is_clone()) return 0;
  if (has(first.meta, "clone-min")) {
    return static_cast<int>(
        std::max(0LL, parse_number(lookup(first.meta, "clone-min")).value_or(0)));
  }
  return xml.get("require-all") != nullptr && !is_true(xml.value("require-all")) ? 1 : 0;
}

// "Enough of these, then that", by way of an action that becomes possible when enough are.
void order_after_some(Cluster& cluster, std::string_view name, const std::vector<Resource*>& firsts,
                      std::string_view first_action, const std::vector<Resource*>& thens,
                      std::string_view then_action, std::uint32_t flags, int least) {
  Action& enough = named_pseudo_action(cluster, name);
  enough.required_runnable_before = least;
  enough.set(act::requires_any);
  for (Resource* first : firsts) {
    new_ordering(cluster, side(*first, first_action), side(enough),
                 order::one_or_more | order::prints_then);
  }
  for (Resource* then : thens) {
    new_ordering(cluster, side(enough), side(*then, then_action),
                 flags | order::needs_runnable_first);
  }
}

Resource* resource_named(const Cluster& cluster, const Element& xml, std::string_view name) {
  Resource* resource = constraint_resource(cluster, xml.value(name));
  const std::string* instance = xml.get(std::string(name) + "-instance");
  if (resource == nullptr || instance == nullptr) return resource;
  if (!resource->is_clone()) return nullptr;
  return find_below(resource, std::string(resource->child_xml->id()) + ":" + *instance);
}

void read_pair(Cluster& cluster, const Element& xml) {
  Resource* first = resource_named(cluster, xml, "first");
  Resource* then = resource_named(cluster, xml, "then");
  if (first == nullptr || then == nullptr) return;
  const std::string_view first_action = xml.value("first-action", "start");
  const std::string_view then_action = xml.value("then-action", first_action);
  const OrderKind kind = kind_of(xml);
  const Symmetry symmetry = symmetry_of(xml, kind, nullptr);
  const bool restarts = kind == OrderKind::optional && then->restart_with_optional;
  const std::uint32_t flags =
      flags_of(kind, first_action, symmetry) | (restarts ? order::implies_then : 0);
  if (const int least = least_instances(*first, xml); least > 0) {
    order_after_some(cluster, "clone-one-or-more:" + std::string(xml.id()), first->children,
                     first_action, {then}, then_action, flags, least);
  } else {
    order_tasks(cluster, *first, first_action, *then, then_action, flags);
  }
  if (symmetry != Symmetry::symmetric) return;
  const std::string_view undo_then = opposite(then_action);
  const std::string_view undo_first = opposite(first_action);
  if (undo_then.empty() || undo_first.empty()) return;
  order_tasks(
      cluster, *then, undo_then, *first, undo_first,
      flags_of(kind, undo_first, Symmetry::inverse) | (restarts ? order::implies_first : 0));
}

bool read_set(Cluster& cluster, const Element& set, OrderKind parent_kind,
              const std::string* parent_symmetrical) {
  const std::vector<Resource*> members = set_members(cluster, set);
  if (members.empty()) return false;
  if (members.size() == 1) return true;
  const std::string_view action = set.value("action", "start");
  const OrderKind kind = set.get("kind") != nullptr ? kind_of(set) : parent_kind;
  const Symmetry symmetry = symmetry_of(set, parent_kind, parent_symmetrical);
  const bool sequential = is_true(set.value("sequential", "true"));
  const std::uint32_t flags = flags_of(kind, action, symmetry);
  for (std::size_t i = 0; i + 1 < members.size(); ++i) {
    if (kind == OrderKind::serialize) {
      for (std::size_t k = i + 1; k < members.size(); ++k) {
        order_tasks(cluster, *members[i], action, *members[k], action, flags);
      }
    } else if (sequential) {
      order_tasks(cluster, *members[i], action, *members[i + 1], action, flags);
    }
  }
  if (symmetry == Symmetry::asymmetric || !sequential) return true;
  const std::string_view undo = opposite(action);
  for (std::size_t i = 0; i + 1 < members.size(); ++i) {
    order_tasks(cluster, *members[i + 1], undo, *members[i], undo,
                flags_of(kind, undo, Symmetry::inverse));
  }
  return true;
}

bool read_between_sets(Cluster& cluster, const Element& set1, const Element& set2, OrderKind kind,
                       Symmetry symmetry) {
  std::string_view action1 = set1.value("action", "start");
  std::string_view action2 = set2.value("action", "start");
  const bool inverse = symmetry == Symmetry::inverse;
  if (inverse) {
    action1 = opposite(action1);
    action2 = opposite(action2);
  }
  std::vector<Resource*> firsts = set_members(cluster, set1);
  std::vector<Resource*> thens = set_members(cluster, set2);
  if (firsts.empty() || thens.empty()) return false;
  const std::uint32_t flags = flags_of(kind, action2, symmetry);
  const bool all = parse_bool(set1.value("require-all", "true")).value_or(true) ||
                   any_of(action1, {"stop", "demote"});
  if (!all) {
    order_after_some(cluster, "one-or-more:" + std::string(set1.id()), firsts, action1, thens,
                     action2, flags, 0);
    return true;
  }
  // Sets that say nothing are sequential within, yet all of their members take part here.
  if (is_true(set1.value("sequential"))) firsts = {inverse ? firsts.front() : firsts.back()};
  if (is_true(set2.value("sequential"))) thens = {inverse ? thens.back() : thens.front()};
  for (Resource* first : firsts) {
    for (Resource* then : thens)
      order_tasks(cluster, *first, action1, *then, action2, flags);
  }
  return true;
}

std::uint32_t optional_if(bool both_migratable) {
  return order::optional | (both_migratable ? order::unless_migratable : 0);
}

// A start may turn out to be a migration: what is ordered for the one is ordered for the other.
void order_migration_equivalents(Cluster& cluster, const Ordering& ordering) {
  Resource* first = ordering.first.resource;
  Resource* then = ordering.then.resource;
  if (first == nullptr || then == nullptr || first == then || is_ancestor(first, then) ||
      is_ancestor(then, first)) {
    return;
  }
  const bool both = first->allow_migrate && then->allow_migrate;
  if (!first->allow_migrate && !then->allow_migrate) return;
  const std::string first_task = ordering.first.task;
  const std::string then_task = ordering.then.task;
  const bool half_done = then->migration_target != nullptr;
  if (first_task == "start" && then_task == "start") {
    if (both) order_tasks(cluster, *first, "migrate_from", *then, "migrate_to", order::optional);
    if (then->allow_migrate)
      order_tasks(cluster, *first, "start", *then, "migrate_to", optional_if(both));
  } else if (then->allow_migrate && first_task == "stop" && then_task == "stop") {
    order_tasks(cluster, *first, "stop", *then, "migrate_to", optional_if(both));
    if (half_done) order_tasks(cluster, *first, "stop", *then, "migrate_from", optional_if(both));
  } else if (then->allow_migrate && first_task == "promote" && then_task == "start") {
    order_tasks(cluster, *first, "promote", *then, "migrate_to", order::optional);
  } else if (then->allow_migrate && first_task == "demote" && then_task == "stop") {
    order_tasks(cluster, *first, "demote", *then, "migrate_to", order::optional);
    if (half_done) order_tasks(cluster, *first, "demote", *then, "migrate_from", order::optional);
  }
}

}  // namespace

void new_ordering(Cluster& cluster, OrderSide first, OrderSide then, std::uint32_t flags) {
  const Ordering ordering{std::move(first), std::move(then), flags};
  cluster.orderings.push_back(ordering);
  order_migration_equivalents(cluster, ordering);
}

void read_ordering(Cluster& cluster, const Element& xml) {
  const OrderKind kind = kind_of(xml);
  const Symmetry symmetry = symmetry_of(xml, kind, nullptr);
  const Element* previous = nullptr;
  for (const Element& set : xml.children) {
    if (set.name != "resource_set") continue;
    if (!read_set(cluster, set, kind, xml.get("symmetrical"))) return;
    if (previous != nullptr) {
      if (!read_between_sets(cluster, *previous, set, kind, symmetry)) return;
      if (symmetry == Symmetry::symmetric &&
          !read_between_sets(cluster, set, *previous, kind, Symmetry::inverse)) {
        return;
      }
    }
    previous = &set;
  }
  if (previous == nullptr) read_pair(cluster, xml);
}

}  // namespace ha::policy
