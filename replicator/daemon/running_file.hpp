// The record of what this daemon runs, /run/pollux/running: memory, gone when the machine starts
// anew. Only root reads it: there are secrets in it. Calls wait for that file system only.
#pragma once

#include <string>

#include "base/result.hpp"
#include "daemon/running_record.hpp"

namespace replicator {

inline constexpr const char* running_file_name = "/running";

// In one step: whoever reads it sees all of the old one or of the new one.
Status write_running(const std::string& run_directory, const RunningRecord& record);
void remove_running(const std::string& run_directory) noexcept;
// Empty where there is none.
Result<RunningRecord> read_running(const std::string& run_directory);

}  // namespace replicator
