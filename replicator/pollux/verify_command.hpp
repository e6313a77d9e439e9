// pollux verify: compares the replicas while applications run, and repairs what differs in one step
// (docs/operations.md#verify).
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "control/client.hpp"

namespace replicator::pollux {

inline constexpr const char* verify_usage =
    "usage: pollux verify RESOURCE [--repair] [--poll-ms N]\n"
    "Compares both replicas, all volumes, and waits for the end. With --repair what differs is "
    "copied\n"
    "from this node to the peer; a peer that is Primary alone refuses that: ask there.\n";

// Exit code: 0 equal, or equal again; 1 differences were found and not repaired; 3 it could not be
// done, with one line on `err`; 2 usage.
int run_verify(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
               const control::Client& client);

}  // namespace replicator::pollux
