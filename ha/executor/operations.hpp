// The operations of this node: one after the other for each resource, all resources side by side,
// monitors again and again.
//   H18  an operation that hangs blocks only its own resource, and that no longer than its timeout
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ha/controller/operation.hpp"
#include "ha/words.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "io/task.hpp"

namespace ha::executor {

using controller::Operation;
using controller::Outcome;

// Asks the agents; a test has others.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual replicator::Task<Outcome> run(Operation operation) = 0;
};

class Operations {
 public:
  using Done = std::function<void(const Operation&, const Outcome&)>;

  // Of a monitor the first outcome is told, and from then on what differs from the last one.
  Operations(replicator::io::Clock& clock, Runner& runner, Done done,
             std::function<policy::Seconds()> wall);

  // "cancel" ends a monitor, "delete" all of them; nobody is told. Anything that may change what
  // the resource does ends its monitors as well.
  void submit(Operation operation);
  void start() { tasks_.start(follow_clock()); }
  [[nodiscard]] bool busy() const noexcept;
  // Nothing new begins; ends when what is under way has ended.
  replicator::Task<void> stop();

 private:
  struct Work {
    Operation operation;
    Instant since;
    std::uint64_t monitor = 0;  // which one it belongs to, if it does
  };
  struct Monitor {
    Operation operation;
    std::uint64_t number = 0;
    std::optional<Outcome> last;
    Instant due = Instant::never();  // never: it is in the queue
  };
  struct Lane {
    std::deque<Work> queue;
    std::map<std::string, Monitor> monitors;
    bool working = false;
  };

  void push(Lane& lane, Work work);
  void end_monitors(Lane& lane, const std::string* key);
  replicator::Task<void> work(Lane& lane);
  void finish(Lane& lane, const Work& work, const Outcome& outcome);
  replicator::Task<void> follow_clock();
  void begin_due(Instant now);
  [[nodiscard]] Instant next_due() const;
  void wake();

  replicator::io::Clock& clock_;
  Runner& runner_;
  Done done_;
  std::function<policy::Seconds()> wall_;
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  std::uint64_t monitors_ = 0;
  bool stopping_ = false;
  replicator::io::Op* sleeping_ = nullptr;
  replicator::io::Gate tasks_;
};

}  // namespace ha::executor
