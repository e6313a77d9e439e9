// Virtual time. Everything that happens outside the code under test is an event in one queue,
// ordered by (time, sequence); between two events the coroutines of the node concerned run until
// none is ready. One seed determines everything: each component draws from a stream of its own,
// named, so that a draw added in one place disturbs no other. The trace hash sums up what happened,
// in order: two runs of one seed that differ in it are a failure of determinism.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"
#include "io/run_queue.hpp"

namespace replicator::sim {

using NodeId = std::uint32_t;
inline constexpr NodeId outside = 0;  // the test program, the application, the nemesis

// Whatever events happen to. Targets live as long as the world runs; an event that concerns
// something that is gone by then is recognised by its tag and ignored.
class EventTarget {
 public:
  virtual void fire(std::uint64_t tag) = 0;

 protected:
  ~EventTarget() = default;
};

enum class FailureKind : std::uint8_t { none, safety, liveness, error_line, simulator };
const char* name(FailureKind kind) noexcept;

struct Failure {
  FailureKind kind = FailureKind::none;
  std::string invariant;  // "D2", "E1", … or a word
  std::string text;
  Instant at;
};

class World {
 public:
  explicit World(std::uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }
  // A stream of random numbers that depends on the seed and the name only.
  [[nodiscard]] Prng stream(std::string_view component) const noexcept;

  NodeId add_node(std::string name);
  [[nodiscard]] const std::string& node_name(NodeId node) const noexcept;
  // A stopped process or virtual machine: its events wait until `until`.
  void pause(NodeId node, Instant until) noexcept;
  [[nodiscard]] bool paused(NodeId node) const noexcept {
    return nodes_[node]->paused_until > now_;
  }

  // `target.fire(tag)` at `when` (now, if that is past), as `node`.
  void at(Instant when, NodeId node, EventTarget& target, std::uint64_t tag);
  void after(Duration delay, NodeId node, EventTarget& target, std::uint64_t tag) {
    at(now_ + delay, node, target, tag);
  }
  // For test programs: an arbitrary action at a time.
  void at(Instant when, std::function<void()> action);

  // Runs `work` as this node: its wake-ups go to its queue, log lines carry its name.
  class As {
   public:
    As(World& world, NodeId node) noexcept;
    As(const As&) = delete;
    As& operator=(const As&) = delete;
    ~As();

   private:
    World& world_;
    NodeId previous_;
    io::RunQueue::Scope scope_;
  };
  [[nodiscard]] NodeId running_as() const noexcept { return running_as_; }

  // True when the predicate became true; false after `limit` of virtual time, when nothing can
  // happen any more, or after a failure.
  bool run_until(const std::function<bool()>& predicate, Duration limit);
  void run_for(Duration duration);
  // Everything that is ready now, without letting time pass.
  void settle();

  // The first failure counts and stops the run.
  void fail(FailureKind kind, std::string_view invariant, std::string text);
  [[nodiscard]] bool failed() const noexcept { return failure_.kind != FailureKind::none; }
  [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
  // Log lines of level error are failures unless they contain a declared text.
  void expect_error(std::string_view part) { expected_errors_.emplace_back(part); }

  // Told after each event, when the node's coroutines have run: for checkers that watch states
  // change.
  void set_watcher(std::function<void(NodeId)> watcher) { watcher_ = std::move(watcher); }

  // Adds to the trace hash.
  void note(std::uint64_t what) noexcept;
  [[nodiscard]] std::uint64_t trace_hash() const noexcept { return hash_; }
  [[nodiscard]] std::uint64_t events() const noexcept { return fired_; }
  [[nodiscard]] std::uint64_t resumes() const noexcept { return resumes_; }
  void set_event_limit(std::uint64_t limit) noexcept { event_limit_ = limit; }

  // Flight recorder: off by default, as a failed seed can be run again. `live` prints at once.
  void set_recording(bool on, bool live = false) noexcept;
  [[nodiscard]] bool recording() const noexcept { return recording_; }
  void record(std::string line);
  void record(NodeId node, std::string line);
  // The last events of each node, oldest first.
  [[nodiscard]] std::string flight_recorder() const;

 private:
  struct Entry {
    std::int64_t time;
    std::uint64_t sequence;
    EventTarget* target;
    std::uint64_t tag;
    NodeId node;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const noexcept {
      return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
    }
  };
  struct NodeContext {
    std::string name;
    io::RunQueue queue;
    Instant paused_until;
    std::deque<std::string> recorder;
  };
  struct Actions final : EventTarget {
    void fire(std::uint64_t tag) override;
    std::vector<std::function<void()>> slots;
  };

  bool step(Instant limit);  // false: nothing more to do up to the limit
  void drain(NodeId node);
  void line(log::Level level, std::string_view text);

  std::uint64_t seed_;
  Instant now_;
  std::uint64_t sequence_ = 0;
  std::vector<Entry> queue_;  // a heap
  std::vector<std::unique_ptr<NodeContext>> nodes_;
  Actions actions_;
  NodeId running_as_ = outside;
  std::unique_ptr<As> outermost_;
  Failure failure_;
  std::vector<std::string> expected_errors_;
  std::function<void(NodeId)> watcher_;
  std::uint64_t hash_ = 0x9e3779b97f4a7c15ULL;
  std::uint64_t fired_ = 0;
  std::uint64_t resumes_ = 0;
  std::uint64_t event_limit_ = 50'000'000;
  bool recording_ = false;
  bool live_ = false;
};

}  // namespace replicator::sim
