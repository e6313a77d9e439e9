#include "ha/controller/notify_lists.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ha/policy/actions.hpp"

namespace ha::controller {
namespace {

using policy::Action;
using policy::Attributes;
using policy::Node;
using policy::Resource;
using policy::Role;

struct Entry {
  const Resource* resource;
  const Node* node;  // null: nowhere
};
using Lists = std::map<std::string, std::vector<Entry>>;

void collect_role(const Resource& instance, Lists& lists) {
  const Node* node = instance.running_on.empty() ? nullptr : instance.running_on.front();
  const Entry entry{&instance, node};
  switch (instance.role) {
    case Role::stopped: lists["inactive"].push_back(entry); break;
    case Role::started: lists["active"].push_back(entry); break;
    case Role::unpromoted:
      lists["unpromoted"].push_back(entry);
      lists["active"].push_back(entry);
      break;
    case Role::promoted:
      lists["promoted"].push_back(entry);
      lists["active"].push_back(entry);
      break;
    case Role::unknown: break;
  }
}

void collect(const Resource& instance, Lists& lists) {
  for (const Resource* child : instance.children)
    collect(*child, lists);
  if (!instance.children.empty()) return;
  collect_role(instance, lists);
  for (const Action* action : instance.actions) {
    if (action->is(policy::act::optional) || action->node == nullptr) continue;
    if (!policy::any_of(action->task, {"start", "stop", "promote", "demote"})) continue;
    const bool lost = action->task == "stop" && action->node->unclean;
    if (lost || action->is(policy::act::runnable))
      lists[action->task].push_back({&instance, action->node});
  }
}

// An empty list is one blank: to agents an empty variable and an absent one are the same.
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : " ") + word;
  return text.empty() ? " " : text;
}

bool earlier(const Entry& a, const Entry& b) {
  if (const int order = policy::compare_names(a.resource->id, b.resource->id); order != 0)
    return order < 0;
  return a.node != nullptr && b.node != nullptr && a.node->index < b.node->index;
}

void tell(const std::string& name, std::vector<Entry> entries, Attributes& parameters) {
  std::sort(entries.begin(), entries.end(), earlier);
  std::vector<std::string> resources;
  std::vector<std::string> nodes;
  for (const Entry& entry : entries) {
    resources.push_back(entry.resource->id);
    if (entry.node != nullptr) nodes.push_back(entry.node->name);
  }
  const std::string prefix = "CRM_meta_notify_" + name;
  parameters[prefix + "_resource"] = joined(resources);
  if (name != "inactive") parameters[prefix + "_uname"] = joined(nodes);
}

}  // namespace

void add_notify_lists(const policy::Cluster& cluster, const Resource& clone,
                      Attributes& parameters) {
  Lists lists;
  for (const Resource* instance : clone.children)
    collect(*instance, lists);
  for (const char* name :
       {"start", "stop", "promote", "demote", "active", "inactive", "promoted", "unpromoted"}) {
    tell(name, lists[name], parameters);
  }
  // The older names of the two roles.
  tell("master", lists["promoted"], parameters);
  tell("slave", lists["unpromoted"], parameters);
  std::vector<std::string> available;
  std::vector<std::string> all;
  for (const policy::NodeScore& entry : clone.allowed) {
    if (entry.score >= 0 && policy::available(entry.node)) available.push_back(entry.node->name);
  }
  for (const auto& node : cluster.nodes) {
    if (!node->ping) all.push_back(node->name);
  }
  parameters["CRM_meta_notify_available_uname"] = joined(available);
  parameters["CRM_meta_notify_all_uname"] = joined(all);
}

}  // namespace ha::controller
