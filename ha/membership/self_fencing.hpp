// The times of ha.cf by which a node that lost contact has stopped or was reset (H7): what is not
// said is chosen so that they fit, and what does not fit is refused.
#pragma once

#include <string>
#include <vector>

#include "ha/membership/ha_cf.hpp"

namespace ha::membership {

void fill_in_self_fencing(HaCf& config);
// One text for each thing that is wrong, with the values in it.
[[nodiscard]] std::vector<std::string> refuse_self_fencing(const HaCf& config);

}  // namespace ha::membership
