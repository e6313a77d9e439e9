#include "ha/crm/status_text.hpp"

#include <algorithm>
#include <map>

#include "ha/policy/merge_sort.hpp"
#include "ha/policy/stages.hpp"

namespace ha::crm {
namespace {

using policy::Cluster;
using policy::Kind;
using policy::Node;
using policy::Resource;
using policy::Role;

// ---- nodes ----

int health_of(const Cluster& cluster, const Node& node) {
  if (policy::same(cluster.options.health_strategy, "none")) return 1;
  int health = 1;
  for (const auto& [name, value] : node.attributes) {
    if (!name.starts_with("#health")) continue;
    if (policy::same(value, "red")) return -1;
    if (policy::same(value, "yellow")) {
      health = 0;
      continue;
    }
    const policy::HealthScores& limits = cluster.options.health;
    const policy::Score score = policy::parse_score(value, limits);
    if (score <= limits.red) return -1;
    if (score <= limits.yellow && limits.yellow != limits.green) health = 0;
  }
  return health;
}

std::string state_of_node(const Node& node) {
  if (node.unclean)
    return node.online ? "UNCLEAN (online)"
                       : (node.pending ? "UNCLEAN (pending)" : "UNCLEAN (offline)");
  if (node.pending) return "pending";
  if (node.standby_on_failure && node.online) return "standby (on-fail)";
  if (node.standby) {
    if (!node.online) return "OFFLINE (standby)";
    return node.running.empty() ? "standby" : "standby (with active resources)";
  }
  if (node.maintenance) return node.online ? "maintenance" : "OFFLINE (maintenance)";
  return node.online ? "online" : "OFFLINE";
}

void print_nodes(Outline& out, const Cluster& cluster) {
  if (cluster.nodes.empty()) return;
  out.title("Node List");
  std::string online;
  std::string offline;
  for (const auto& node : cluster.nodes) {
    const int health = health_of(cluster, *node);
    const bool special = node->unclean || node->pending ||
                         (node->standby_on_failure && node->online) || node->standby ||
                         node->maintenance || health <= 0;
    if (!special) {
      (node->online ? online : offline) += " " + node->name;
      continue;
    }
    std::string line = "Node " + node->name + ": " + state_of_node(*node);
    if (health <= 0) line += health < 0 ? " (health is RED)" : " (health is YELLOW)";
    out.item(line);
  }
  if (!online.empty()) out.item("Online", "[" + online + " ]");
  if (!offline.empty()) out.item("OFFLINE", "[" + offline + " ]");
  out.end();
}

// ---- primitives ----

Role shown_role(const Resource& resource) {
  const bool promotable = policy::top_of(&resource)->promotable;
  return resource.role == Role::started && promotable ? Role::unpromoted : resource.role;
}

std::string result_text(int result) {
  static const std::map<int, std::string> texts = {{0, "ok"},
                                                   {1, "error"},
                                                   {2, "invalid parameter"},
                                                   {3, "unimplemented feature"},
                                                   {4, "insufficient privileges"},
                                                   {5, "not installed"},
                                                   {6, "not configured"},
                                                   {7, "not running"},
                                                   {8, "promoted"},
                                                   {9, "promoted (failed)"},
                                                   {190, "degraded"},
                                                   {191, "promoted (degraded)"}};
  const auto found = texts.find(result);
  return found == texts.end() ? "unknown" : found->second;
}

const policy::FailedOperation* failed_probe(const Cluster& cluster, const Resource& resource,
                                            const Node* node) {
  const Resource* top = policy::top_of(&resource);
  std::string id = resource.id;
  if (resource.is_clone()) id = resource.child_xml->id();
  else if (top->is_clone()) id = top->child_xml->id();
  for (const policy::FailedOperation& failed : cluster.failed_operations) {
    if (!failed.masked_probe || failed.node.empty()) continue;
    if (node != nullptr && !policy::same(failed.node, node->name)) continue;
    if (failed.key == policy::operation_key(id, "monitor")) return &failed;
  }
  return nullptr;
}

// What an operation under way does to a resource; null when it changes no state.
const char* state_under_way(const Resource& resource) {
  static const std::map<std::string_view, const char*> words = {
      {"start", "Starting"},         {"stop", "Stopping"},     {"migrate_to", "Migrating"},
      {"migrate_from", "Migrating"}, {"promote", "Promoting"}, {"demote", "Demoting"}};
  const auto found = words.find(resource.pending_task);
  return found == words.end() ? nullptr : found->second;
}

std::string state_text(const Resource& resource) {
  if (const char* words = state_under_way(resource); words != nullptr) return words;
  return std::string(policy::role_text(shown_role(resource)));
}

class Flags {
 public:
  void add(const std::string& flag) { text_ += (text_.empty() ? " (" : ", ") + flag; }
  [[nodiscard]] std::string text() const { return text_.empty() ? "" : text_ + ")"; }

 private:
  std::string text_;
};

std::string flags_of(const Resource& resource, const Node* node) {
  Flags flags;
  if (node != nullptr && !node->online && node->unclean) flags.add("UNCLEAN");
  if (node != nullptr && node == resource.lock_node) flags.add("LOCKED");
  if (resource.pending_task == "monitor") flags.add("Monitoring");
  const std::string_view target = policy::lookup(resource.meta, "target-role");
  const Role wanted = policy::parse_role(target);
  if (wanted == Role::stopped) flags.add("disabled");
  else if (wanted == Role::unpromoted && policy::top_of(&resource)->promotable) {
    flags.add("target-role:" + std::string(target));
  }
  if (resource.blocked) flags.add("blocked");
  else if (!resource.managed) flags.add("unmanaged");
  if (resource.failure_ignored) flags.add("failure ignored");
  return flags.text();
}

std::string agent_text(const Resource& resource) {
  std::string text(resource.xml->value("class"));
  if (text == "ocf") text += ":" + std::string(resource.xml->value("provider"));
  return text + ":" + std::string(resource.xml->value("type"));
}

void print_primitive(Outline& out, const Cluster& cluster, const Resource& resource) {
  const Node* node = policy::current_node(resource);
  if (node == nullptr) node = resource.pending_node;
  if (node == nullptr) node = resource.lock_node;
  const bool several = resource.running_on.size() > 1;
  if (several) node = nullptr;
  const Role role = shown_role(resource);
  std::string line(resource.unique ? std::string_view(resource.id) : resource.configured_id());
  line += "\t(" + agent_text(resource) + "):\t";
  if (resource.orphan) line += " ORPHANED";
  if (resource.failed) {
    line += " FAILED";
    if (role > Role::unpromoted) line += " " + std::string(policy::role_text(role));
  } else {
    line += " " + state_text(resource);
  }
  if (node != nullptr) line += " " + node->name;
  if (role == Role::stopped) {
    const policy::FailedOperation* probe = failed_probe(cluster, resource, node);
    if (probe != nullptr) line += " (" + result_text(probe->result) + ") ";
  }
  line += flags_of(resource, node);
  if (several) {
    if (const std::string* description = resource.xml->get("description"); description != nullptr) {
      line += " " + *description;
    }
    line += " [";
    for (const Node* each : resource.running_on)
      line += " " + each->name;
    line += " ]";
  }
  out.item(line);
}

// ---- groups and clones ----

void print_resource(Outline& out, const Cluster& cluster, const Resource& resource);

std::string header_flags(const Resource& resource) {
  std::string flags;
  const auto add = [&](const char* flag) {
    flags += (flags.empty() ? "" : ", ") + std::string(flag);
  };
  if (resource.is_clone() && resource.promotable) add("promotable");
  if (resource.is_clone() && resource.unique) add("unique");
  if (!resource.managed) add("unmanaged");
  if (policy::is_disabled(resource)) add("disabled");
  return flags.empty() ? "" : " (" + flags + ")";
}

void print_group(Outline& out, const Cluster& cluster, const Resource& group) {
  if (group.children.empty()) return;
  out.title("Resource Group: " + group.id + header_flags(group));
  for (const Resource* member : group.children)
    print_resource(out, cluster, *member);
  out.end();
}

Role configured_role(const Resource& clone) {
  std::string_view role = policy::lookup(clone.meta, "target-role");
  if (role.empty() && !clone.children.empty())
    role = policy::lookup(clone.children.front()->meta, "target-role");
  return policy::parse_role(role);
}

bool any_of_all(const Resource& resource, bool Resource::* flag) {
  return resource.*flag ||
         std::any_of(resource.children.begin(), resource.children.end(),
                     [&](const Resource* child) { return any_of_all(*child, flag); });
}

bool all_managed(const Resource& resource) {
  return resource.managed && std::all_of(resource.children.begin(), resource.children.end(),
                                         [](const Resource* child) { return all_managed(*child); });
}

// Active, but on no node that is up: there is no place to show it at.
bool out_of_reach(const Resource& resource) {
  return policy::is_active(resource, false) && resource.running_on.empty();
}

enum class Shown { in_full, promoted, started, stopped, not_at_all };

Shown how_to_show(const Resource& clone, const Resource& instance) {
  const bool partly = policy::is_active(instance, false);
  if (clone.unique || !instance.pending_task.empty()) return Shown::in_full;
  if (!partly) return instance.orphan ? Shown::not_at_all : Shown::stopped;
  if (any_of_all(instance, &Resource::orphan) || !all_managed(instance) ||
      any_of_all(instance, &Resource::failed)) {
    return Shown::in_full;
  }
  if (!policy::is_active(instance, true)) return Shown::in_full;
  const Node* node = policy::location_of(instance, policy::When::now);
  if (node == nullptr || (!node->online && node->unclean)) return Shown::in_full;
  return policy::state_of(instance, true) > Role::unpromoted ? Shown::promoted : Shown::started;
}

void print_names(Outline& out, const std::string& state, std::vector<std::string> names) {
  if (names.empty()) return;
  policy::merge_sort(names, [](const std::string& a, const std::string& b) {
    return policy::compare_names(a, b);
  });
  std::string line = state + ": [";
  for (const std::string& name : names)
    line += " " + name;
  out.item(line + " ]");
}

using States = std::map<std::string, std::vector<std::string>>;

// For an anonymous clone, the nodes where none runs say more than the numbers of the instances that
// do not.
States stopped_nodes(const Cluster& cluster, const Resource& clone) {
  States states;
  const std::string plain =
      configured_role(clone) == Role::stopped ? "Stopped (disabled)" : "Stopped";
  std::vector<const Node*> nodes;
  for (const policy::NodeScore& entry : clone.allowed)
    nodes.push_back(entry.node);
  if (nodes.empty()) nodes = clone.known_on;
  for (const Node* node : nodes) {
    if (clone.runs_on(node)) continue;
    const policy::FailedOperation* probe = failed_probe(cluster, clone, node);
    states[probe == nullptr ? plain : "Stopped (" + result_text(probe->result) + ")"].push_back(
        node->name);
  }
  return states;
}

void print_clone(Outline& out, const Cluster& cluster, const Resource& clone) {
  out.title("Clone Set: " + clone.id + " [" + std::string(clone.child_xml->id()) + "]" +
            header_flags(clone));
  std::vector<std::string> promoted;
  std::vector<std::string> started;
  States stopped;
  for (const Resource* instance : clone.children) {
    if (out_of_reach(*instance)) continue;
    const Shown how = how_to_show(clone, *instance);
    if (how == Shown::in_full) print_resource(out, cluster, *instance);
    else if (how == Shown::stopped) stopped["Stopped"].push_back(instance->id);
    else if (how != Shown::not_at_all) {
      const Node* node = policy::location_of(*instance, policy::When::now);
      (how == Shown::promoted ? promoted : started).push_back(node->name);
    }
  }
  const std::size_t active = promoted.size() + started.size();
  print_names(out, "Promoted", promoted);
  const bool held = configured_role(clone) == Role::unpromoted;
  const std::string unpromoted = held ? "Unpromoted (target-role)" : "Unpromoted";
  print_names(out, clone.promotable ? unpromoted : "Started", started);
  if (!clone.unique && clone.clone_max > static_cast<int>(active))
    stopped = stopped_nodes(cluster, clone);
  for (const auto& [state, names] : stopped)
    print_names(out, state, names);
  out.end();
}

void print_resource(Outline& out, const Cluster& cluster, const Resource& resource) {
  switch (resource.kind) {
    case Kind::primitive: print_primitive(out, cluster, resource); break;
    case Kind::group: print_group(out, cluster, resource); break;
    case Kind::clone: print_clone(out, cluster, resource); break;
  }
}

void count(const Resource& resource, Counts& counts) {
  for (const Resource* child : resource.children)
    count(*child, counts);
  if (!resource.children.empty() || (resource.orphan && resource.role <= Role::stopped)) return;
  ++counts.instances;
  if (policy::is_disabled(resource)) ++counts.disabled;
  if (resource.blocked) ++counts.blocked;
}

}  // namespace

void print_status(Outline& out, const Cluster& cluster, std::string_view title) {
  out.title(title);
  print_nodes(out, cluster);
  out.blank();
  out.title("Full List of Resources");
  bool any = false;
  for (const Resource* resource : cluster.resources) {
    if (resource->orphan && !policy::is_active(*resource, true)) continue;
    if (out_of_reach(*resource)) continue;
    any = true;
    print_resource(out, cluster, *resource);
  }
  if (!any) out.item("No resources");
  out.end();
  out.end();
}

Counts count_instances(const Cluster& cluster) {
  Counts counts;
  for (const Resource* resource : cluster.resources)
    count(*resource, counts);
  return counts;
}

}  // namespace ha::crm
