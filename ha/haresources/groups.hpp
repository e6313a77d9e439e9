// Starting and stopping whole groups, in heartbeat's way: left to right, and back.
//   H3  a stop that fails to the end is reported as such, and nothing is pretended
//   H10 nothing of a group is running when a node joins
//   H5  the next resource is started after the one before it, and stopped before it
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ha/haresources/config.hpp"
#include "ha/haresources/takeover.hpp"
#include "io/io.hpp"
#include "io/task.hpp"

namespace ha::haresources {

enum class Action : std::uint8_t { start, stop, status };
const char* text(Action action) noexcept;

struct ActionResult {
  bool found = false;  // there is such a script
  int exit_code = -1;
  std::string path;
  std::string output;
};

// Runs one resource's script.
class Agents {
 public:
  virtual ~Agents() = default;
  virtual replicator::Task<ActionResult> run(const Resource& resource, Action action) = 0;
};

class Groups {
 public:
  using Log = std::function<void(membership::Severity, std::string)>;
  static constexpr int stop_retries = 10;

  Groups(std::string own_node, std::vector<Group> groups, Agents& agents,
         replicator::io::Clock& clock, Log log);

  // False: a group could not be started (all of it was stopped again), or not be stopped.
  replicator::Task<bool> carry_out(Work work);
  // Before this node joins: what is running although nobody started it here is stopped (H10). False
  // when it can't be.
  replicator::Task<bool> make_idle();

  // Of these groups, the sides on which something is not running.
  replicator::Task<Holding> failed_of(Holding which);

 private:
  [[nodiscard]] std::vector<const Group*> select(Holding which) const;
  replicator::Task<bool> acquire(const Group& group);
  replicator::Task<bool> release(const Group& group);
  replicator::Task<bool> stop(const Resource& resource);
  replicator::Task<bool> running(const Resource& resource);
  replicator::Task<bool> run(const Resource& resource, Action action);
  void log(membership::Severity severity, std::string text) { log_(severity, std::move(text)); }

  std::string own_node_;
  std::vector<Group> groups_;
  Agents& agents_;
  replicator::io::Clock& clock_;
  Log log_;
};

}  // namespace ha::haresources
