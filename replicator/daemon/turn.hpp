// A command's turn on its resource, waited for as long as somebody waits for the command.
//   P6  a command whose caller has gone keeps no place in the line, and is not carried out later
#pragma once

#include "io/io.hpp"
#include "io/sync.hpp"
#include "io/task.hpp"

namespace replicator {

class Turn {
 public:
  explicit Turn(io::Semaphore& turns) noexcept : take_(turns, 1) {}

  // True: it is ours until this object goes away. False: the caller has gone meanwhile. Once.
  Task<bool> wait(io::Clock& clock, io::Stream& caller);

 private:
  Task<void> stand_in_line(io::Clock& clock);

  io::Semaphore::Take take_;
  bool mine_ = false;
  io::Op pause_;
  io::Gate line_;  // last: whoever stands there refers to everything above
};

}  // namespace replicator
