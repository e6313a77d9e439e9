// Location constraints: scores for nodes, given or computed by rules.
#include <regex.h>

#include <algorithm>

#include "ha/policy/constraints.hpp"

namespace ha::policy {
namespace {

Discovery discovery_of(std::string_view word) {
  if (same(word, "never")) return Discovery::never;
  return same(word, "exclusive") ? Discovery::exclusive : Discovery::always;
}

Role filter_of(std::string_view role_word) {
  const Role role = parse_role(role_word);
  // Where a resource may run at all is not decided by role.
  return role == Role::started || role == Role::unpromoted ? Role::unknown : role;
}

Score rule_score(const Cluster& cluster, const Element& rule, const Node& node,
                 const PatternMatch* match) {
  if (const std::string* score = rule.get("score"); score != nullptr) {
    return parse_score(*score, cluster.options.health);
  }
  const std::string* attribute = rule.get("score-attribute");
  if (attribute == nullptr) return 0;
  const std::string name = expand_groups(*attribute, match);
  if (!has(node.attributes, name)) return -infinity;
  return parse_score(lookup(node.attributes, name), cluster.options.health);
}

void read_rule(Cluster& cluster, Resource& resource, const Element& rule_or_reference,
               std::string_view discovery, const PatternMatch* match) {
  const Element* rule = resolve(rule_or_reference, cluster.cib->root());
  if (rule == nullptr) return;
  const std::string* role = rule->get("role");
  if (role != nullptr && parse_role(*role) == Role::unknown) return;
  Location& location = new_location(cluster, rule->id(), resource, 0, discovery, nullptr);
  if (role != nullptr) {
    location.role = parse_role(*role) == Role::unpromoted ? Role::unknown : parse_role(*role);
  }
  const bool any = same(rule->value("boolean-op"), "or");
  for (const auto& node : cluster.nodes) {
    const Attributes parameters = resource_parameters(cluster, resource, node.get());
    const RuleContext context{.now = cluster.now,
                              .node = &node->attributes,
                              .match = match,
                              .parameters = &parameters,
                              .meta = &resource.meta,
                              .sources = true};
    if (!rule_passes(*rule, cluster.cib->root(), context)) continue;
    const Score score = rule_score(cluster, *rule, *node, match);
    location.nodes.push_back({node.get(), any ? add(node->base_score, score) : score});
  }
}

void read_for_resource(Cluster& cluster, const Element& xml, Resource* resource,
                       std::string_view role, const std::string* score, const PatternMatch* match) {
  if (resource == nullptr) return;
  if (score == nullptr) score = xml.get("score");
  const std::string* node_name = xml.get("node");
  const std::string_view discovery = xml.value("resource-discovery");
  if (node_name == nullptr || score == nullptr) {
    for (const Element& child : xml.children) {
      if (child.name == "rule") read_rule(cluster, *resource, child, discovery, match);
    }
    return;
  }
  Node* node = find_node(cluster, *node_name);
  if (node == nullptr) return;
  Location& location = new_location(cluster, xml.id(), *resource,
                                    parse_score(*score, cluster.options.health), discovery, node);
  if (role.empty()) role = xml.value("role");
  if (!role.empty()) location.role = filter_of(role);
}

class Pattern {
 public:
  explicit Pattern(const std::string& text)
      : good_(regcomp(&compiled_, text.c_str(), REG_EXTENDED) == 0) {}
  ~Pattern() {
    if (good_) regfree(&compiled_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool matches(const std::string& subject, PatternMatch& match) const {
    match.subject = subject;
    match.groups.resize(compiled_.re_nsub + 1);
    return regexec(&compiled_, subject.c_str(), match.groups.size(), match.groups.data(), 0) == 0;
  }

 private:
  regex_t compiled_{};
  bool good_;
};

void read_for_pattern(Cluster& cluster, const Element& xml, std::string text) {
  const bool inverted = text.starts_with('!');
  if (inverted) text.erase(0, 1);
  const Pattern pattern(text);
  if (!pattern.good()) return;
  for (Resource* resource : cluster.resources) {
    PatternMatch match;
    const bool matches = pattern.matches(resource->id, match);
    if (matches == inverted) continue;
    read_for_resource(cluster, xml, resource, {}, nullptr, inverted ? nullptr : &match);
  }
}

}  // namespace

Location& new_location(Cluster& cluster, std::string_view id, Resource& resource, Score score,
                       std::string_view discovery, Node* node) {
  Location& location = cluster.locations.emplace_back();
  location.id = id;
  location.resource = &resource;
  location.discovery = discovery_of(discovery);
  if (location.discovery == Discovery::exclusive) resource.exclusive_discovery = true;
  if (node != nullptr) location.nodes.push_back({node, score});
  resource.locations.push_back(&location);
  return location;
}

void read_location(Cluster& cluster, const Element& xml) {
  bool any_sets = false;
  for (const Element& set : xml.children) {
    if (set.name != "resource_set") continue;
    any_sets = true;
    for (Resource* member : set_members(cluster, set)) {
      read_for_resource(cluster, xml, member, set.value("role"), set.get("score"), nullptr);
    }
  }
  if (any_sets) return;
  if (const std::string* id = xml.get("rsc"); id != nullptr) {
    read_for_resource(cluster, xml, constraint_resource(cluster, *id), {}, nullptr, nullptr);
  }
  if (const std::string* pattern = xml.get("rsc-pattern"); pattern != nullptr) {
    read_for_pattern(cluster, xml, *pattern);
  }
}

}  // namespace ha::policy
