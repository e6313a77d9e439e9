// Clusters of controllers in virtual time: messages, agents and fence devices are models that can
// be slow, fail and be cut off. What runs where is looked at after every event.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "ha/config/xml.hpp"
#include "ha/controller/controller.hpp"
#include "ha/membership/quorum.hpp"

namespace ha::controller {

class Model {
 public:
  struct Node {
    std::unique_ptr<Controller> controller;
    std::string disk;               // the stored configuration
    std::set<std::string> running;  // resources active here
    std::set<std::string> promoted;
    std::map<std::string, Operation> monitors;
    std::map<std::string, std::int64_t> free;  // when the last operation ends
    std::map<std::string, int> fail;           // what an operation ("web_start_0") returns instead
    std::uint64_t life = 0;                    // what was begun in an earlier one comes to nothing
    bool up = false;
    bool left = false;
    std::vector<Answer> answers;
    std::vector<std::string> log;
  };

  explicit Model(std::vector<std::string> names, std::uint64_t seed = 1)
      : names_(std::move(names)), random_(seed) {}

  void boot(const std::string& name, const std::string& cib = {}) {
    Node& node = nodes_[name];
    if (!cib.empty()) node.disk = cib;
    ++node.life;
    node.up = true;
    node.left = false;
    ControllerConfig config;
    config.own_name = name;
    config.nodes = names_;
    config.plan_uuid = name + "-" + std::to_string(node.life);
    Element root = config::empty_cib();
    if (!node.disk.empty()) root = *config::parse_xml(node.disk);
    node.controller = std::make_unique<Controller>(config, std::move(root),
                                                   [this] { return 1'000'000 + ms_ / 1000; });
    for (auto& [other, state] : nodes_) {
      if (other != name && state.up && connected(name, other))
        later(1, other,
              [this, other, name] { node_of(other).controller->node_restarted(name, now()); });
    }
    views();
    drain();
  }
  // The power is cut.
  void kill(const std::string& name) {
    Node& node = nodes_[name];
    node.up = false;
    ++node.life;
    node.running.clear();
    node.promoted.clear();
    node.monitors.clear();
    node.controller.reset();
    for (auto& [other, state] : nodes_) {
      if (state.up && connected(name, other)) lose(other, name, node.left);
    }
  }
  void cut(const std::string& a, const std::string& b) {
    cuts_.insert({a, b});
    cuts_.insert({b, a});
    lose(a, b, false);
    lose(b, a, false);
  }
  void mend() {
    cuts_.clear();
    views();
  }
  void request(const std::string& name, const Element& what) {
    nodes_[name].controller->request(++clients_, what, now());
    drain();
  }
  void request(const std::string& name, const std::string& xml) {
    request(name, *config::parse_xml(xml));
  }
  void shut_down(const std::string& name) {
    nodes_[name].controller->shut_down(now());
    drain();
  }
  void monitor_fails(const std::string& name, const std::string& resource) {
    Node& node = nodes_[name];
    node.running.erase(resource);
    for (const auto& [key, operation] : std::map<std::string, Operation>(node.monitors)) {
      if (operation.resource != resource) continue;
      Outcome outcome;
      outcome.result = 7;
      outcome.when = 1'000'000 + ms_ / 1000;
      node.controller->operation_done(operation, outcome, now());
    }
    drain();
  }
  void run(int milliseconds) {
    const std::int64_t end = ms_ + milliseconds;
    while (ms_ < end) {
      ms_ = std::min(end, next_event(end));
      while (!events_.empty() && events_.begin()->first <= ms_) {
        const std::function<void()> event = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        event();
        drain();
      }
      for (const std::string& name : names_) {
        Node& node = nodes_[name];
        if (node.up && now() >= node.controller->next_tick()) node.controller->tick(now());
      }
      drain();
    }
  }

  Node& node_of(const std::string& name) { return nodes_[name]; }
  [[nodiscard]] std::string where(const std::string& resource) {
    std::string list;
    for (const std::string& name : names_) {
      if (nodes_[name].running.contains(resource)) list += (list.empty() ? "" : " ") + name;
    }
    return list;
  }
  [[nodiscard]] std::string promoted(const std::string& resource) {
    std::string list;
    for (const std::string& name : names_) {
      if (nodes_[name].promoted.contains(resource)) list += (list.empty() ? "" : " ") + name;
    }
    return list;
  }
  [[nodiscard]] std::string coordinators() {
    std::string list;
    for (const std::string& name : names_) {
      if (nodes_[name].up && nodes_[name].controller->coordinates())
        list += (list.empty() ? "" : " ") + name;
    }
    return list;
  }
  [[nodiscard]] Instant now() const { return Instant(0) + Duration::milliseconds(ms_ + 1); }

  bool fencing_works = true;
  int fencings = 0;
  int operation_ms = 20;
  bool random_times = false;
  // Looked at after each event.
  std::function<void()> audit;
  std::vector<std::string> done;  // "web_start_0@n1"

 private:
  [[nodiscard]] bool connected(const std::string& a, const std::string& b) const {
    return !cuts_.contains({a, b});
  }
  void later(int ms, const std::string& name, std::function<void()> what) {
    const std::uint64_t life = nodes_[name].life;
    events_.emplace(ms_ + ms, [this, name, life, what = std::move(what)] {
      if (nodes_[name].up && nodes_[name].life == life) what();
    });
  }
  int spread(int ms) {
    return random_times ? 1 + static_cast<int>(random_.next() % static_cast<std::uint64_t>(3 * ms))
                        : ms;
  }
  std::int64_t next_event(std::int64_t end) {
    std::int64_t first = events_.empty() ? end : events_.begin()->first;
    for (const std::string& name : names_) {
      Node& node = nodes_[name];
      if (!node.up) continue;
      const Instant tick = node.controller->next_tick();
      if (tick == Instant::never()) continue;
      first = std::min(first, std::max(ms_ + 1, (tick - Instant(0)).milliseconds()));
    }
    return std::max(first, ms_ + (events_.empty() ? 1 : 0));
  }
  // After the deadtime.
  void lose(const std::string& at, const std::string& gone, bool left) {
    later(left ? 1 : 500, at, [this, at, gone, left] {
      nodes_[at].controller->node_lost(gone, left, now());
      see(at);
    });
  }
  void see(const std::string& name) {
    View view;
    view.communication_up = true;
    std::size_t present = 1;
    for (const std::string& other : names_) {
      if (other == name || !nodes_[other].up || nodes_[other].left || !connected(name, other))
        continue;
      view.others[other] = {true, false};
      ++present;
    }
    view.quorum = membership::has_quorum(names_.size(), present);
    nodes_[name].controller->see(std::move(view), now());
  }
  void views() {
    for (const std::string& name : names_) {
      if (nodes_[name].up) later(2, name, [this, name] { see(name); });
    }
  }
  void drain() {
    for (bool any = true; any;) {
      any = false;
      for (const std::string& name : names_) {
        Node& node = nodes_[name];
        while (node.up) {
          Orders orders = node.controller->take_orders();
          if (orders.empty()) break;
          any = true;
          carry(name, node, std::move(orders));
        }
      }
    }
    if (audit) audit();
  }
  void carry(const std::string& name, Node& node, Orders orders) {
    for (const membership::LogLine& line : orders.log)
      node.log.push_back(line.text);
    for (membership::Message& message : orders.messages) {
      message.set("src", name);
      for (const std::string& other : names_) {
        if (other == name || !nodes_[other].up || !connected(name, other)) continue;
        later(1, other,
              [this, other, message] { nodes_[other].controller->message(message, now()); });
      }
    }
    for (const Operation& operation : orders.operations)
      operate(name, node, operation);
    for (const StoreOrder& order : orders.stores) {
      later(5, name, [this, name, order] {
        nodes_[name].disk = order.text;
        nodes_[name].controller->stored(order.ticket, Status(), now());
      });
    }
    for (const FenceOrder& order : orders.fencings)
      fence(name, order);
    for (const Answer& answer : orders.answers)
      node.answers.push_back(answer);
    if (orders.leave) {
      node.left = true;
      kill(name);
    } else if (orders.fenced) {
      kill(name);
    }
  }
  void fence(const std::string& name, const FenceOrder& order) {
    later(spread(50), name, [this, name, order] {
      const bool good = fencing_works;
      if (good) {
        ++fencings;
        if (nodes_[order.target].up) kill(order.target);
      }
      nodes_[name].controller->fencing_done(order, good, "model", now());
    });
  }
  void operate(const std::string& name, Node& node, const Operation& operation) {
    if (operation.task == "cancel") {
      node.monitors.erase(operation.key());
      return;
    }
    if (operation.task == "delete" || operation.task == "lrm_delete") return;
    const bool changes = operation.task != "monitor" && operation.task != "notify";
    if (changes) {
      std::erase_if(node.monitors,
                    [&](const auto& each) { return each.second.resource == operation.resource; });
    }
    // One after the other for each resource. A start takes effect when it begins.
    std::int64_t& free = node.free[operation.resource];
    if (operation.task == "start" && !node.fail.contains(operation.key())) {
      later(static_cast<int>(std::max<std::int64_t>(0, free - ms_)), name,
            [this, name, operation] { nodes_[name].running.insert(operation.resource); });
    }
    free = std::max(free, ms_) + spread(operation_ms);
    later(static_cast<int>(free - ms_), name, [this, name, operation] { ended(name, operation); });
  }
  void ended(const std::string& name, const Operation& operation) {
    Node& node = nodes_[name];
    Outcome outcome;
    outcome.when = 1'000'000 + ms_ / 1000;
    const auto failure = node.fail.find(operation.key());
    if (failure != node.fail.end()) {
      outcome.result = failure->second;
    } else if (operation.task == "stop") {
      node.running.erase(operation.resource);
      node.promoted.erase(operation.resource);
    } else if (operation.task == "promote") {
      node.promoted.insert(operation.resource);
    } else if (operation.task == "demote") {
      node.promoted.erase(operation.resource);
    } else if (operation.task == "monitor") {
      outcome.result = node.promoted.contains(operation.resource)
                           ? 8
                           : (node.running.contains(operation.resource) ? 0 : 7);
      if (operation.interval > 0) node.monitors[operation.key()] = operation;
    }
    done.push_back(operation.key() + "@" + name);
    node.controller->operation_done(operation, outcome, now());
  }

  std::vector<std::string> names_;
  std::map<std::string, Node> nodes_;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::multimap<std::int64_t, std::function<void()>> events_;
  std::int64_t ms_ = 0;
  std::uint64_t clients_ = 0;
  replicator::Prng random_;
};

}  // namespace ha::controller
