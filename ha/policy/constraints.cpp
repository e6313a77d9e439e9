// Constraints out of the configuration: which kind each is, and templates and tags replaced by what
// they stand for.
#include "ha/policy/constraints.hpp"

#include <algorithm>

namespace ha::policy {
namespace {

const std::vector<std::string>* references_of(const Cluster& cluster, std::string_view id) {
  if (const auto found = cluster.templates.find(id); found != cluster.templates.end()) {
    return found->second.empty() ? nullptr : &found->second;
  }
  const auto found = cluster.tags.find(id);
  return found == cluster.tags.end() || found->second.empty() ? nullptr : &found->second;
}

Element reference(std::string_view id) {
  return {"resource_ref", {{"id", std::string(id)}}, {}, {}};
}

// In sets, a tag stands for all that it marks. False: something in them does not exist.
bool expand_sets(const Cluster& cluster, Element& constraint) {
  for (Element& set : constraint.children) {
    if (set.name != "resource_set") continue;
    std::vector<Element> members;
    for (const Element& member : set.children) {
      if (member.name != "resource_ref" || constraint_resource(cluster, member.id()) != nullptr) {
        members.push_back(member);
        continue;
      }
      const std::vector<std::string>* references = references_of(cluster, member.id());
      if (references == nullptr) return false;
      for (const std::string& id : *references)
        members.push_back(reference(id));
    }
    set.children = std::move(members);
  }
  return true;
}

struct Side {
  std::string_view name;       // of the attribute with the resource
  std::string_view qualifier;  // of the attribute with its role or action
  std::string_view in_set;     // what that one is called in a set
};

// A tag on one side becomes an unordered set; a plain resource on the other then becomes one too.
bool expand_side(const Cluster& cluster, Element& constraint, const Side& side,
                 bool convert_resource) {
  const std::string id(constraint.value(side.name));
  const std::string qualifier(constraint.value(side.qualifier));
  const bool plain = constraint_resource(cluster, id) != nullptr;
  if (plain && !convert_resource) return true;
  Element set{"resource_set", {{"id", id}}, {}, {}};
  if (plain) {
    set.children.push_back(reference(id));
  } else {
    const std::vector<std::string>* references = references_of(cluster, id);
    if (references == nullptr) return false;
    for (const std::string& member : *references)
      set.children.push_back(reference(member));
    set.set("sequential", "false");
  }
  if (!qualifier.empty()) set.set(side.in_set, qualifier);
  constraint.unset(side.name);
  constraint.unset(side.qualifier);
  constraint.children.push_back(std::move(set));
  return true;
}

bool expand_sides(const Cluster& cluster, Element& constraint, std::initializer_list<Side> sides) {
  bool all_plain = true;
  bool any_missing = false;
  for (const Side& side : sides) {
    if (constraint.get(side.name) == nullptr) any_missing = true;
    else
      all_plain = all_plain && constraint_resource(cluster, constraint.value(side.name)) != nullptr;
  }
  if (any_missing || all_plain) return true;
  return std::all_of(sides.begin(), sides.end(), [&](const Side& side) {
    return expand_side(cluster, constraint, side, sides.size() > 1);
  });
}

// The constraint without tags; null if it refers to what does not exist.
const Element* expanded(Cluster& cluster, const Element& constraint) {
  Element copy = constraint;
  for (Element& child : copy.children) {
    const Element* actual = resolve(child, cluster.cib->root());
    if (actual == nullptr) return nullptr;
    if (actual != &child && child.name == "resource_set") child = Element(*actual);
  }
  if (!expand_sets(cluster, copy)) return nullptr;
  bool good = true;
  if (copy.name == "rsc_location") {
    good = expand_sides(cluster, copy, {{"rsc", "role", "role"}});
  } else if (copy.name == "rsc_colocation") {
    good = expand_sides(cluster, copy,
                        {{"rsc", "rsc-role", "role"}, {"with-rsc", "with-rsc-role", "role"}});
  } else if (copy.name == "rsc_order") {
    good = expand_sides(cluster, copy,
                        {{"first", "first-action", "action"}, {"then", "then-action", "action"}});
  } else if (copy.name == "rsc_ticket") {
    good = expand_sides(cluster, copy, {{"rsc", "rsc-role", "role"}});
  }
  if (!good) return nullptr;
  cluster.made_elements.push_back(std::move(copy));
  return &cluster.made_elements.back();
}

}  // namespace

Resource* constraint_resource(const Cluster& cluster, std::string_view id) {
  if (id.empty()) return nullptr;
  Resource* found = find_resource(cluster, id);
  // An instance's name stands for the clone.
  return found == nullptr || same(found->id, id) ? found : top_of(found);
}

std::vector<Resource*> set_members(const Cluster& cluster, const Element& set) {
  std::vector<Resource*> members;
  for (const Element& child : set.children) {
    if (child.name != "resource_ref") continue;
    Resource* resource = constraint_resource(cluster, child.id());
    if (resource == nullptr) return {};
    members.push_back(resource);
  }
  return members;
}

void read_tags(Cluster& cluster) {
  for (const Element& tag : cluster.cib->section("tags").children) {
    if (tag.name != "tag" || tag.id().empty()) continue;
    std::vector<std::string>& references = cluster.tags[std::string(tag.id())];
    for (const Element& child : tag.children) {
      if (child.name == "obj_ref") references.emplace_back(child.id());
    }
  }
}

void read_constraints(Cluster& cluster) {
  for (const Element& xml : cluster.cib->section("constraints").children) {
    if (xml.id().empty()) continue;
    const Element* lifetime = xml.child("lifetime");
    if (lifetime != nullptr && !rules_pass(*lifetime, cluster.cib->root(), {.now = cluster.now}))
      continue;
    const Element* constraint = expanded(cluster, xml);
    if (constraint == nullptr) continue;
    if (xml.name == "rsc_location") read_location(cluster, *constraint);
    else if (xml.name == "rsc_colocation") read_colocation(cluster, *constraint);
    else if (xml.name == "rsc_order") read_ordering(cluster, *constraint);
    else if (xml.name == "rsc_ticket") read_ticket_constraint(cluster, *constraint);
  }
}

}  // namespace ha::policy
