// Election, joining, copies of the configuration, and what a node does at the coordinator's word.
#include "ha/controller/controller.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ha/config/store.hpp"
#include "ha/config/xml.hpp"

namespace ha::controller {

using config::Version;
using policy::Execution;

namespace {

constexpr Duration join_again = Duration::seconds(1);
constexpr Duration forward_patience = Duration::seconds(30);
constexpr Duration store_retry = Duration::seconds(10);
// How long the others have to take over what a node that wants to leave runs.
constexpr Duration leave_patience = Duration::seconds(20 * 60);

std::uint64_t number_of(const Element& body, std::string_view name) {
  return static_cast<std::uint64_t>(
      std::max<long long>(0, policy::parse_number(body.value(name)).value_or(0)));
}

bool older(const Version& a, const Version& b) {
  return std::pair(a.admin_epoch, a.epoch) < std::pair(b.admin_epoch, b.epoch);
}

bool lists(const Element& body, const std::string& node, const std::string& join) {
  return std::any_of(body.children.begin(), body.children.end(), [&](const Element& member) {
    return member.value("uname") == node && member.value("join") == join;
  });
}

}  // namespace

Controller::Controller(ControllerConfig config, Element cib, std::function<Seconds()> wall)
    : config_(std::move(config)),
      cib_(std::move(cib)),
      wall_(std::move(wall)),
      inbox_(config_.own_name) {
  cib_.child_or_new("configuration");
  cib_.child_or_new("status").children.clear();
}

void Controller::log(Severity severity, std::string text) {
  orders_.log.push_back({severity, std::move(text)});
}

void Controller::send(const std::string& to, const char* kind, const Element& body) {
  Letter letter{config_.own_name, to, kind, config::format_xml(body)};
  if (to == config_.own_name) {
    own_letters_.push_back(std::move(letter));
    return;
  }
  std::vector<membership::Message> parts = membership::cut(letter, ++letters_);
  if (parts.empty()) log(Severity::error, fmt::format("a letter of kind {} is too long", kind));
  for (membership::Message& part : parts)
    orders_.messages.push_back(std::move(part));
}

Orders Controller::take_orders() { return std::exchange(orders_, {}); }

// --- Who is there ----------------------------------------------------------------------------

bool Controller::present(const std::string& node) const {
  if (duty_ && duty_->fenced.contains(node)) return false;
  return node == config_.own_name || view_.others.contains(node);
}

void Controller::see(View view, Instant now) {
  const bool began = view.communication_up && !view_.communication_up;
  const bool same = view == view_;
  view_ = std::move(view);
  if (began) elect_at_ = now + config_.election_wait;
  if (!dc_.empty() && dc_ != config_.own_name && !view_.others.contains(dc_))
    lose_coordinator("it is not there any more", now);
  if (same) return;
  if (duty_) {
    refresh_standing();
    duty_->next_announcement = now;
    replan();
  }
  tick(now);
}

void Controller::node_lost(const std::string& node, bool left, Instant now) {
  inbox_.forget(node);
  view_.others.erase(node);
  if (dc_ == node) lose_coordinator(left ? "it left" : "it is dead", now);
  if (!duty_) return;
  // A node that was never seen stays one.
  if (find_node_state(cib_, node) == nullptr) return;
  log(left ? Severity::info : Severity::warning, fmt::format("Node {} is lost", node));
  Element& state = node_state(cib_, node);
  // Who was heard and never joined did not say what runs there: silence is no goodbye (H2).
  const bool leaves = left || duty_->dismissed.contains(node);
  duty_->joined.erase(node);
  duty_->awaited.erase(node);
  duty_->fenced.erase(node);
  duty_->dismissed.erase(node);
  wipe_transient(state);
  if (leaves) wipe_histories(state);
  set_standing(state, {false, false, "down", leaves ? "down" : "member"});
  steps_of_lost_node(node, now);
  refresh_standing();
  changed();
  replan();
  tick(now);
}

void Controller::node_restarted(const std::string& node, Instant now) {
  inbox_.forget(node);
  if (dc_ == node) lose_coordinator("it has restarted", now);
  if (!duty_) return;
  // What it ran is gone only if it ended in peace; else its new life does not say so, but probes
  // do.
  duty_->joined.erase(node);
  duty_->awaited.erase(node);
  duty_->fenced.erase(node);
  duty_->dismissed.erase(node);
  wipe_transient(node_state(cib_, node));
  steps_of_lost_node(node, now);
  refresh_standing();
  changed();
  replan();
  tick(now);
}

void Controller::was_paused(Instant now) {
  log(Severity::warning, "This node did not run: another one may coordinate by now");
  lose_coordinator("this node did not run", now);
  elect_at_ = now + config_.election_wait;
}

void Controller::lose_coordinator(const char* why, Instant now) {
  if (duty_) {
    for (const PendingEdit& edit : duty_->edits)
      answer(edit.origin, Fault::connection_lost, "the coordinator changed");
    duty_.reset();
  }
  if (!dc_.empty()) log(Severity::info, fmt::format("Unset DC node {}: {}", dc_, why));
  dc_.clear();
  joined_ = false;
  elect_at_ = now;
}

// The first by name of those who are active; whoever coordinates already stays.
void Controller::elect(Instant now) {
  if (!dc_.empty() || config_.voter || leaving_ || !view_.communication_up || now < elect_at_)
    return;
  for (const auto& [name, member] : view_.others) {
    if (member.active && !member.voter && name < config_.own_name) {
      // It has the right, and gets the time.
      if (now < elect_at_ + config_.election_wait) return;
    }
  }
  ++term_;
  dc_ = config_.own_name;
  joined_ = true;
  log(Severity::info, fmt::format("Set DC node to {}.", dc_));
  begin_duty(now);
}

// --- Letters ---------------------------------------------------------------------------------

void Controller::message(const membership::Message& message, Instant now) {
  const std::optional<Letter> letter = inbox_.accept(message);
  if (!letter) return;
  receive(*letter, now);
  tick(now);
}

bool Controller::from_coordinator(const std::string& from, const Element& body) const {
  return from == dc_ && number_of(body, "term") == term_;
}

void Controller::receive(const Letter& letter, Instant now) {
  const Result<Element> parsed = config::parse_xml(letter.text);
  if (!parsed) {
    log(Severity::error, fmt::format("a letter of {} is not XML", letter.from));
    return;
  }
  const Element& body = *parsed;
  const std::string& kind = letter.kind;
  const std::string from = membership::lower_case(letter.from);
  if (kind == "dc") return on_announcement(from, body, now);
  if (kind == "fenced") return on_fenced(from, body, now);
  if (kind == "reply") return on_reply(body);
  if (config_.voter && kind != "cib") return;
  if (kind == "cib" && from_coordinator(from, body)) return on_copy(body, now);
  if (kind == "operate" && from_coordinator(from, body)) return on_operation(body);
  if (kind == "fence" && from_coordinator(from, body)) {
    orders_.fencings.push_back({std::string(body.id()), std::string(body.value("target")),
                                std::string(body.value("action")),
                                policy::parse_number(body.value("delay")).value_or(0)});
    return;
  }
  if (kind == "leave" && from_coordinator(from, body)) {
    left_ = orders_.leave = true;
    return;
  }
  if (!duty_) return;
  if (kind == "join") on_join(from, body, now);
  if (kind == "result") on_result(from, body);
  if (kind == "request" && !body.children.empty())
    on_request({from, number_of(body, "client")}, body.children.front(), now);
}

void Controller::on_announcement(const std::string& from, const Element& body, Instant now) {
  const std::uint64_t term = number_of(body, "term");
  const bool wins = term > term_ || (term == term_ && from < dc_);
  if (dc_ != from && !dc_.empty() && !wins) {
    // The other one hears who has the greater right, and gives up.
    if (duty_) duty_->next_announcement = now;
    return;
  }
  if (dc_ != from || term != term_) {
    if (duty_) lose_coordinator("another one has the greater right", now);
    dc_ = from;
    term_ = term;
    join_.clear();
    next_join_ = now;
    log(Severity::info, fmt::format("Set DC node to {}.", dc_));
  }
  joined_ = !join_.empty() && lists(body, config_.own_name, join_);
  if (joined_ || config_.voter || now < next_join_) return;
  next_join_ = now + join_again;
  join_ = config_.plan_uuid + "." + std::to_string(++joins_);
  Element join{"join", {{"term", std::to_string(term_)}, {"join", join_}}, {}, {}};
  if (!joined_ever_) join.set("fresh", "1");
  const Version theirs = config::version_from(body.value("admin_epoch"), body.value("epoch"),
                                              body.value("num_updates"));
  if (older(theirs, config::version_of(cib_))) {
    Element mine = cib_;
    mine.child_or_new("status").children.clear();
    join.children.push_back(std::move(mine));
  }
  join.children.push_back(own_history_);
  Element attributes{"attributes", {}, {}, {}};
  for (const auto& [name, value] : own_attributes_)
    attributes.children.push_back({"nvpair", {{"name", name}, {"value", value}}, {}, {}});
  join.children.push_back(std::move(attributes));
  send(dc_, "join", join);
}

void Controller::on_copy(const Element& body, Instant now) {
  const Element* theirs = body.child("cib");
  if (theirs == nullptr || duty_) return;
  const Version mine = config::version_of(cib_);
  const Version version = config::version_of(*theirs);
  if (older(version, mine)) {
    // It does not know what this node knows.
    log(Severity::warning, "The coordinator's configuration is older than that of this node");
    joined_ = false;
    join_.clear();
    next_join_ = now;
    return;
  }
  const Element* configuration = theirs->child("configuration");
  const Element* before = cib_.child("configuration");
  const bool other = older(mine, version) || configuration == nullptr || before == nullptr ||
                     config::format_xml(*configuration) != config::format_xml(*before);
  if (other && !older(mine, version) && !before->children.empty())
    log(Severity::warning, "A different configuration of the same version is replaced");
  cib_ = *theirs;
  joined_ever_ = joined_ever_ || joined_;
  if (other) store_copy();
}

void Controller::store_copy() {
  copy_ticket_ = ++tickets_;
  store_again_ = Instant::never();
  orders_.stores.push_back({copy_ticket_, config::stored_text(cib_)});
}

void Controller::stored(std::uint64_t ticket, const Status& status, Instant now) {
  if (!status.ok()) {
    log(Severity::error, fmt::format("CRIT: the configuration can't be stored: {} (errno {})",
                                     replicator::text(status.fault()), status.error_number()));
  }
  if (ticket == copy_ticket_) {
    copy_ticket_ = 0;
    if (!status.ok()) store_again_ = now + store_retry;
  } else if (duty_ && duty_->storing) {
    edit_stored(status, now);
  }
  tick(now);
}

// --- What the coordinator says -----------------------------------------------------------------

void Controller::on_operation(const Element& body) {
  const Element* xml = body.child("rsc_op");
  std::optional<Operation> operation = xml == nullptr ? std::nullopt : operation_of(*xml);
  if (!operation || left_) return;
  operation->node = config_.own_name;
  if (policy::any_of(operation->task, {"cancel", "delete", "lrm_delete", "clear_failcount"}))
    return forget(*operation);
  if (changes_role(operation->task)) {
    // Whoever plans next must know that something is under way.
    drop_monitors(own_history_, operation->resource);
    put_record(own_history_, *operation, pending_record(*operation, wall_()));
  }
  orders_.operations.push_back(std::move(*operation));
}

// What no agent is asked about.
void Controller::forget(const Operation& operation) {
  if (operation.task == "cancel") drop_record(own_history_, operation);
  else if (operation.task == "clear_failcount") drop_failures(own_history_, operation.resource);
  else drop_resource(own_history_, operation.resource);
  if (operation.task != "clear_failcount") orders_.operations.push_back(operation);
  Outcome outcome;
  outcome.result = operation.expected;
  outcome.when = wall_();
  report(operation, outcome, nullptr);
}

void Controller::operation_done(const Operation& operation, const Outcome& outcome, Instant now) {
  const Element record = record_of(operation, outcome, ++call_);
  const bool kept = operation.task != "notify";
  if (kept) put_record(own_history_, operation, record);
  if (!outcome.good(operation.expected) && outcome.execution != Execution::canceled) {
    log(Severity::warning,
        fmt::format("{} on {} returned {}{}{}", operation.key(), config_.own_name, outcome.result,
                    outcome.execution == Execution::timed_out ? " (Timed Out)" : "",
                    outcome.reason.empty() ? "" : ": " + outcome.reason));
  }
  report(operation, outcome, &record);
  tick(now);
}

void Controller::report(const Operation& operation, const Outcome& outcome, const Element* record) {
  if (dc_.empty()) return;  // it will be told with the join
  Element body{"result",
               {{"result", std::to_string(outcome.result)},
                {"execution", std::to_string(static_cast<int>(outcome.execution))},
                {"when", std::to_string(outcome.when)},
                {"reason", outcome.reason}},
               {},
               {}};
  Operation bare = operation;
  bare.parameters.clear();
  for (const char* name : {"CRM_meta_notify_type", "CRM_meta_notify_operation"}) {
    if (const auto found = operation.parameters.find(name); found != operation.parameters.end())
      bare.parameters.insert(*found);
  }
  body.children.push_back(to_xml(bare));
  if (record != nullptr) body.children.push_back(*record);
  send(dc_, "result", body);
}

void Controller::fencing_done(const FenceOrder& order, bool good, const std::string& by,
                              Instant now) {
  // Everybody hears it: whoever coordinates by then, and the target, should it still be there.
  Element body{"fenced",
               {{"id", order.id},
                {"target", order.target},
                {"action", order.action},
                {"device", by},
                {"good", good ? "1" : "0"}},
               {},
               {}};
  send("", "fenced", body);
  on_fenced(config_.own_name, body, now);
  tick(now);
}

// --- Going -----------------------------------------------------------------------------------

void Controller::shut_down(Instant now) {
  if (leaving_) return;
  leaving_ = true;
  leave_at_ = now + leave_patience;
  if (config_.voter || (dc_.empty() && own_history_.children.empty())) {
    left_ = orders_.leave = true;
    // Nobody has asked yet what an earlier life may have left running here.
    orders_.in_peace = config_.voter || joined_ever_;
    return;
  }
  own_attributes_["shutdown"] = std::to_string(wall_());
  Element wish{"attribute",
               {{"node", config_.own_name},
                {"name", "shutdown"},
                {"value", own_attributes_["shutdown"]},
                {"lifetime", "reboot"}},
               {},
               {}};
  if (duty_) on_request({config_.own_name, 0}, wish, now);
  else if (!dc_.empty()) forward(0, wish, now);
  tick(now);
}

// --- Time ------------------------------------------------------------------------------------

void Controller::tick(Instant now) {
  if (receiving_) return;
  receiving_ = true;
  elect(now);
  for (;;) {
    while (!own_letters_.empty()) {
      const Letter letter = std::move(own_letters_.front());
      own_letters_.pop_front();
      receive(letter, now);
    }
    if (duty_) {
      if (now >= duty_->next_announcement) announce(now);
      if (now >= duty_->next_check) {
        duty_->next_check = Instant::never();
        replan();
      }
      expire_steps(now);
      check_ready(now);
      consider(now);
      copy(now);
    }
    if (own_letters_.empty()) break;
  }
  for (auto at = forwarded_.begin(); at != forwarded_.end();) {
    if (now < at->second.until) {
      ++at;
      continue;
    }
    answer({config_.own_name, at->second.client}, Fault::timed_out,
           "the coordinator does not answer");
    at = forwarded_.erase(at);
  }
  if (now >= store_again_) store_copy();
  if (now >= leave_at_) {
    leave_at_ = Instant::never();
    log(Severity::error, "CRIT: this node could not be emptied in time and ends as it is");
    orders_.fenced = true;
  }
  receiving_ = false;
}

Instant Controller::next_tick() const noexcept {
  Instant first = std::min(store_again_, leave_at_);
  if (dc_.empty() && view_.communication_up && !config_.voter && !leaving_) {
    first = std::min(first, elect_at_);
    first = std::min(first, elect_at_ + config_.election_wait);
  }
  for (const auto& [number, forwarded] : forwarded_)
    first = std::min(first, forwarded.until);
  if (!duty_) return first;
  first = std::min(first, duty_->next_announcement);
  first = std::min(first, duty_->next_check);
  if (!duty_->ready) first = std::min(first, duty_->integrate_until);
  if (duty_->changed) first = std::min(first, duty_->next_copy);
  for (const auto& [node, until] : duty_->awaited)
    first = std::min(first, until);
  for (const auto& [step, deadline] : duty_->deadlines)
    first = std::min(first, deadline);
  return first;
}

void Controller::forward(std::uint64_t client, const Element& what, Instant now) {
  const std::uint64_t number = ++forwards_;
  forwarded_[number] = {client, now + forward_patience};
  send(dc_, "request", {"request", {{"client", std::to_string(number)}}, {what}, {}});
}

void Controller::on_reply(const Element& body) {
  const auto found = forwarded_.find(number_of(body, "client"));
  if (found == forwarded_.end()) return;
  const std::uint64_t client = found->second.client;
  forwarded_.erase(found);
  answer({config_.own_name, client}, static_cast<Fault>(number_of(body, "fault")),
         std::string(body.value("text")));
}

}  // namespace ha::controller
