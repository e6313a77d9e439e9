// The order in which the instances of a clone get their places.
#include <algorithm>

#include "ha/policy/assign.hpp"

namespace ha::policy {
namespace {

bool any_failed(const Resource& resource) noexcept {
  return resource.failed || std::any_of(resource.children.begin(), resource.children.end(),
                                        [](const Resource* child) { return any_failed(*child); });
}

// True when there is nothing against the node; a node that is not allowed counts as none.
bool allowed_there(const Resource& resource, const Node*& node) {
  if (node == nullptr) return true;
  const NodeScore* entry = resource.allowed.find(node);
  if (entry != nullptr && entry->score >= 0) return true;
  node = nullptr;
  return false;
}

int prefer(bool a, bool b) noexcept { return a == b ? 0 : (a ? -1 : 1); }

Score colocated_score(Cluster& cluster, const Resource& instance, Node& node) {
  NodeTable table;
  table.insert({&node, node.base_score});
  const Resource& clone = *instance.parent;
  for (const Colocation* colocation : clone.this_with) {
    add_colocated_scores(cluster, *colocation->primary, table, colocation->attribute,
                         factor_of(*colocation), {});
  }
  for (const Colocation* colocation : clone.with_this) {
    if (!has_influence(*colocation, &instance)) continue;
    add_colocated_scores(cluster, *colocation->dependent, table, colocation->attribute,
                         factor_of(*colocation), {.nonnegative = true});
  }
  return table.begin()->score;
}

int compare_activity(const Activity& a, const Activity& b) {
  if (a.all == 0 || b.all == 0 || a.all == b.all) return 0;
  return a.all < b.all ? -1 : 1;
}

}  // namespace

int compare_instance_numbers(const Resource& a, const Resource& b) noexcept {
  return a.instance - b.instance;
}

int compare_instances(Cluster& cluster, const Resource& a, const Resource& b) {
  const Activity activity_a = activity_of(a);
  const Activity activity_b = activity_of(b);
  if (const int order = compare_activity(activity_a, activity_b); order != 0) return order;
  const Node* node_a = activity_a.node;
  const Node* node_b = activity_b.node;
  const bool allowed_a = allowed_there(a, node_a);
  const bool allowed_b = allowed_there(b, node_b);
  if (allowed_a != allowed_b) return prefer(allowed_a, allowed_b);
  if (a.priority != b.priority) return a.priority > b.priority ? -1 : 1;
  if (node_a == nullptr || node_b == nullptr) return prefer(node_a != nullptr, node_b != nullptr);
  if (const int order = prefer(available(node_a), available(node_b)); order != 0) return order;
  const NodeScore* shared_a = parent_entry(a, node_a);
  const NodeScore* shared_b = parent_entry(b, node_b);
  if (shared_a == nullptr || shared_b == nullptr)
    return prefer(shared_a != nullptr, shared_b != nullptr);
  if (shared_a->count != shared_b->count) return shared_a->count < shared_b->count ? -1 : 1;
  if (const int order = prefer(!any_failed(a), !any_failed(b)); order != 0) return order;
  const Score score_a = colocated_score(cluster, a, *activity_a.node);
  const Score score_b = colocated_score(cluster, b, *activity_b.node);
  if (score_a != score_b) return score_a > score_b ? -1 : 1;
  return compare_instance_numbers(a, b);
}

}  // namespace ha::policy
