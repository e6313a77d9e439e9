#include "ha/executor/operations.hpp"

#include <algorithm>
#include <utility>

namespace ha::executor {

namespace io = replicator::io;
using replicator::Task;

namespace {

constexpr Duration longest_sleep = Duration::seconds(3600);

bool only_asks(const Operation& operation) {
  return operation.task == "monitor" || operation.task == "notify";
}

bool differs(const Outcome& a, const Outcome& b) {
  return a.result != b.result || a.execution != b.execution;
}

}  // namespace

Operations::Operations(io::Clock& clock, Runner& runner, Done done,
                       std::function<policy::Seconds()> wall)
    : clock_(clock), runner_(runner), done_(std::move(done)), wall_(std::move(wall)) {}

bool Operations::busy() const noexcept {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane.second->working || !lane.second->queue.empty();
  });
}

void Operations::end_monitors(Lane& lane, const std::string* key) {
  for (auto at = lane.monitors.begin(); at != lane.monitors.end();) {
    if (key != nullptr && at->first != *key) {
      ++at;
      continue;
    }
    const std::uint64_t number = at->second.number;
    std::erase_if(lane.queue, [&](const Work& work) { return work.monitor == number; });
    at = lane.monitors.erase(at);
  }
}

void Operations::submit(Operation operation) {
  if (stopping_) return;
  std::unique_ptr<Lane>& place = lanes_[operation.resource];
  if (!place) place = std::make_unique<Lane>();
  Lane& lane = *place;
  const std::string key = operation.key();
  if (operation.task == "cancel") return end_monitors(lane, &key);
  if (operation.task == "delete" || operation.task == "lrm_delete")
    return end_monitors(lane, nullptr);
  if (!operation.recurring()) {
    if (!only_asks(operation)) end_monitors(lane, nullptr);
    return push(lane, {std::move(operation), clock_.now(), 0});
  }
  end_monitors(lane, &key);
  Monitor& monitor = lane.monitors[key];
  monitor.operation = operation;
  monitor.number = ++monitors_;
  if (operation.start_delay > 0) {
    monitor.due = clock_.now() + Duration::milliseconds(operation.start_delay);
    return wake();
  }
  push(lane, {std::move(operation), clock_.now(), monitor.number});
}

void Operations::push(Lane& lane, Work work) {
  lane.queue.push_back(std::move(work));
  if (!lane.working) {
    lane.working = true;
    tasks_.start(this->work(lane));
  }
}

Task<void> Operations::work(Lane& lane) {
  while (!lane.queue.empty()) {
    const Work work = std::move(lane.queue.front());
    lane.queue.pop_front();
    const Instant began = clock_.now();
    const policy::Seconds when = wall_();
    Operation copy = work.operation;
    Outcome outcome = co_await runner_.run(std::move(copy));
    outcome.when = when;
    outcome.queued = (began - work.since).milliseconds();
    outcome.ran = (clock_.now() - began).milliseconds();
    finish(lane, work, outcome);
  }
  lane.working = false;
}

void Operations::finish(Lane& lane, const Work& work, const Outcome& outcome) {
  if (work.monitor == 0) return done_(work.operation, outcome);
  const auto found =
      std::find_if(lane.monitors.begin(), lane.monitors.end(),
                   [&](const auto& each) { return each.second.number == work.monitor; });
  // It was ended while it ran.
  if (found == lane.monitors.end()) return;
  Monitor& monitor = found->second;
  const bool news = !monitor.last || differs(*monitor.last, outcome);
  monitor.last = outcome;
  monitor.due = clock_.now() + Duration::milliseconds(work.operation.interval);
  wake();
  if (news) done_(work.operation, outcome);
}

Instant Operations::next_due() const {
  Instant first = Instant::never();
  for (const auto& [resource, lane] : lanes_) {
    for (const auto& [key, monitor] : lane->monitors)
      first = std::min(first, monitor.due);
  }
  return first;
}

void Operations::wake() {
  if (sleeping_ != nullptr) clock_.wake(*sleeping_);
}

// What begins may end at once, and change the list of monitors.
void Operations::begin_due(Instant now) {
  std::vector<std::pair<Lane*, Work>> due;
  for (const auto& [resource, lane] : lanes_) {
    for (auto& [key, monitor] : lane->monitors) {
      if (now < monitor.due) continue;
      monitor.due = Instant::never();
      due.emplace_back(lane.get(), Work{monitor.operation, now, monitor.number});
    }
  }
  for (auto& [lane, work] : due)
    push(*lane, std::move(work));
}

Task<void> Operations::follow_clock() {
  while (!stopping_) {
    const Instant now = clock_.now();
    begin_due(now);
    io::Op op;
    sleeping_ = &op;
    clock_.sleep_until(op, std::min(next_due(), now + longest_sleep));
    co_await op;
    sleeping_ = nullptr;
  }
}

Task<void> Operations::stop() {
  stopping_ = true;
  for (const auto& [resource, lane] : lanes_) {
    lane->queue.clear();
    lane->monitors.clear();
  }
  wake();
  co_await tasks_.close();
}

}  // namespace ha::executor
