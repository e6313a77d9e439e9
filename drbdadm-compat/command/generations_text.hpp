// `show-gi` (for people) and `get-gi` (for scripts), of a running device or of meta data on a disk
// (docs/operations.md#show-gi).
#pragma once

#include <string>

#include "control/status_json.hpp"

namespace replicator::command {

// "CURRENT:BITMAP:YOUNGER:OLDER:c:u:p:d:s:o:r" and a newline.
std::string get_gi_text(const control::GenerationShow& shown);
// A line of get-gi between the drawings that explain its fields.
std::string under_legend(const std::string& line);
// get_gi_text() so explained. What follows the legend differs between disk and running device.
std::string show_gi_text(const control::GenerationShow& shown);

}  // namespace replicator::command
