// pollux undo: what was kept of split-brain victims (docs/undo.md).
#pragma once

#include <cstdio>
#include <span>
#include <string>

namespace replicator::pollux {

inline constexpr const char* undo_usage =
    "usage: pollux undo list\n"
    "       pollux undo show NAME\n"
    "       pollux undo export NAME FILE [--base DISK]\n"
    "       pollux undo drop NAME\n"
    "NAME is a line's first word of 'list'. --directory DIRECTORY: not /var/lib/pollux/undo.\n";

// Exit code: 0; 1 refused or failed, with one line on `err`; 2 usage.
int run_undo(std::span<const std::string> arguments, std::FILE* out, std::FILE* err);

}  // namespace replicator::pollux
