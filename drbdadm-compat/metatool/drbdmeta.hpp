// drbdmeta as a function: reads and writes the meta data of a device that is not in use, with
// DRBD 8.4's words, texts and exit codes (docs/operations.md#drbdmeta).
#pragma once

#include <cstdio>
#include <span>
#include <string>

namespace replicator::metatool {

// `arguments` without the program's name. `in` answers questions, when it is a terminal.
// Exit code: 0; 1 no valid meta data, not confirmed, or the command failed; 5 the data is worse
// than Outdated already; 10 a number is out of range or the device is too small; 20 usage, or the
// device cannot be opened; 40 existing data would be damaged.
int run_drbdmeta(std::span<const std::string> arguments, std::FILE* in, std::FILE* out,
                 std::FILE* err);

}  // namespace replicator::metatool
