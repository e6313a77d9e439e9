// Resources whose definition is not the one they were started with.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/operation_record.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

void escape(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&apos;"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "    "; break;
      case '\r': out += "\\r"; break;
      default:
        if (c >= ' ' && c <= '~') {
          out += c;
        } else {
          const auto byte = static_cast<unsigned char>(c);
          out += '\\';
          for (const int shift : {6, 3, 0})
            out += static_cast<char>('0' + ((byte >> shift) & 7));
        }
    }
  }
}

// The text over which histories carry a digest: one element with the parameters in the order of
// their names.
std::string digest_of(const Attributes& parameters) {
  std::string text = " <parameters";
  for (const auto& [name, value] : parameters) {
    text += ' ' + name + "=\"";
    escape(value, text);
    text += '"';
  }
  return md5(text + "/>\n");
}

bool counts(const std::string& name) {
  return !name.starts_with("CRM_meta_") && name != "id" && name != "crm_feature_set" &&
         name != "op-digest" && name != "on_node" && name != "on_node_uuid" &&
         name != "pcmk_external_ip";
}

Attributes digested_parameters(Cluster& cluster, const Resource& resource, const Node& node,
                               std::string_view task, std::uint32_t interval) {
  Attributes parameters = resource_parameters(cluster, resource, &node);
  const OperationPolicy policy = operation_policy(
      cluster, resource, operation_key(resource.id, task, interval), task, interval);
  if (policy.xml != nullptr) {
    Attributes own;
    add_pairs(*policy.xml, "instance_attributes", cluster.cib->root(),
              {.now = cluster.now, .node = &node.attributes}, own);
    for (const auto& [name, value] : own)
      parameters[name] = value;
  }
  std::erase_if(parameters, [](const auto& pair) { return !counts(pair.first); });
  if (interval != 0) parameters["CRM_meta_timeout"] = policy.timeout;
  return parameters;
}

bool listed(std::string_view names, const std::string& name) {
  return names.find(" " + name + " ") != names.npos;
}

void force_restart(Cluster& cluster, Resource& resource, std::string_view task,
                   std::uint32_t interval, Node& node) {
  Action& action = get_action(cluster, &resource, operation_key(resource.id, task, interval), task,
                              interval, nullptr, false);
  set_reason(action, "resource definition change", true);
  trigger_unfencing(cluster, &resource, &node, "Device parameters changed");
}

void schedule_reload(Cluster& cluster, Resource& resource, Node& node) {
  if (!resource.managed || resource.failed) return;
  if (resource.start_pending) {
    get_action(cluster, resource, "stop", &node, false);
    return;
  }
  resource.reload = true;
  Action& reload = get_action(cluster, resource, "reload-agent", &node, false);
  set_reason(reload, "resource definition change", false);
  new_ordering(cluster, side(reload), side(resource, "stop"),
               order::optional | order::then_cancels_first);
  new_ordering(cluster, side(reload), side(resource, "demote"),
               order::optional | order::then_cancels_first);
}

void reschedule(Cluster& cluster, Resource& resource, std::string_view task, std::uint32_t interval,
                Node& node) {
  trigger_unfencing(cluster, &resource, &node, "Device parameters changed (reschedule)");
  get_action(cluster, &resource, operation_key(resource.id, task, interval), task, interval, &node,
             true)
      .set(act::reschedule);
}

// True when the operation is no longer what it was.
bool check_operation(Cluster& cluster, Resource& resource, Node& node,
                     const OperationRecord& record) {
  if (record.interval > 0 &&
      find_operation(resource, operation_key(resource.id, record.task, record.interval), false) ==
          nullptr) {
    if (cluster.options.stop_orphan_actions) {
      schedule_cancel(cluster, resource, record.task, record.interval, &node);
    }
    return true;
  }
  std::string_view task = record.task;
  if (record.interval == 0 && (task == "monitor" || task == "migrate_from" || task == "promote"))
    task = "start";
  const Digest digest = compare_digest(cluster, resource, node, *record.xml);
  if (digest == Digest::match) return false;
  if (digest == Digest::restart) {
    force_restart(cluster, resource, task, record.interval, node);
  } else if (record.interval > 0) {
    reschedule(cluster, resource, task, record.interval, node);
  } else if (record.xml->get("op-restart-digest") != nullptr) {
    trigger_unfencing(cluster, &resource, &node, "Device parameters changed (reload)");
    schedule_reload(cluster, resource, node);
  } else {
    force_restart(cluster, resource, task, record.interval, node);
  }
  return true;
}

bool agent_changed(Cluster& cluster, Resource& resource, Node& node, const Element& history,
                   bool active) {
  bool changed = false;
  for (const std::string_view name : {"type", "class", "provider"}) {
    if (resource.xml->value(name) == history.value(name)) continue;
    changed = true;
    trigger_unfencing(cluster, &resource, &node, "Device definition changed");
  }
  if (changed && active) {
    get_action(cluster, resource, "stop", &node, false);
    resource.start_pending = true;
  }
  return changed;
}

bool worth_checking(const OperationRecord& record) {
  return record.interval > 0 ||
         any_of(record.task, {"monitor", "start", "promote", "migrate_from"});
}

void check_history(Cluster& cluster, Resource& resource, Node& node, const Element& history) {
  if (resource.orphan) {
    if (!in_anonymous_clone(&resource)) schedule_cleanup(cluster, resource, node, false);
    return;
  }
  const bool active = resource.runs_on(&node);
  if (agent_changed(cluster, resource, node, history, active))
    schedule_cleanup(cluster, resource, node, false);
  if (!active) return;
  const std::vector<OperationRecord> records = sorted_records(history);
  const ActivePart part = active_part(records);
  if (part.start < part.stop) return;
  for (int i = std::max(0, part.start); i < std::ssize(records); ++i) {
    const OperationRecord& record = records[static_cast<std::size_t>(i)];
    if (record.interval > 0 && (resource.maintenance || node.maintenance)) {
      schedule_cancel(cluster, resource, record.task, record.interval, &node);
    } else if (worth_checking(record) && check_operation(cluster, resource, node, record) &&
               failures_of(cluster, node, resource, true).count != 0) {
      clear_failures(cluster, resource, node);
    }
  }
}

void collect_matching(Resource& resource, std::string_view id, std::vector<Resource*>& found) {
  if (!resource.collective() &&
      (resource.id == id || (!resource.history_name.empty() && resource.history_name == id))) {
    found.push_back(&resource);
  }
  for (Resource* child : resource.children)
    collect_matching(*child, id, found);
}

}  // namespace

std::string operation_digest(Cluster& cluster, const Resource& resource, const Node& node,
                             std::string_view task, std::uint32_t interval) {
  return digest_of(digested_parameters(cluster, resource, node, task, interval));
}

Digest compare_digest(Cluster& cluster, Resource& resource, Node& node, const Element& operation) {
  if (cluster.expired_monitors.contains(&operation)) return Digest::restart;
  const OperationRecord record = read_record(operation);
  const Attributes parameters =
      digested_parameters(cluster, resource, node, record.task, record.interval);
  const std::string* restart = operation.get("op-restart-digest");
  if (restart != nullptr) {
    Attributes needing_restart = parameters;
    if (const std::string* names = operation.get("op-force-restart"); names != nullptr) {
      std::erase_if(needing_restart, [&](const auto& pair) { return !listed(*names, pair.first); });
    }
    if (digest_of(needing_restart) != *restart) return Digest::restart;
  }
  const std::string* all = operation.get("op-digest");
  if (all == nullptr) return Digest::unknown;
  return *all == digest_of(parameters) ? Digest::match : Digest::changed;
}

void check_config_changes(Cluster& cluster) {
  for (const auto& node : cluster.nodes) {
    if (!node->maintenance && !available(node.get())) continue;
    for (const Element& state : cluster.cib->status().children) {
      if (state.name != "node_state" || state.value("uname") != node->name) continue;
      const Element* lrm = state.child("lrm");
      const Element* histories = lrm == nullptr ? nullptr : lrm->child("lrm_resources");
      if (histories == nullptr) continue;
      for (const Element& history : histories->children) {
        if (history.name != "lrm_resource" || history.children.empty()) continue;
        std::vector<Resource*> matching;
        for (Resource* resource : cluster.resources)
          collect_matching(*resource, history.id(), matching);
        // The list is built from its end.
        for (auto at = matching.rbegin(); at != matching.rend(); ++at)
          check_history(cluster, **at, *node, history);
      }
    }
  }
}

}  // namespace ha::policy
