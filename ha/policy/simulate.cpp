#include "ha/policy/simulate.hpp"

#include <algorithm>
#include <set>

#include "ha/policy/actions.hpp"

namespace ha::policy {
namespace {

Element& status_of(Element& root) { return root.child_or_new("status"); }

Element& node_state(Element& root, std::string_view name, std::string_view id) {
  Element& status = status_of(root);
  for (Element& state : status.children) {
    if (state.name == "node_state" && state.value("uname") == name) return state;
  }
  status.children.push_back(
      {"node_state", {{"id", std::string(id)}, {"uname", std::string(name)}}, {}, {}});
  return status.children.back();
}

std::string node_id(const Element& root, std::string_view name) {
  const Element* configuration = root.child("configuration");
  const Element* nodes = configuration == nullptr ? nullptr : configuration->child("nodes");
  if (nodes != nullptr) {
    for (const Element& node : nodes->children) {
      if (node.value("uname") == name) return std::string(node.id());
    }
  }
  return std::string(name);
}

Element* find_history(Element& state, std::string_view resource) {
  Element* lrm = state.child("lrm");
  Element* resources = lrm == nullptr ? nullptr : lrm->child("lrm_resources");
  if (resources == nullptr) return nullptr;
  for (Element& history : resources->children) {
    if (history.name == "lrm_resource" && history.id() == resource) return &history;
  }
  return nullptr;
}

Element& history_of(Element& state, std::string_view resource, std::string_view configured,
                    const Element& agent) {
  if (Element* found = find_history(state, resource); found != nullptr) return *found;
  if (Element* found = find_history(state, configured); found != nullptr) return *found;
  const std::string id(state.id());
  Element& lrm = state.child_or_new("lrm");
  lrm.set("id", id);
  Element& resources = lrm.child_or_new("lrm_resources");
  Element made{"lrm_resource", {{"id", std::string(configured)}}, {}, {}};
  for (const std::string_view name : {"class", "provider", "type"}) {
    if (const std::string* value = agent.get(name); value != nullptr) made.set(name, *value);
  }
  resources.children.push_back(std::move(made));
  return resources.children.back();
}

struct Result {
  std::string_view task;
  std::uint32_t interval = 0;
  int result = 0;
  int expected = 0;
  const Action* action = nullptr;  // for what is special about notifications and migrations
};

std::string record_id(const Element& history, const Result& done) {
  const std::string_view resource = history.id();
  if (done.task == "notify" && done.action != nullptr) {
    return notify_key(resource, done.action->notify_type, done.action->notify_operation);
  }
  if (any_of(done.task, {"migrate_to", "migrate_from"}))
    return operation_key(resource, done.task, done.interval);
  if (done.result != done.expected && !(done.result == 190 && done.expected == 0)) {
    return operation_key(resource, "last_failure");
  }
  return done.interval > 0 ? operation_key(resource, done.task, done.interval)
                           : operation_key(resource, "last");
}

int next_call(const Element& history) {
  long long last = 0;
  for (const Element& operation : history.children) {
    last = std::max(last, parse_number(operation.value("call-id")).value_or(0));
  }
  return static_cast<int>(last) + 1;
}

void write_record(Element& history, const std::string& id, const Result& done, int call,
                  Seconds now) {
  Element* record = nullptr;
  for (Element& operation : history.children) {
    if (operation.id() == id) record = &operation;
  }
  if (record == nullptr) {
    history.children.push_back({"lrm_rsc_op", {{"id", id}}, {}, {}});
    record = &history.children.back();
  }
  const bool notify = done.task == "notify";
  const std::string result = std::to_string(notify ? 0 : done.result);
  const std::string key = std::to_string(call) + ":-1:" + std::to_string(done.expected) +
                          ":xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const std::string when = std::to_string(now);
  const std::string_view task = done.task == "reload-agent" ? "start" : done.task;
  record->set("operation_key", operation_key(history.id(), task, done.interval));
  record->set("operation", task);
  record->set("transition-key", key);
  record->set("transition-magic", "0:" + result + ";" + key);
  record->set("exit-reason", "");
  record->unset("on_node");
  record->set("call-id", std::to_string(call));
  record->set("rc-code", result);
  record->set("op-status", "0");
  record->set("interval", std::to_string(done.interval));
  record->set("last-rc-change", when);
  record->unset("op-restart-digest");
  if (done.action != nullptr && !done.action->migrate_target.empty()) {
    record->set("migrate_source", done.action->migrate_source);
    record->set("migrate_target", done.action->migrate_target);
  }
}

void record(Element& history, const Result& done, Seconds now) {
  const std::string id = record_id(history, done);
  const int call = next_call(history);
  write_record(history, id, done, call, now);
  if (id.ends_with("_last_failure_0") && done.interval == 0) {
    write_record(history, operation_key(history.id(), "last"), done, call, now);
  }
}

void add_transient(Element& state, const std::string& name, const std::string& value,
                   bool increment) {
  const std::string id(state.id());
  Element& attributes = state.child_or_new("transient_attributes");
  attributes.set("id", id);
  Element& set = attributes.child_or_new("instance_attributes");
  if (set.get("id") == nullptr) set.set("id", "status-" + id);
  for (Element& pair : set.children) {
    if (pair.value("name") != name) continue;
    pair.set("value", increment ? score_text(add(parse_score(pair.value("value")), 1)) : value);
    return;
  }
  set.children.push_back(
      {"nvpair",
       {{"id", "status-" + id + "-" + name}, {"name", name}, {"value", increment ? "1" : value}},
       {},
       {}});
}

void count_failure(Element& state, std::string_view resource, std::string_view task,
                   std::uint32_t interval, int result, Seconds now) {
  if (result == 0 || (result == 7 && interval == 0)) return;
  std::string operation(resource);
  operation += "#" + std::string(task) + "_" + std::to_string(interval);
  add_transient(state, "fail-count-" + operation, {}, true);
  add_transient(state, "last-failure-" + operation, std::to_string(now), false);
}

// The name under which an action's resource is shown, and that of its history.
struct Names {
  std::string shown;
  std::string configured;
};

Names names_of(const Cluster& cluster, const Resource& resource) {
  Names names;
  std::string alternative = resource.id;
  if (resource.orphan && !resource.history_name.empty()) {
    names.configured = resource.history_name;
  } else if (!resource.unique) {
    names.configured = resource.configured_id();
    if (!resource.history_name.empty() && resource.history_name != names.configured)
      alternative = resource.history_name;
  } else {
    names.configured = resource.id;
  }
  names.shown = names.configured;
  if (find_resource(cluster, names.shown) == nullptr &&
      find_resource(cluster, alternative) != nullptr) {
    names.shown = alternative;
  }
  return names;
}

std::string shown_key(const Action& action) {
  const Resource* resource = action.resource;
  if (resource == nullptr || resource->history_name.empty()) return action.key;
  if (action.task == "notify")
    return notify_key(resource->history_name, action.notify_type, action.notify_operation);
  return operation_key(resource->history_name, action.task, action.interval);
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

class Run {
 public:
  Run(const Cluster& cluster, Seconds now, const std::vector<std::string>& failing)
      : cluster_(cluster), now_(now), failing_(failing) {
    simulation_.root = cluster.cib->root();
  }

  Simulation go() {
    std::set<int> done;
    std::vector<const Action*> waiting(cluster_.plan.begin(), cluster_.plan.end());
    for (bool progress = true; progress;) {
      progress = false;
      for (const Action*& action : waiting) {
        if (action == nullptr || !ready(*action, done)) continue;
        if (aborted_ && !action->is(act::pseudo) && action->priority < infinity) continue;
        execute(*action);
        if (!failed_.contains(action->id)) done.insert(action->id);
        action = nullptr;
        progress = true;
      }
    }
    simulation_.complete =
        aborted_ || std::all_of(waiting.begin(), waiting.end(),
                                [](const Action* action) { return action == nullptr; });
    return std::move(simulation_);
  }

 private:
  static bool ready(const Action& action, const std::set<int>& done) {
    return std::all_of(action.before.begin(), action.before.end(), [&](const Link& link) {
      return !link.used || done.contains(link.action->id);
    });
  }

  void say(std::string line) { simulation_.lines.push_back(std::move(line)); }

  void execute(const Action& action) {
    if (action.task == "stonith" && !action.is(act::pseudo)) {
      fence(action);
    } else if (any_of(action.task, {"do_shutdown", "clear_failcount", "lrm_delete"})) {
      const std::string about = action.resource == nullptr
                                    ? ""
                                    : " for " + names_of(cluster_, *action.resource).configured;
      say("Cluster action:  " + action.task + about + " on " + action.node->name);
    } else if (action.is(act::pseudo)) {
      const bool names_node = action.task == "stonith" && action.node != nullptr;
      say("Pseudo action:   " + shown_key(action) +
          (names_node ? " on " + action.node->name : std::string()));
    } else if (action.task != "probe_again" && action.resource != nullptr &&
               action.node != nullptr) {
      operate(action);
    }
  }

  void fence(const Action& action) {
    say("Fencing " + action.node->name + " (" + action.fence_action + ")");
    if (action.fence_action == "on") return;
    inject_node_state(simulation_.root, action.node->name, false);
    wipe_node_history(simulation_.root, action.node->name);
  }

  void operate(const Action& action) {
    const Names names = names_of(cluster_, *action.resource);
    if (action.task == "delete") {
      say("Resource action: " + padded(names.shown, 15) + " delete on " + action.node->name);
      return;
    }
    const std::string interval = action.interval == 0 ? "" : "=" + std::to_string(action.interval);
    say("Resource action: " + padded(names.shown, 15) + " " + action.task + interval + " on " +
        action.node->name);
    Element& state = node_state(simulation_.root, action.node->name, action.node->id);
    Element& history = history_of(state, names.shown, names.configured, *action.resource->xml);
    Result done{action.task, action.interval, action.expected_result, action.expected_result,
                &action};
    for (const std::string& failure : failing_) {
      for (const std::string& name : {names.shown, names.configured}) {
        const std::string prefix =
            operation_key(name, action.task, action.interval) + "@" + action.node->name + "=";
        if (!failure.starts_with(prefix)) continue;
        fail(action, state, name, done, failure.substr(prefix.size()));
        break;
      }
    }
    record(history, done, now_);
  }

  void fail(const Action& action, Element& state, const std::string& name, Result& done,
            const std::string& result) {
    const auto number = parse_number(result);
    if (!number || failed_.contains(action.id)) return;
    done.result = static_cast<int>(*number);
    say("Pretending action " + std::to_string(action.id) +
        " failed with rc=" + std::to_string(done.result));
    count_failure(state, name, action.task, action.interval, done.result, now_);
    failed_.insert(action.id);
    aborted_ = true;
  }

  const Cluster& cluster_;
  Seconds now_;
  const std::vector<std::string>& failing_;
  Simulation simulation_;
  std::set<int> failed_;
  bool aborted_ = false;
};

}  // namespace

Simulation simulate(const Cluster& cluster, Seconds now, const std::vector<std::string>& failing) {
  return Run(cluster, now, failing).go();
}

void inject_node_state(Element& root, std::string_view node, bool online) {
  Element& state = node_state(root, node, node_id(root, node));
  state.set("in_ccm", online ? "true" : "false");
  state.set("crmd", online ? "online" : "offline");
  state.set("join", online ? "member" : "down");
  state.set("expected", online ? "member" : "down");
}

void inject_node_failure(Element& root, std::string_view node) {
  inject_node_state(root, node, true);
  node_state(root, node, node_id(root, node)).set("in_ccm", "false");
}

void wipe_node_history(Element& root, std::string_view node) {
  Element& state = node_state(root, node, node_id(root, node));
  std::erase_if(state.children, [](const Element& child) {
    return child.name == "lrm" || child.name == "transient_attributes";
  });
}

bool inject_operation(Element& root, const Cluster& cluster, std::string_view specification,
                      Seconds now) {
  const std::size_t at = specification.find('@');
  const std::size_t equals = specification.find('=', at == specification.npos ? 0 : at);
  if (at == specification.npos || equals == specification.npos) return false;
  const std::string_view key = specification.substr(0, at);
  const std::string_view node = specification.substr(at + 1, equals - at - 1);
  const auto result = parse_number(specification.substr(equals + 1));
  const std::size_t last = key.rfind('_');
  if (!result || last == key.npos || last == 0) return false;
  std::size_t before = key.rfind('_', last - 1);
  for (const std::string_view task : {"_migrate_to", "_migrate_from"}) {
    if (key.substr(0, last).ends_with(task)) before = last - task.size();
  }
  if (before == key.npos) return false;
  const std::string_view name = key.substr(0, before);
  const std::string_view task = key.substr(before + 1, last - before - 1);
  const auto interval = static_cast<std::uint32_t>(parse_number(key.substr(last + 1)).value_or(0));
  const Resource* resource = find_resource(cluster, name);
  if (resource == nullptr) return false;
  Element& state = node_state(root, node, node_id(root, node));
  count_failure(state, name, task, interval, static_cast<int>(*result), now);
  Element& history = history_of(state, name, name, *resource->xml);
  record(history, {task, interval, static_cast<int>(*result), 0, nullptr}, now);
  return true;
}

}  // namespace ha::policy
