// Colocation constraints: pairs and sets.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/constraints.hpp"
#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

int rank(const Resource& resource) noexcept {
  if (resource.is_clone()) return resource.promotable ? 3 : 2;
  return resource.kind == Kind::group ? 1 : 0;
}

int compare_ends(const Resource& a, const Resource& b) {
  if (a.priority != b.priority) return a.priority > b.priority ? -1 : 1;
  if (rank(a) != rank(b)) return rank(a) > rank(b) ? -1 : 1;
  return a.id.compare(b.id);
}

// What must leave a place before the other may come there.
void order_departure(Cluster& cluster, Resource& leaving, Role leaving_role, Resource& coming,
                     Role coming_role) {
  std::vector<std::string_view> firsts;
  if (leaving_role == Role::promoted) firsts = {"demote"};
  else if (leaving_role == Role::unpromoted) firsts = {"stop", "promote"};
  else firsts = {"stop"};
  std::vector<std::string_view> thens;
  if (coming_role == Role::promoted) thens = {"promote"};
  else if (coming_role == Role::unpromoted) thens = {"start", "demote"};
  else thens = {"start"};
  for (const std::string_view first : firsts) {
    for (const std::string_view then : thens) {
      order_tasks(cluster, leaving, first, coming, then, order::anti_colocation);
    }
  }
}

struct Parameters {
  std::string_view id;
  Score score = 0;
  const std::string* influence = nullptr;
};

bool influence_of(const Parameters& parameters, const Resource& dependent) {
  if (parameters.influence != nullptr) {
    if (const auto value = parse_bool(*parameters.influence); value) return *value;
  }
  return dependent.critical;
}

void colocate(Cluster& cluster, const Parameters& parameters, Resource& dependent,
              Resource& primary, std::string_view dependent_role, std::string_view primary_role) {
  new_colocation(cluster, parameters.id, {}, parameters.score, dependent, primary, dependent_role,
                 primary_role, influence_of(parameters, dependent));
}

bool sequential(const Element& set) {
  return parse_bool(set.value("sequential", "true")).value_or(true);
}

void read_set(Cluster& cluster, const Element& set, Parameters parameters) {
  if (const std::string* score = set.get("score"); score != nullptr)
    parameters.score = parse_score(*score);
  const std::string_view role = set.value("role");
  if (parameters.score == 0 || !sequential(set)) return;
  parameters.id = set.id();
  const std::vector<Resource*> members = set_members(cluster, set);
  if (parameters.score > 0) {
    const bool each_with_previous = same(set.value("ordering", "group"), "group");
    for (std::size_t i = 1; i < members.size(); ++i) {
      Resource& dependent = *members[each_with_previous ? i : i - 1];
      Resource& primary = *members[each_with_previous ? i - 1 : i];
      colocate(cluster, parameters, dependent, primary, role, role);
    }
    return;
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k)
      colocate(cluster, parameters, *members[i], *members[k], role, role);
  }
}

void read_between_sets(Cluster& cluster, const Element& dependents, const Element& primaries,
                       const Parameters& parameters) {
  std::vector<Resource*> lefts = set_members(cluster, dependents);
  std::vector<Resource*> rights = set_members(cluster, primaries);
  if (parameters.score == 0 || lefts.empty() || rights.empty()) return;
  if (sequential(dependents)) lefts = {lefts.front()};
  if (sequential(primaries)) rights = {rights.back()};
  for (Resource* left : lefts) {
    for (Resource* right : rights) {
      colocate(cluster, parameters, *left, *right, dependents.value("role"),
               primaries.value("role"));
    }
  }
}

Resource* instance_of(const Cluster& cluster, const Element& xml, std::string_view name,
                      std::string_view number) {
  Resource* resource = constraint_resource(cluster, xml.value(name));
  const std::string* instance = xml.get(number);
  if (resource == nullptr || instance == nullptr) return resource;
  if (!resource->is_clone()) return nullptr;
  return find_below(resource, std::string(resource->child_xml->id()) + ":" + *instance);
}

}  // namespace

void new_colocation(Cluster& cluster, std::string_view id, std::string_view attribute, Score score,
                    Resource& dependent, Resource& primary, std::string_view dependent_role,
                    std::string_view primary_role, bool influence) {
  if (score == 0) return;
  const auto role_of = [](std::string_view word) {
    return same(word, "Started") ? Role::unknown : parse_role(word);
  };
  Colocation& made = cluster.colocations.emplace_back();
  made = {std::string(id),         std::string(attribute), &dependent, &primary,
          role_of(dependent_role), role_of(primary_role),  score,      influence};
  add_this_with(dependent, made);
  add_with_this(primary, made);
  if (score > -infinity) return;
  order_departure(cluster, dependent, made.dependent_role, primary, made.primary_role);
  order_departure(cluster, primary, made.primary_role, dependent, made.dependent_role);
}

void add_this_with(Resource& resource, const Colocation& colocation) {
  insert_sorted(resource.this_with, &colocation, [](const Colocation* a, const Colocation* b) {
    return compare_ends(*a->primary, *b->primary);
  });
}

void add_with_this(Resource& resource, const Colocation& colocation) {
  insert_sorted(resource.with_this, &colocation, [](const Colocation* a, const Colocation* b) {
    return compare_ends(*a->dependent, *b->dependent);
  });
}

void read_colocation(Cluster& cluster, const Element& xml) {
  Parameters parameters{xml.id(), parse_score(xml.value("score")), xml.get("influence")};
  const Element* previous = nullptr;
  for (const Element& set : xml.children) {
    if (set.name != "resource_set") continue;
    read_set(cluster, set, parameters);
    if (previous != nullptr) read_between_sets(cluster, *previous, set, parameters);
    previous = &set;
  }
  if (previous != nullptr) return;
  Resource* dependent = instance_of(cluster, xml, "rsc", "rsc-instance");
  Resource* primary = instance_of(cluster, xml, "with-rsc", "with-rsc-instance");
  if (dependent == nullptr || primary == nullptr) return;
  new_colocation(cluster, xml.id(), xml.value("node-attribute"), parameters.score, *dependent,
                 *primary, xml.value("rsc-role"), xml.value("with-rsc-role"),
                 influence_of(parameters, *dependent));
}

}  // namespace ha::policy
