// pollux explain: why a resource is not connected, in sync or promoted (docs/explain.md); and since
// when the two sides of a split brain differ and what each changed, before anybody decides who the
// victim is (docs/split-brain.md).
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "control/client.hpp"

namespace replicator::pollux {

inline constexpr const char* explain_usage =
    "usage: pollux explain RESOURCE [--json]\n"
    "Why it is not connected, not in sync or cannot be promoted, and which commands resolve it.\n"
    "       pollux explain split-brain RESOURCE [--peer FILE] [--json] [--all]\n"
    "       pollux explain split-brain RESOURCE --export\n"
    "Since when the two sides differ, what each changed, what either choice costs. FILE (- is\n"
    "standard input) is what --export wrote on the other node. --all prints every range.\n"
    "--directory DIRECTORY: where the journal is, if not in /var/lib/pollux/generations.\n";

// Exit code: 0 all is well, or no split brain; 1 something is not, or a split brain; 3 it is not
// known or could not be found out, with the reason; 2 usage.
int run_explain(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                const control::Client& client);

}  // namespace replicator::pollux
