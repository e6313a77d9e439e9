// The operations of a node: one after the other for each resource, side by side otherwise; monitors
// again and again until they are ended.
#include "ha/executor/operations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "uring/reactor.hpp"

namespace ha::executor {
namespace {

namespace io = replicator::io;

class Agents final : public Runner {
 public:
  explicit Agents(replicator::uring::Reactor& reactor) : reactor_(reactor) {}

  replicator::Task<Outcome> run(Operation operation) override {
    const std::string key = operation.key();
    begun.push_back(key);
    overlapped = overlapped || busy[operation.resource];
    busy[operation.resource] = true;
    const Duration duration =
        Duration::milliseconds(milliseconds.contains(key) ? milliseconds[key] : 1);
    io::Op op;
    reactor_.world().clock.sleep(op, duration);
    co_await op;
    busy[operation.resource] = false;
    Outcome outcome;
    outcome.result = results[key];
    co_return outcome;
  }

  std::vector<std::string> begun;
  std::map<std::string, bool> busy;
  std::map<std::string, int> milliseconds;
  std::map<std::string, int> results;
  bool overlapped = false;

 private:
  replicator::uring::Reactor& reactor_;
};

class NodeOperations : public testing::Test {
 protected:
  NodeOperations() {
    replicator::uring::ReactorOptions options;
    options.helper.clear();
    options.buffer_bytes = 1U << 20U;
    reactor_ = std::move(*replicator::uring::Reactor::create(options));
    agents_ = std::make_unique<Agents>(*reactor_);
    operations_ = std::make_unique<Operations>(
        reactor_->world().clock, *agents_,
        [this](const Operation& operation, const Outcome& outcome) {
          told_.push_back(operation.key() + "=" + std::to_string(outcome.result));
        },
        [] { return policy::Seconds(1); });
    reactor_->run_task(begin(*operations_));
  }
  ~NodeOperations() override { reactor_->run_task(operations_->stop()); }

  static Operation operation(const std::string& resource, const std::string& task,
                             std::uint32_t interval = 0) {
    Operation made;
    made.resource = resource;
    made.task = task;
    made.interval = interval;
    if (task == "cancel") made.canceled_task = "monitor";
    return made;
  }
  // In the reactor, as everything that submits is.
  static replicator::Task<void> submit_all(Operations& operations, std::vector<Operation> all) {
    for (Operation& each : all)
      operations.submit(std::move(each));
    co_return;
  }
  static replicator::Task<void> begin(Operations& operations) {
    operations.start();
    co_return;
  }
  void submit(std::vector<Operation> all) {
    reactor_->run_task(submit_all(*operations_, std::move(all)));
  }
  static replicator::Task<void> rest(io::Clock& clock, Duration duration) {
    io::Op op;
    clock.sleep(op, duration);
    co_await op;
  }
  void pause(int milliseconds) {
    reactor_->run_task(rest(reactor_->world().clock, Duration::milliseconds(milliseconds)));
  }
  template <class Condition>
  void until(const Condition& condition) {
    for (int i = 0; i < 4000 && !condition(); ++i)
      pause(5);
    ASSERT_TRUE(condition());
  }
  [[nodiscard]] long begun(const std::string& key) const {
    return std::count(agents_->begun.begin(), agents_->begun.end(), key);
  }

  std::unique_ptr<replicator::uring::Reactor> reactor_;
  std::unique_ptr<Agents> agents_;
  std::unique_ptr<Operations> operations_;
  std::vector<std::string> told_;
};

TEST_F(NodeOperations, OneAfterTheOtherForEachResource) {
  agents_->milliseconds["slow_start_0"] = 50;
  submit({operation("slow", "start"), operation("slow", "promote"), operation("web", "start")});
  until([&] { return told_.size() == 3; });
  EXPECT_EQ(told_,
            (std::vector<std::string>{"web_start_0=0", "slow_start_0=0", "slow_promote_0=0"}));
  EXPECT_FALSE(agents_->overlapped);
  EXPECT_FALSE(operations_->busy());
}

TEST_F(NodeOperations, AMonitorTellsWhatIsNew) {
  submit({operation("web", "monitor", 5)});
  until([&] { return begun("web_monitor_5") >= 5; });
  EXPECT_EQ(told_, std::vector<std::string>{"web_monitor_5=0"});
  agents_->results["web_monitor_5"] = 7;
  until([&] { return told_.size() == 2; });
  EXPECT_EQ(told_.back(), "web_monitor_5=7");
}

TEST_F(NodeOperations, ACanceledMonitorEnds) {
  submit({operation("web", "monitor", 5)});
  until([&] { return begun("web_monitor_5") >= 2; });
  submit({operation("web", "cancel", 5)});
  const long before = begun("web_monitor_5");
  pause(40);
  EXPECT_EQ(begun("web_monitor_5"), before);
}

TEST_F(NodeOperations, WhatChangesTheResourceEndsItsMonitors) {
  submit({operation("web", "monitor", 5), operation("db", "monitor", 5)});
  until([&] { return begun("web_monitor_5") >= 2; });
  submit({operation("web", "notify"), operation("web", "monitor"), operation("web", "stop")});
  until([&] { return told_.back() == "web_stop_0=0"; });
  const long before = begun("web_monitor_5");
  const long others = begun("db_monitor_5");
  pause(40);
  EXPECT_EQ(begun("web_monitor_5"), before);
  EXPECT_GT(begun("db_monitor_5"), others);
}

}  // namespace
}  // namespace ha::executor
