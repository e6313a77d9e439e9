// Runs the scripts that start and stop resources, each in a process group of its own.
//   H18  a deadline, after which the whole group is killed; a limit to what is kept of the output;
//        the manager never waits for a script in any other way than through the ring
#pragma once

#include <string>
#include <vector>

#include "ha/words.hpp"
#include "io/task.hpp"
#include "uring/reactor.hpp"

namespace ha::executor {

struct ScriptCall {
  std::string path;
  std::vector<std::string> arguments;
  // "NAME=value", beside HOME and LANG; all that the script gets.
  std::vector<std::string> environment;
  std::string input;  // what it reads; nothing to read when empty
  Duration deadline = Duration::seconds(60);
};

struct ScriptResult {
  int exit_code = -1;      // 128 + the signal that killed it; -1: it could not be started
  bool timed_out = false;  // then it was killed
  std::string output;      // standard output and error, the beginning of it

  [[nodiscard]] bool good() const noexcept { return exit_code == 0 && !timed_out; }
};

inline constexpr std::size_t output_limit = 64U << 10U;

replicator::Task<ScriptResult> run_script(replicator::uring::Reactor& reactor, ScriptCall call);

}  // namespace ha::executor
