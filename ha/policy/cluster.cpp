// Questions about the working state that every stage asks.
#include "ha/policy/cluster.hpp"

#include <algorithm>

namespace ha::policy {

std::string_view lookup(const Attributes& attributes, std::string_view name,
                        std::string_view otherwise) noexcept {
  const auto found = attributes.find(name);
  return found == attributes.end() ? otherwise : std::string_view(found->second);
}

bool has(const Attributes& attributes, std::string_view name) noexcept {
  return attributes.find(name) != attributes.end();
}

NodeScore* NodeTable::find(const Node* node) noexcept {
  for (NodeScore& entry : entries_) {
    if (entry.node == node) return &entry;
  }
  return nullptr;
}

const NodeScore* NodeTable::find(const Node* node) const noexcept {
  for (const NodeScore& entry : entries_) {
    if (entry.node == node) return &entry;
  }
  return nullptr;
}

NodeScore& NodeTable::insert(const NodeScore& entry) {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const NodeScore& other) {
    return other.node->index >= entry.node->index;
  });
  if (at != entries_.end() && at->node == entry.node) {
    *at = entry;
    return *at;
  }
  return *entries_.insert(at, entry);
}

void NodeTable::erase(const Node* node) {
  std::erase_if(entries_, [&](const NodeScore& entry) { return entry.node == node; });
}

bool Resource::knows(const Node* node) const noexcept {
  return std::find(known_on.begin(), known_on.end(), node) != known_on.end();
}

bool Resource::runs_on(const Node* node) const noexcept {
  return std::find(running_on.begin(), running_on.end(), node) != running_on.end();
}

Node* find_node(const Cluster& cluster, std::string_view name) noexcept {
  for (const auto& node : cluster.nodes) {
    if (same(node->name, name)) return node.get();
  }
  return nullptr;
}

Node* find_node_by_id(const Cluster& cluster, std::string_view id) noexcept {
  for (const auto& node : cluster.nodes) {
    if (same(node->id, id)) return node.get();
  }
  return nullptr;
}

bool available(const Node* node) noexcept {
  return node != nullptr && node->online && !node->shutting_down && !node->unclean &&
         !node->standby && !node->maintenance;
}

bool available(const NodeScore& entry) noexcept {
  return entry.score >= 0 && available(entry.node);
}

bool any_available(const NodeTable& table) noexcept {
  return std::any_of(table.begin(), table.end(),
                     [](const NodeScore& entry) { return available(entry); });
}

bool can_fence(const Cluster& cluster, const Node* node) noexcept {
  if (!cluster.options.fencing || !cluster.options.fencing_device) return false;
  if (cluster.options.have_quorum || cluster.options.no_quorum == NoQuorum::ignore) return true;
  return node != nullptr && node->online;
}

Resource* top_of(Resource* resource) noexcept {
  while (resource != nullptr && resource->parent != nullptr)
    resource = resource->parent;
  return resource;
}

const Resource* top_of(const Resource* resource) noexcept {
  while (resource != nullptr && resource->parent != nullptr)
    resource = resource->parent;
  return resource;
}

bool is_ancestor(const Resource* ancestor, const Resource* of) noexcept {
  if (ancestor == nullptr || of == nullptr) return false;
  for (const Resource* up = of->parent; up != nullptr; up = up->parent) {
    if (up == ancestor) return true;
  }
  return false;
}

bool is_anonymous_clone(const Resource* resource) noexcept {
  return resource != nullptr && resource->is_clone() && !resource->unique;
}

bool is_unique_clone(const Resource* resource) noexcept {
  return resource != nullptr && resource->is_clone() && resource->unique;
}

bool in_anonymous_clone(const Resource* resource) noexcept {
  return is_anonymous_clone(top_of(resource));
}

Resource* find_below(Resource* resource, std::string_view id) noexcept {
  if (resource->id == id || (!resource->history_name.empty() && resource->history_name == id)) {
    return resource;
  }
  for (Resource* child : resource->children) {
    if (Resource* found = find_below(child, id); found != nullptr) return found;
  }
  return nullptr;
}

Resource* find_resource(const Cluster& cluster, std::string_view id) noexcept {
  for (Resource* resource : cluster.resources) {
    if (Resource* found = find_below(resource, id); found != nullptr) return found;
  }
  return nullptr;
}

Resource* find_clone_member(Resource* resource, std::string_view id) noexcept {
  if (top_of(resource)->is_clone() && (resource->id == id || resource->configured_id() == id)) {
    return resource;
  }
  for (Resource* child : resource->children) {
    if (Resource* found = find_clone_member(child, id); found != nullptr) return found;
  }
  return nullptr;
}

namespace {

void add_once(std::vector<Node*>& nodes, Node* node) {
  if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
}

void collect_locations(const Resource& resource, When when, std::vector<Node*>& nodes) {
  for (const Resource* child : resource.children)
    collect_locations(*child, when, nodes);
  if (!resource.children.empty()) return;
  if (when == When::next) {
    if (resource.assigned != nullptr) add_once(nodes, resource.assigned);
    return;
  }
  for (Node* node : resource.running_on)
    add_once(nodes, node);
  if (when == When::now_or_pending && resource.pending_node != nullptr) {
    add_once(nodes, resource.pending_node);
  }
}

bool primitive_active(const Resource& resource) noexcept {
  return std::any_of(resource.running_on.begin(), resource.running_on.end(), [&](const Node* node) {
    return node->unclean || node->online || !resource.managed;
  });
}

void add_node_score(Resource& resource, Node& node, Score score) {
  for (Resource* child : resource.children)
    add_node_score(*child, node, score);
  NodeScore* entry = resource.allowed.find(&node);
  if (entry == nullptr) entry = &resource.allowed.insert({&node, node.base_score});
  entry->score = add(entry->score, score);
}

}  // namespace

Node* location_of(const Resource& resource, When when, std::vector<Node*>* all) {
  std::vector<Node*> nodes;
  collect_locations(resource, when, nodes);
  Node* only = nodes.size() == 1 ? nodes.front() : nullptr;
  if (all != nullptr) {
    for (Node* node : nodes)
      add_once(*all, node);
  }
  return only;
}

Role state_of(const Resource& resource, bool current) noexcept {
  if (!resource.collective()) return current ? resource.role : resource.next_role;
  Role highest = Role::unknown;
  for (const Resource* child : resource.children)
    highest = std::max(highest, state_of(*child, current));
  return highest;
}

bool is_active(const Resource& resource, bool all) noexcept {
  if (!resource.collective()) return primitive_active(resource);
  const auto active = [&](const Resource* child) { return is_active(*child, all); };
  if (resource.is_clone()) {
    return all ? std::all_of(resource.children.begin(), resource.children.end(), active)
               : std::any_of(resource.children.begin(), resource.children.end(), active);
  }
  const auto count = std::count_if(resource.children.begin(), resource.children.end(), active);
  return count > 0 && (!all || count == std::ssize(resource.children));
}

Activity activity_of(const Resource& resource) noexcept {
  Activity result;
  for (Node* node : resource.running_on) {
    const bool clean = node->online && !node->unclean;
    ++result.all;
    if (clean) ++result.clean;
    if (resource.migration_source != nullptr) {
      if (node == resource.migration_source) result.node = node;
    } else if (!resource.needs_fencing && clean &&
               (result.node == nullptr || !result.node->online || result.node->unclean)) {
      result.node = node;
    }
    if (result.node == nullptr) result.node = node;
  }
  return result;
}

Node* current_node(const Resource& resource) noexcept { return activity_of(resource).node; }

void add_location_score(Cluster& cluster, Resource& resource, Node* node, Score score) {
  if (node != nullptr) {
    add_node_score(resource, *node, score);
    return;
  }
  for (const auto& each : cluster.nodes)
    add_node_score(resource, *each, score);
  if (score == -infinity) resource.assigned = nullptr;
}

void forbid_everywhere(const Cluster& cluster, Resource& resource) {
  resource.allowed.clear();
  for (const auto& node : cluster.nodes)
    resource.allowed.insert({node.get(), -infinity});
}

void show_scores(Cluster& cluster, const Resource& resource, std::string_view stage) {
  if (!cluster.show_scores || resource.orphan) return;
  for (const NodeScore& entry : resource.allowed) {
    std::string line(stage);
    line += ": " + resource.id + " allocation score on " + entry.node->name + ": " +
            score_text(entry.score);
    cluster.score_lines.push_back(std::move(line));
  }
  for (const Resource* child : resource.children)
    show_scores(cluster, *child, stage);
}

}  // namespace ha::policy
