// The generation journal of this machine: one file of JSON lines per volume, RESOURCE.VOLUME, and
// the one before it, RESOURCE.VOLUME.old (docs/split-brain.md#journal). Best effort: a directory
// that is full or cannot be written is told once in the log and disturbs nothing. The engine's
// thread never waits for it: a helper thread writes, one batch at a time, in order, and what comes
// faster than that is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/generation_journal.hpp"
#include "io/sync.hpp"
#include "uring/reactor.hpp"

namespace replicator {

class GenerationFiles final : public GenerationJournal {
 public:
  // References must outlive it. `directory` is made when it is first needed.
  GenerationFiles(uring::Reactor& reactor, std::string directory);

  void note(const std::string& resource, std::uint32_t volume, const GenerationNote& note) override;
  // At the end of the daemon: what was noted so far is written, unless the disk takes too long.
  Task<void> close();

  struct Line {
    std::string file;  // below the directory
    std::string text;  // with its newline
  };

 private:
  Task<void> write_out();
  void tell_problem(const std::string& problem);

  uring::Reactor& reactor_;
  std::string directory_;
  std::vector<Line> waiting_;
  bool writing_ = false;
  bool problem_told_ = false;
  io::Gate tasks_;  // last: its frames refer to everything above
};

}  // namespace replicator
