// What the one node does that coordinates: who belongs, what is to be done, and what came of it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ha/config/xml.hpp"
#include "ha/controller/controller.hpp"
#include "ha/policy/plan.hpp"

namespace ha::controller {

using policy::Execution;

namespace {

// For a result on its way, beyond what the operation itself may take.
constexpr Duration network_allowance = Duration::seconds(60);
constexpr Duration fencing_allowance = Duration::seconds(600);
constexpr std::int64_t usual_recheck = 900'000;
constexpr int usual_fence_attempts = 10;

std::string text_of(std::uint64_t value) { return std::to_string(value); }

Duration allowed(const Step& step) {
  if (step.kind == StepKind::fence) return fencing_allowance;
  return Duration::milliseconds(step.operation.timeout + step.operation.start_delay) +
         network_allowance;
}

Outcome outcome_of(const Element& body) {
  Outcome outcome;
  outcome.result = static_cast<int>(policy::parse_number(body.value("result")).value_or(1));
  const long long execution = policy::parse_number(body.value("execution")).value_or(4);
  outcome.execution =
      execution < -2 || execution > 11 ? Execution::unknown : static_cast<Execution>(execution);
  outcome.when = policy::parse_number(body.value("when")).value_or(0);
  outcome.reason = body.value("reason");
  return outcome;
}

}  // namespace

std::string Controller::property(std::string_view name) const {
  const Element* configuration = cib_.child("configuration");
  const Element* section = configuration == nullptr ? nullptr : configuration->child("crm_config");
  const std::string* value =
      section == nullptr ? nullptr : config::find_pair(*section, "cluster_property_set", name);
  return value == nullptr ? std::string() : *value;
}

// --- Taking office ---------------------------------------------------------------------------

void Controller::begin_duty(Instant now) {
  duty_ = std::make_unique<Duty>();
  duty_->integrate_until = now + config_.join_patience;
  duty_->next_announcement = now;
  duty_->next_copy = now;
  duty_->joined[config_.own_name] = config_.plan_uuid;
  joined_ever_ = true;
  Element& state = node_state(cib_, config_.own_name);
  histories_of(state) = own_history_;
  for (const auto& [name, value] : own_attributes_)
    set_transient(state, name, &value);
  refresh_standing();
}

void Controller::announce(Instant now) {
  duty_->next_announcement = now + config_.announce_every;
  const config::Version version = config::version_of(cib_);
  Element body{"dc",
               {{"term", text_of(term_)},
                {"admin_epoch", std::to_string(version.admin_epoch)},
                {"epoch", std::to_string(version.epoch)},
                {"num_updates", std::to_string(version.num_updates)}},
               {},
               {}};
  for (const auto& [node, join] : duty_->joined)
    body.children.push_back({"member", {{"uname", node}, {"join", join}}, {}, {}});
  send("", "dc", body);
}

void Controller::on_join(const std::string& from, const Element& body, Instant now) {
  if (policy::parse_number(body.value("term")).value_or(0) != static_cast<long long>(term_) ||
      !present(from)) {
    return;
  }
  const Element* theirs = body.child("cib");
  if (theirs != nullptr && config::version_of(cib_) < config::version_of(*theirs)) {
    log(Severity::info, fmt::format("The configuration of {} is newer and is taken", from));
    Element status = std::move(*cib_.child("status"));
    cib_ = *theirs;
    cib_.child_or_new("status") = std::move(status);
    store_copy();
  }
  Element& state = node_state(cib_, from);
  if (body.value("fresh") == "1") wipe_transient(state);
  if (const Element* history = body.child("lrm_resources"); history != nullptr)
    histories_of(state) = *history;
  if (const Element* attributes = body.child("attributes"); attributes != nullptr) {
    for (const Element& pair : attributes->children)
      set_transient(state, pair.value("name"), pair.get("value"));
  }
  log(Severity::info, fmt::format("Node {} is member.", from));
  // What was said to it before may have been lost on it.
  if (duty_->joined.contains(from)) steps_of_lost_node(from, now);
  duty_->joined[from] = body.value("join");
  duty_->dismissed.erase(from);
  duty_->awaited.erase(from);
  refresh_standing();
  duty_->next_announcement = now;
  changed();
  replan();
}

void Controller::check_ready(Instant now) {
  if (duty_->ready || duty_->storing) return;
  for (const auto& [node, member] : view_.others) {
    // A node that is about to be active is waited for as well: what it has may be newer.
    const bool joins = !member.voter && !duty_->joined.contains(node);
    if (joins && now < duty_->integrate_until) return;
  }
  duty_->ready = true;
  Element completed = cib_;
  if (complete(completed)) {
    push_edit({}, {config::EditKind::replace, "", *completed.child("configuration"), false}, now);
  }
  changed();
  replan();
}

// A node that comes back from a partition may coordinate as well, and plan at this very moment:
// nothing is planned before one of the two has given up. And where only the manager has restarted,
// what it had started runs on: the new one has to be asked first (H10).
bool Controller::awaits_joins(Instant now) {
  bool awaits = false;
  for (const auto& [node, member] : view_.others) {
    if (member.voter || !present(node) || duty_->joined.contains(node)) continue;
    const Element* state = find_node_state(cib_, node);
    const Element* lrm = state == nullptr ? nullptr : state->child("lrm");
    const Element* histories = lrm == nullptr ? nullptr : lrm->child("lrm_resources");
    if (!member.active && (histories == nullptr || !any_active(*histories))) continue;
    const auto awaited = duty_->awaited.emplace(node, now + config_.join_patience).first;
    if (awaited->second == Instant::never()) continue;  // in vain
    if (now < awaited->second) {
      awaits = true;
    } else {
      log(Severity::warning, fmt::format("Node {} does not join", node));
      awaited->second = Instant::never();
    }
  }
  return awaits;
}

// What every cluster's configuration has: its nodes, and by what it is run. False: it has them.
bool Controller::complete(Element& root) const {
  Element& configuration = root.child_or_new("configuration");
  Element& nodes = configuration.child_or_new("nodes");
  bool differs = false;
  for (const std::string& name : config_.nodes) {
    const auto other = view_.others.find(name);
    const bool voter = other != view_.others.end() && other->second.voter;
    auto found =
        std::find_if(nodes.children.begin(), nodes.children.end(),
                     [&](const Element& node) { return policy::same(node.value("uname"), name); });
    if (found == nodes.children.end()) {
      nodes.children.push_back({"node", {{"id", name}, {"uname", name}}, {}, {}});
      found = nodes.children.end() - 1;
      differs = true;
    }
    if (voter && found->value("type") != "ping") {
      // It takes part in nothing but the count of votes.
      found->set("type", "ping");
      differs = true;
    }
  }
  Element& properties = configuration.child_or_new("crm_config");
  Element& set = config::pairs_of(properties, "cluster_property_set", "cib-bootstrap-options");
  for (const auto& [name, value] : {std::pair<std::string, std::string>("have-watchdog", "false"),
                                    {"dc-version", "pollux"},
                                    {"cluster-infrastructure", "heartbeat"}}) {
    if (config::find_pair(properties, "cluster_property_set", name) != nullptr) continue;
    config::set_pair(set, name, &value);
    differs = true;
  }
  return differs;
}

// Membership as the planner reads it.
void Controller::refresh_standing() {
  Element& status = cib_.child_or_new("status");
  for (Element& state : status.children) {
    if (state.name != "node_state") continue;
    const std::string node = membership::lower_case(state.value("uname"));
    const std::string expected(state.value("expected", "down"));
    if (!present(node)) {
      set_standing(state, {false, false, "down", expected});
    } else if (duty_->joined.contains(node)) {
      set_standing(state, {true, true, "member", "member"});
    } else {
      set_standing(state, {true, true, "down", expected});
    }
  }
  for (const auto& [node, member] : view_.others) {
    if (member.voter || !present(node) || find_node_state(cib_, node) != nullptr) continue;
    set_standing(node_state(cib_, node), {true, true, "down", "down"});
  }
  cib_.set("have-quorum", view_.quorum ? "1" : "0");
  if (view_.quorum) cib_.set("no-quorum-panic", "1");
  cib_.set("dc-uuid", node_id(cib_, config_.own_name));
  changed();
}

// --- Copies ----------------------------------------------------------------------------------

void Controller::changed() {
  config::Version version = config::version_of(cib_);
  ++version.num_updates;
  config::set_version(cib_, version);
  duty_->changed = true;
}

void Controller::copy(Instant now) {
  if (!duty_->changed || !duty_->ready || now < duty_->next_copy) return;
  duty_->changed = false;
  duty_->next_copy = now + config_.copy_every;
  if (view_.others.empty()) return;
  send("", "cib", {"copy", {{"term", text_of(term_)}}, {cib_}, {}});
}

// --- Results ---------------------------------------------------------------------------------

void Controller::on_result(const std::string& from, const Element& body) {
  const Element* xml = body.child("rsc_op");
  const std::optional<Operation> operation = xml == nullptr ? std::nullopt : operation_of(*xml);
  if (!operation || !present(from)) return;
  const Outcome outcome = outcome_of(body);
  Element& state = node_state(cib_, from);
  Element& histories = histories_of(state);
  const Element* record = body.child("lrm_rsc_op");
  if (record != nullptr && operation->task != "notify") put_record(histories, *operation, *record);
  if (operation->task == "cancel") drop_record(histories, *operation);
  if (policy::any_of(operation->task, {"delete", "lrm_delete"}))
    drop_resource(histories, operation->resource);
  if (operation->task == "clear_failcount") {
    drop_failures(histories, operation->resource);
    clear_failure_counts(state, operation->resource);
  }
  changed();
  const bool good = outcome.good(operation->expected);
  const bool fatal = !policy::same(property("start-failure-is-fatal"), "false");
  if (!good && count_failure(state, *operation, outcome, fatal, wall_())) {
    log(Severity::warning,
        fmt::format("Resource {} failed on {}: {} returned {}", operation->resource, from,
                    operation->key(), outcome.result));
  }
  const Step* step =
      duty_->transition == nullptr ? nullptr : duty_->transition->find(operation->transition_key);
  if (step != nullptr) finish(step->id, good || operation->task == "notify");
  // A monitor that says something new, or what an earlier planner had asked for.
  if (step == nullptr || !good) replan();
}

void Controller::finish(int step, bool good) {
  duty_->deadlines.erase(step);
  if (duty_->transition == nullptr) return;
  duty_->transition->finish(step, good);
  if (!good) replan();
}

void Controller::steps_of_lost_node(const std::string& node, Instant now) {
  if (!duty_->transition) return;
  for (const Step* step : duty_->transition->in_progress()) {
    if (step->node != node) continue;
    if (step->kind == StepKind::shut_down) finish(step->id, true);
    if (step->kind == StepKind::operate) finish(step->id, false);
  }
  for (const auto& [id, fencing] : std::map<std::string, Fencing>(duty_->fencings)) {
    if (fencing.executor == node) fencing_ended(id, false, now);
  }
}

void Controller::expire_steps(Instant now) {
  if (!duty_->transition) return;
  for (const Step* step : duty_->transition->in_progress()) {
    const auto deadline = duty_->deadlines.find(step->id);
    if (deadline == duty_->deadlines.end() || now < deadline->second) continue;
    log(Severity::error, fmt::format("No answer about {} on {} in time", step->name, step->node));
    if (step->kind == StepKind::fence) {
      for (const auto& [id, fencing] : std::map<std::string, Fencing>(duty_->fencings)) {
        if (fencing.step == step->id) fencing_ended(id, false, now);
      }
    } else {
      finish(step->id, false);
    }
  }
}

// --- Plans -----------------------------------------------------------------------------------

void Controller::consider(Instant now) {
  if (!duty_->ready || awaits_joins(now)) return;
  for (;;) {
    if (!duty_->transition) {
      if (!duty_->replan || left_) return;
      make_plan(now);
      continue;
    }
    Transition& transition = *duty_->transition;
    if (duty_->replan && !transition.given_up()) transition.give_up();
    for (const Step* step : transition.begin_ready())
      begin(*step, now);
    if (!transition.over()) return;
    const char* how = transition.given_up() ? "given up" : "complete";
    if (!transition.empty())
      log(Severity::info, fmt::format("Transition {} is {}", transition.number(), how));
    if (!transition.given_up() && transition.waiting() != 0)
      log(Severity::warning, fmt::format("{} steps can't be done", transition.waiting()));
    duty_->transition.reset();
    duty_->deadlines.clear();
    if (!duty_->replan) return;
  }
}

void Controller::make_plan(Instant now) {
  duty_->replan = false;
  Element root = cib_;
  if (view_.cut_off) {
    const std::string stop = "stop";
    Element& properties = root.child_or_new("configuration").child_or_new("crm_config");
    config::set_pair(config::pairs_of(properties, "cluster_property_set", "cib-bootstrap-options"),
                     "no-quorum-policy", &stop);
  }
  const config::Cib cib(std::move(root));
  const std::unique_ptr<policy::Cluster> cluster = policy::make_plan(cib, wall_());
  duty_->transition = std::make_unique<Transition>(*cluster, ++transitions_, config_.plan_uuid);
  schedule_check(*cluster, now);
}

// Time changes plans too: rules with dates, failures that expire.
void Controller::schedule_check(const policy::Cluster& cluster, Instant now) {
  std::int64_t wait =
      policy::parse_milliseconds(property("cluster-recheck-interval")).value_or(usual_recheck);
  if (wait <= 0) wait = usual_recheck;
  bool failures = false;
  for (const auto& node : cluster.nodes) {
    const auto first = node->attributes.lower_bound("fail-count-");
    failures =
        failures || (first != node->attributes.end() && first->first.starts_with("fail-count-"));
  }
  for (const policy::Resource& resource : cluster.resource_store) {
    if (failures && resource.failure_timeout > 0)
      wait = std::min(wait, (resource.failure_timeout + 1) * 1000);
  }
  duty_->next_check = now + Duration::milliseconds(wait);
}

void Controller::begin(const Step& step, Instant now) {
  duty_->deadlines[step.id] = now + allowed(step);
  if (step.kind == StepKind::fence) return begin_fencing(step, now);
  if (step.kind == StepKind::shut_down) {
    log(Severity::info, fmt::format("Node {} is empty and may leave", step.node));
    node_state(cib_, step.node).set("expected", "down");
    duty_->dismissed.insert(step.node);
    changed();
    duty_->next_copy = now;
    copy(now);
    send(step.node, "leave", {"leave", {{"term", text_of(term_)}}, {}, {}});
    finish(step.id, true);
    return;
  }
  log(Severity::info, fmt::format("Initiating {} on {}", step.name, step.node));
  if (changes_role(step.operation.task)) {
    // Should the answer never come: it may have been done.
    put_record(histories_of(node_state(cib_, step.node)), step.operation,
               pending_record(step.operation, wall_()));
    changed();
  }
  send(step.node, "operate", {"operate", {{"term", text_of(term_)}}, {to_xml(step.operation)}, {}});
}

// --- Fencing ---------------------------------------------------------------------------------

// Not by the target itself; rather here than far away.
std::string Controller::fence_executor(const std::string& target) const {
  if (target != config_.own_name) return config_.own_name;
  for (const auto& [node, join] : duty_->joined) {
    if (node != target && present(node)) return node;
  }
  return {};
}

void Controller::begin_fencing(const Step& step, Instant now) {
  const std::string target = membership::lower_case(step.node);
  const std::string executor = fence_executor(target);
  Fencing fencing;
  fencing.step = step.id;
  fencing.executor = executor;
  fencing.order = {
      config_.plan_uuid + "-" + std::to_string(transitions_) + "-" + std::to_string(step.id),
      target, step.fence_action, step.fence_delay};
  duty_->fencings[fencing.order.id] = fencing;
  if (executor.empty()) {
    log(Severity::error, fmt::format("Nobody is there to fence {}", target));
    fencing_ended(fencing.order.id, false, now);
    return;
  }
  log(Severity::warning,
      fmt::format("Requesting fencing ({}) of node {} by {}", step.fence_action, target, executor));
  Element body{"fence",
               {{"term", text_of(term_)},
                {"id", fencing.order.id},
                {"target", target},
                {"action", step.fence_action},
                {"delay", std::to_string(step.fence_delay)}},
               {},
               {}};
  send(executor, "fence", body);
}

void Controller::on_fenced(const std::string& from, const Element& body, Instant now) {
  const bool good = body.value("good") == "1";
  const std::string target(body.value("target"));
  const bool down = good && body.value("action") != "on";
  if (down && target == config_.own_name && from != config_.own_name) {
    log(Severity::error, fmt::format("CRIT: We were allegedly just fenced by {}!", from));
    orders_.fenced = true;
    return;
  }
  log(good ? Severity::warning : Severity::error,
      fmt::format("Fencing ({}) of {} by {} {}", body.value("action"), target, from,
                  good ? "succeeded" : "failed"));
  if (duty_ && duty_->fencings.contains(std::string(body.id())))
    return fencing_ended(std::string(body.id()), good, now);
  // Whoever coordinates next, or does since, need not fence it again.
  if (down && find_node_state(cib_, target) != nullptr) note_fenced(target);
}

void Controller::note_fenced(const std::string& target) {
  Element& state = node_state(cib_, target);
  wipe_histories(state);
  wipe_transient(state);
  set_standing(state, {false, false, "down", "down"});
  if (!duty_) return;
  if (view_.others.contains(target)) duty_->fenced.insert(target);
  duty_->joined.erase(target);
  changed();
  replan();
}

void Controller::fencing_ended(const std::string& id, bool good, Instant now) {
  const auto found = duty_->fencings.find(id);
  if (found == duty_->fencings.end()) return;
  const Fencing fencing = found->second;
  duty_->fencings.erase(found);
  const std::string& target = fencing.order.target;
  if (good && fencing.order.action == "on") {
    const std::string when = std::to_string(wall_());
    set_transient(node_state(cib_, target), "#node-unfenced", &when);
  } else if (good) {
    duty_->fence_failures.erase(target);
    note_fenced(target);
  } else {
    // Again, at first soon; what waits for it waits (H4).
    const int failures = ++duty_->fence_failures[target];
    const long long most =
        policy::parse_number(property("stonith-max-attempts")).value_or(usual_fence_attempts);
    const std::int64_t pause = failures < most ? std::min(failures, 5) : 60;
    log(Severity::error,
        fmt::format("{} failed attempts to fence {}; the next in {} s", failures, target, pause));
    duty_->next_check = std::min(duty_->next_check, now + Duration::seconds(pause));
  }
  changed();
  duty_->deadlines.erase(fencing.step);
  if (duty_->transition) duty_->transition->finish(fencing.step, good);
  // A node that is gone changes what can be done; a failure waits for the next attempt.
  if (good) replan();
}

}  // namespace ha::controller
