// Nodes: who is configured, and what the status says about each.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

std::string_view raw(const Node& node, std::string_view name) {
  return lookup(node.attributes, name);
}

void read_attributes(const Cluster& cluster, const Element& owner, Node& node, bool overwrite) {
  node.attributes["#uname"] = node.name;
  node.attributes["#id"] = node.id;
  node.is_dc = same(node.id, cluster.cib->root().value("dc-uuid"));
  node.attributes["#is_dc"] = node.is_dc ? "true" : "false";
  const std::string_view cluster_name = lookup(cluster.properties, "cluster-name");
  if (!cluster_name.empty()) node.attributes.emplace("#cluster-name", cluster_name);
  add_pairs(owner, "instance_attributes", cluster.cib->root(), {.now = cluster.now},
            node.attributes, overwrite);
  if (has(node.attributes, "#site-name")) return;
  const std::string_view site = raw(node, "site-name");
  if (!site.empty()) node.attributes["#site-name"] = site;
  else if (!cluster_name.empty()) node.attributes["#site-name"] = cluster_name;
}

bool wants_termination(const Node& node) {
  const std::string_view word = raw(node, "terminate");
  return is_true(word) || (!word.empty() && word.front() >= '1' && word.front() <= '9');
}

// Newer status entries carry the time since when, instead of a plain yes.
bool in_membership(const Element& state) {
  const std::string_view word = state.value("in_ccm");
  return is_true(word) || parse_number(word).value_or(0) > 1;
}

bool process_runs(const Element& state) {
  const std::string_view word = state.value("crmd");
  return same(word, "online") || parse_number(word).value_or(0) > 1;
}

bool online_without_fencing(Cluster& cluster, const Element& state, Node& node) {
  if (!in_membership(state)) return false;
  if (process_runs(state)) return same(state.value("join"), "member");
  if (node.expected_up) note_failure_on_node(cluster, node, "peer is unexpectedly down");
  return false;
}

void wait_for_join(Node& node) {
  node.standby = true;
  node.pending = true;
}

bool online_with_fencing(Cluster& cluster, const Element& state, Node& node) {
  const bool member = in_membership(state);
  const bool process = process_runs(state);
  const bool terminate = wants_termination(node);
  const std::string_view join = state.value("join");
  const std::string_view expected = state.value("expected", "down");
  if (node.shutting_down) return process;
  if (state.get("in_ccm") == nullptr) {
    note_failure_on_node(cluster, node, "peer has not been seen by the cluster");
  } else if (same(join, "nack")) {
    note_failure_on_node(cluster, node, "peer failed Pacemaker membership criteria");
  } else if (!terminate && same(expected, "down")) {
    if (member || process) wait_for_join(node);
  } else if (terminate && same(join, "down") && !member && !process) {
    return false;
  } else if (!member) {
    note_failure_on_node(cluster, node, "peer is no longer part of the cluster", true);
  } else if (!process) {
    note_failure_on_node(cluster, node, "peer process is no longer available");
  } else if (terminate) {
    note_failure_on_node(cluster, node, "termination was requested");
  } else if (any_of(join, {"pending", "down"})) {
    wait_for_join(node);
  } else if (!same(join, "member")) {
    note_failure_on_node(cluster, node, "peer was in an unknown state");
  }
  return member;
}

void read_node_state(Cluster& cluster, const Element& state, Node& node) {
  if (const Element* transient = state.child("transient_attributes"); transient != nullptr) {
    read_attributes(cluster, *transient, node, true);
  }
  if (is_true(raw(node, "standby"))) node.standby = true;
  if (is_true(raw(node, "maintenance"))) node.maintenance = true;
  node.unclean = false;
  node.unseen = false;
  const std::string_view shutdown = raw(node, "shutdown");
  node.shutting_down = !shutdown.empty() && shutdown != "0";
  node.expected_up = !node.shutting_down && same(state.value("expected"), "member");
  if (node.ping) return;
  node.online = cluster.options.fencing ? online_with_fencing(cluster, state, node)
                                        : online_without_fencing(cluster, state, node);
  if (!node.online || node.shutting_down) node.base_score = -infinity;
  if (!cluster.options.have_quorum && node.online &&
      cluster.options.no_quorum == NoQuorum::suicide) {
    note_failure_on_node(cluster, node, "cluster does not have quorum");
  }
}

Node* node_of(const Cluster& cluster, const Element& state) {
  if (state.name != "node_state" || state.id().empty() || state.get("uname") == nullptr)
    return nullptr;
  Node* node = find_node_by_id(cluster, state.id());
  return node != nullptr ? node : find_node(cluster, state.value("uname"));
}

void read_histories(Cluster& cluster, bool all) {
  for (const Element& state : cluster.cib->status().children) {
    Node* node = node_of(cluster, state);
    if (node == nullptr || node->history_read) continue;
    const bool wanted =
        all || cluster.options.fencing || cluster.options.shutdown_lock || node->online;
    if (!wanted) continue;
    node->history_read = true;
    read_history(cluster, *node, state);
  }
}

void read_tickets(Cluster& cluster, const Element& tickets) {
  for (const Element& state : tickets.children) {
    if (state.name != "ticket_state" || state.id().empty()) continue;
    cluster.tickets[std::string(state.id())] = {is_true(state.value("granted")),
                                                is_true(state.value("standby"))};
  }
}

}  // namespace

void read_nodes(Cluster& cluster) {
  for (const Element& xml : cluster.cib->section("nodes").children) {
    if (xml.name != "node" || xml.id().empty()) continue;
    auto node = std::make_unique<Node>();
    node->id = xml.id();
    node->name = xml.value("uname");
    const std::string_view type = xml.value("type", "member");
    node->ping = !any_of(type, {"member", "remote", "normal"});
    node->base_score = parse_score(xml.value("score"));
    node->unclean = cluster.options.startup_fencing;  // until its status says otherwise
    node->unseen = true;
    node->attributes["#kind"] = "cluster";
    read_attributes(cluster, xml, *node, false);
    Attributes capacity;
    add_pairs(xml, "utilization", cluster.cib->root(), {.now = cluster.now}, capacity);
    for (const auto& [name, value] : capacity) {
      node->free_capacity[name] = static_cast<int>(parse_number(value).value_or(0));
    }
    const auto at = std::find_if(
        cluster.nodes.begin(), cluster.nodes.end(),
        [&](const auto& other) { return compare_names(node->name, other->name) <= 0; });
    cluster.nodes.insert(at, std::move(node));
  }
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i)
    cluster.nodes[i]->index = i;
}

void read_status(Cluster& cluster) {
  for (const Element& child : cluster.cib->status().children) {
    if (child.name == "tickets") read_tickets(cluster, child);
    if (Node* node = node_of(cluster, child); node != nullptr)
      read_node_state(cluster, child, *node);
  }
  read_histories(cluster, false);
  read_histories(cluster, cluster.options.fencing);
}

void note_failure_on_node(Cluster& cluster, Node& node, const std::string& reason, bool delay) {
  if (node.unclean) return;
  node.unclean = true;
  fence_action(cluster, node, {}, true, reason, delay);
}

}  // namespace ha::policy
