#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace replicator::sim {

namespace {

constexpr std::uint64_t resumes_without_time = 2'000'000;
constexpr std::size_t recorder_lines = 200;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const auto wide = static_cast<unsigned __int128>(a ^ 0x2d358dccaa6c78a5ULL) *
                    static_cast<unsigned __int128>(b ^ 0x8bb84b93962eacc9ULL);
  return static_cast<std::uint64_t>(wide) ^ static_cast<std::uint64_t>(wide >> 64U);
}

}  // namespace

const char* name(FailureKind kind) noexcept {
  switch (kind) {
    case FailureKind::none: return "none";
    case FailureKind::safety: return "safety";
    case FailureKind::liveness: return "liveness";
    case FailureKind::error_line: return "error-line";
    case FailureKind::simulator: return "simulator";
  }
  return "?";
}

World::World(std::uint64_t seed) : seed_(seed) {
  queue_.reserve(1024);
  add_node("-");
  outermost_ = std::make_unique<As>(*this, outside);
  log::set_sink([](void* context, log::Level level,
                   std::string_view text) { static_cast<World*>(context)->line(level, text); },
                this);
  log::set_level(log::Level::warning);
}

World::~World() {
  log::set_sink(nullptr, nullptr);
  log::set_level(log::Level::info);
}

Prng World::stream(std::string_view component) const noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ seed_;
  for (const char c : component) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return Prng(mix(hash, seed_));
}

NodeId World::add_node(std::string node_name) {
  nodes_.push_back(std::make_unique<NodeContext>());
  nodes_.back()->name = std::move(node_name);
  return static_cast<NodeId>(nodes_.size() - 1);
}

const std::string& World::node_name(NodeId node) const noexcept { return nodes_[node]->name; }

void World::pause(NodeId node, Instant until) noexcept {
  nodes_[node]->paused_until = std::max(nodes_[node]->paused_until, until);
}

World::As::As(World& world, NodeId node) noexcept
    : world_(world), previous_(world.running_as_), scope_(world.nodes_[node]->queue) {
  world_.running_as_ = node;
}
World::As::~As() { world_.running_as_ = previous_; }

void World::at(Instant when, NodeId node, EventTarget& target, std::uint64_t tag) {
  const Instant time = std::max(when, now_);
  queue_.push_back(Entry{time.nanoseconds(), sequence_++, &target, tag, node});
  std::push_heap(queue_.begin(), queue_.end(), Later());
}

void World::Actions::fire(std::uint64_t tag) {
  const std::function<void()> action = std::move(slots[tag]);
  action();
}

void World::at(Instant when, std::function<void()> action) {
  actions_.slots.push_back(std::move(action));
  at(when, outside, actions_, actions_.slots.size() - 1);
}

void World::note(std::uint64_t what) noexcept { hash_ = mix(hash_, what); }

void World::drain(NodeId node) {
  const As as(*this, node);
  io::RunQueue& queue = nodes_[node]->queue;
  std::uint64_t count = 0;
  while (!failed() && queue.run_one()) {
    ++resumes_;
    if (++count > resumes_without_time) {
      fail(FailureKind::liveness, "L2",
           fmt::format("livelock: the coroutines of {} run on and on without waiting for anything",
                       nodes_[node]->name));
    }
  }
}

void World::settle() {
  bool busy = true;
  while (busy && !failed()) {
    busy = false;
    for (NodeId node = 0; node < nodes_.size(); ++node) {
      if (nodes_[node]->queue.empty()) continue;
      drain(node);
      busy = true;
    }
  }
}

bool World::step(Instant limit) {
  if (queue_.empty()) return false;
  const Entry entry = queue_.front();
  if (entry.time > limit.nanoseconds()) return false;
  std::pop_heap(queue_.begin(), queue_.end(), Later());
  queue_.pop_back();
  now_ = Instant(entry.time);
  const Instant paused_until = nodes_[entry.node]->paused_until;
  if (paused_until > now_) {  // the old sequence number keeps the order among what is held back
    Entry held = entry;
    held.time = paused_until.nanoseconds();
    queue_.push_back(held);
    std::push_heap(queue_.begin(), queue_.end(), Later());
    return true;
  }
  note(static_cast<std::uint64_t>(entry.time) + (entry.sequence << 40U));
  if (++fired_ > event_limit_) {
    fail(FailureKind::liveness, "L2", fmt::format("no end after {} events", event_limit_));
    return false;
  }
  {
    const As as(*this, entry.node);
    entry.target->fire(entry.tag);
  }
  drain(entry.node);
  if (entry.node != outside && !nodes_[outside]->queue.empty()) drain(outside);
  if (watcher_) watcher_(entry.node);
  return true;
}

bool World::run_until(const std::function<bool()>& predicate, Duration limit) {
  const Instant deadline = now_ + limit;
  settle();
  while (!failed()) {
    if (predicate()) return true;
    if (!step(deadline)) break;
    if (!nodes_[outside]->queue.empty()) settle();
  }
  if (failed()) return false;
  if (deadline != Instant::never()) now_ = std::max(now_, deadline);
  return predicate();
}

void World::run_for(Duration duration) {
  run_until([] { return false; }, duration);
}

void World::fail(FailureKind kind, std::string_view invariant, std::string text) {
  if (failed()) return;
  failure_.kind = kind;
  failure_.invariant = std::string(invariant);
  failure_.text = std::move(text);
  failure_.at = now_;
  if (recording_) record(fmt::format("FAILURE {} {}: {}", name(kind), invariant, failure_.text));
}

void World::line(log::Level level, std::string_view text) {
  if (recording_) record(fmt::format("{}: {}", log::name(level), text));
  if (level != log::Level::error) return;
  for (const std::string& expected : expected_errors_) {
    if (text.find(expected) != std::string_view::npos) return;
  }
  fail(FailureKind::error_line, "error line",
       fmt::format("{}: {}", nodes_[running_as_]->name, text));
}

void World::set_recording(bool on, bool live) noexcept {
  recording_ = on;
  live_ = live;
  log::set_level(on ? log::Level::debug : log::Level::warning);
}

void World::record(std::string text) { record(running_as_, std::move(text)); }

void World::record(NodeId node, std::string text) {
  if (!recording_) return;
  std::string stamped =
      fmt::format("{:>14.6f} {:<3} {}", static_cast<double>(now_.nanoseconds()) / 1e9,
                  nodes_[node]->name, text);
  if (live_) std::printf("%s\n", stamped.c_str());
  std::deque<std::string>& lines = nodes_[node]->recorder;
  lines.push_back(std::move(stamped));
  if (lines.size() > recorder_lines) lines.pop_front();
}

std::string World::flight_recorder() const {
  std::string all;
  for (const std::unique_ptr<NodeContext>& node : nodes_) {
    if (node->recorder.empty()) continue;
    all += fmt::format("--- last {} events of {} ---\n", node->recorder.size(), node->name);
    for (const std::string& text : node->recorder) {
      all += text;
      all += '\n';
    }
  }
  return all;
}

}  // namespace replicator::sim
