// The daemon apart from whoever started it: its own session, no directory, descriptor or umask of
// the caller, whose file systems, locks and pipes it would hold for as long as it runs.
#pragma once

#include <string>

#include "base/result.hpp"

namespace replicator {

// Returns in the child, with the descriptor that takes one byte, the exit code, when it serves; the
// parent waits for that and ends with it. Standard input and output stay until
// detach_from_terminal(). Fault::no_space: there is no child.
Result<int> go_to_background();
void detach_from_terminal();

// As seen from here, when the current directory is going to be another one.
std::string absolute_path(const std::string& path);

}  // namespace replicator
