// `show-gi` (for people) and `get-gi` (for scripts), of a running device or of meta data on a disk
// (docs/operations.md#show-gi).
#pragma once

#include <string>

#include "control/status_json.hpp"

namespace replicator::command {

// "CURRENT:BITMAP:YOUNGER:OLDER:c:u:p:d:s:o:r" and a newline.
std::string get_gi_text(const control::GenerationShow& shown);
// The same under a legend. What follows the legend differs between disk and running device.
std::string show_gi_text(const control::GenerationShow& shown);

}  // namespace replicator::command
