// The process of a daemon becomes the one after it.
#pragma once

#include <string>
#include <vector>

namespace replicator {

// This program with these words, and --restore; the one that runs when the other cannot be
// executed. `listener`: of the control socket, or -1. Only a failure returns.
void become(const std::string& program, const std::vector<std::string>& words, int listener);

// In the process that became it: whether it is one, until the listener is taken.
bool is_successor();
// Of the control socket; -1 when there is none.
int inherited_descriptor();

// What `pollux upgrade` asks before it relies on this program: an exit code, and a line for people.
int check_restore(const char* daemon_version);

}  // namespace replicator
