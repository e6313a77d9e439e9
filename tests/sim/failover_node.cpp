#include "tests/sim/failover_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ha/config/store.hpp"
#include "ha/config/xml.hpp"

namespace replicator::sim {

using ha::controller::Controller;
using ha::controller::FenceOrder;
using ha::controller::Operation;
using ha::controller::Outcome;
using ha::controller::StoreOrder;
using ha::membership::Effects;
using ha::membership::Event;
using ha::membership::EventKind;
using ha::membership::Severity;

namespace {

constexpr Duration storing_takes = Duration::milliseconds(8);
constexpr std::int64_t epoch = 1'700'000'000;

ha::membership::AuthKeys keys() {
  using ha::membership::AuthKey;
  return ha::membership::AuthKeys({AuthKey{1, ha::membership::AuthMethod::crc, ""}}, 1);
}

ha::membership::MembershipConfig membership_config(const Node& node,
                                                   const FailoverProgramOptions& options) {
  ha::membership::MembershipConfig config;
  config.own_name = node.name();
  config.own_uuid = std::string(16, node.name().back());
  config.nodes = options.cf.nodes;
  config.links = {"eth0", "eth1"};
  for (const auto& ping : options.cf.ping_nodes)
    config.ping_nodes.push_back(ping.name);
  config.keepalive = options.cf.keepalive;
  config.warntime = options.cf.warntime;
  config.deadtime = options.cf.deadtime;
  config.initdead = options.cf.initdead;
  config.deadping = options.cf.deadping;
  config.generation = options.generation;
  config.voter = options.voter;
  config.lease = options.cf.lease;
  return config;
}

}  // namespace

FailoverProgram::FailoverProgram(Node& node, SimDatagrams& datagrams, FailoverMachine& machine,
                                 FailoverSurroundings& surroundings, FailoverProgramOptions options)
    : node_(node),
      machine_(machine),
      surroundings_(surroundings),
      options_(std::move(options)),
      network_(datagrams.interface_of(node.id())),
      membership_(membership_config(node, options_), keys(),
                  [] { return ha::membership::Stamp(); }),
      flow_(node.io().clock, *network_, membership_,
            [this](const Effects& effects) { observe(effects); }),
      guard_(node.io().clock, options_.cf, node.name(), membership_, options_.voter, guard_hooks()),
      attendance_(membership_, guard_),
      operations_(
          node.io().clock, *this,
          [this](const Operation& operation, const Outcome& outcome) {
            controller_->operation_done(operation, outcome, now());
            carry();
          },
          [this] { return epoch + node_.world().now().nanoseconds() / 1'000'000'000; }) {
  ha::controller::ControllerConfig config;
  config.own_name = node.name();
  config.nodes = options_.cf.nodes;
  config.voter = options_.voter;
  config.plan_uuid = fmt::format("{}-{}", node.name(), options_.life);
  ha::config::Element root = *ha::config::parse_xml(surroundings_.stored(node.name()));
  controller_ = std::make_unique<Controller>(config, std::move(root), [this] {
    return epoch + node_.world().now().nanoseconds() / 1'000'000'000;
  });
  const std::vector<ha::membership::LinkPlan> links{{0, {.interface = "eth0", .to = {}}},
                                                    {1, {.interface = "eth1", .to = {}}}};
  static_cast<void>(flow_.open(links, {}));
  static_cast<void>(guard_.open());
  operations_.start();
  tasks_.start(follow_clock());
  flow_.start();
  guard_.start();
  if (!options_.cf.ping_nodes.empty()) tasks_.start(ping());
}

void FailoverProgram::log(Severity /*severity*/, const std::string& text) {
  if (node_.world().recording()) node_.world().record(node_.id(), text);
}

ha::daemon::Guard::Hooks FailoverProgram::guard_hooks() {
  ha::daemon::Guard::Hooks hooks;
  hooks.holds = [this] { return controller_->holds(); };
  hooks.looked = [this] { after_look(); };
  hooks.overdue = [this] { surroundings_.power_off(node_.name(), "could not stop in time"); };
  hooks.flush = [this] { flow_.flush(); };
  hooks.log = [this](Severity severity, const std::string& text) { log(severity, text); };
  hooks.fed = [this] { surroundings_.fed(node_.name()); };
  return hooks;
}

// The same steps as in the daemon.
void FailoverProgram::observe(const Effects& effects) {
  for (const ha::membership::LogLine& line : effects.log)
    log(line.severity, line.text);
  for (const Event& event : effects.events) {
    const bool died = event.kind == EventKind::node_died && !event.left;
    const bool pinged = std::find(options_.cf.nodes.begin(), options_.cf.nodes.end(), event.node) ==
                        options_.cf.nodes.end();
    if (!died || pinged || !attendance_.withhold(event.node)) on_event(event);
  }
  controller_->see(attendance_.view(), now());
  for (const ha::membership::Message& message : effects.messages) {
    if (!guard_.cut_off()) controller_->message(message, now());
  }
  controller_->see(attendance_.view(), now());
  carry();
}

void FailoverProgram::on_event(const Event& event) {
  if (event.kind == EventKind::node_died) controller_->node_lost(event.node, event.left, now());
  else if (event.kind == EventKind::node_restarted) controller_->node_restarted(event.node, now());
  else if (event.kind == EventKind::was_paused) controller_->was_paused(now());
}

void FailoverProgram::after_look() {
  for (const ha::daemon::Attendance::Settled& settled : attendance_.settle()) {
    if (!settled.dead) continue;
    log(Severity::info, fmt::format("The lease of {} has ended", settled.node));
    controller_->node_lost(settled.node, false, now());
  }
  controller_->see(attendance_.view(), now());
  carry();
}

void FailoverProgram::carry() {
  if (carrying_) return;
  carrying_ = true;
  for (;;) {
    ha::controller::Orders orders = controller_->take_orders();
    if (orders.empty()) break;
    for (const ha::membership::LogLine& line : orders.log)
      log(line.severity, line.text);
    if (orders.fenced) surroundings_.power_off(node_.name(), "heard that it was fenced");
    for (ha::membership::Message& message : orders.messages)
      static_cast<void>(membership_.send(std::move(message), now()));
    for (Operation& operation : orders.operations)
      operations_.submit(std::move(operation));
    for (StoreOrder& order : orders.stores)
      tasks_.start(store(std::move(order)));
    for (FenceOrder& order : orders.fencings)
      tasks_.start(fence(std::move(order)));
    if (orders.leave) {
      if (orders.in_peace) membership_.leave(now());
      surroundings_.leave(node_.name(), orders.in_peace);
    }
  }
  carrying_ = false;
  flow_.flush();
  if (sleeping_ != nullptr) node_.io().clock.wake(*sleeping_);
}

Task<void> FailoverProgram::follow_clock() {
  for (;;) {
    controller_->tick(now());
    carry();
    const Instant latest = now() + Duration::milliseconds(500);
    const Instant soonest = now() + Duration::milliseconds(2);
    const Instant until = std::max(soonest, std::min(latest, controller_->next_tick()));
    io::Op op;
    sleeping_ = &op;
    node_.io().clock.sleep_until(op, until);
    co_await op;
    sleeping_ = nullptr;
  }
}

Task<void> FailoverProgram::ping() {
  for (;;) {
    io::Op op;
    node_.io().clock.sleep(op, options_.cf.keepalive);
    co_await op;
    if (!surroundings_.ping_answers(node_.name())) continue;
    membership_.ping_answered(0, now());
    flow_.flush();
  }
}

Task<void> FailoverProgram::store(StoreOrder order) {
  io::Op op;
  node_.io().clock.sleep(op, storing_takes);
  co_await op;
  surroundings_.stored(node_.name()) = order.text;
  controller_->stored(order.ticket, Status(), now());
  carry();
}

Task<void> FailoverProgram::fence(FenceOrder order) {
  const Duration takes = surroundings_.fencing_takes(order.target) + Duration::seconds(order.delay);
  io::Op op;
  node_.io().clock.sleep(op, takes);
  co_await op;
  const bool good = surroundings_.fence(node_.name(), order.target);
  controller_->fencing_done(order, good, "model", now());
  carry();
}

Task<Outcome> FailoverProgram::run(Operation operation) {
  const FailoverMachine::Plan plan = machine_.begin(operation);
  if (node_.world().recording())
    log(Severity::info, fmt::format("executing {}{}", operation.key(),
                                    plan.hangs ? " (hangs)" : (plan.fails ? " (fails)" : "")));
  io::Op op;
  node_.io().clock.sleep(op, plan.takes);
  co_await op;
  const Outcome outcome = machine_.finish(operation, plan);
  co_return outcome;
}

void FailoverProgram::request(const std::string& xml) {
  controller_->request(++clients_, *ha::config::parse_xml(xml), now());
  carry();
}

void FailoverProgram::shut_down() {
  controller_->shut_down(now());
  carry();
}

}  // namespace replicator::sim
