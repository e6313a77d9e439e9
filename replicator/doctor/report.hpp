// Findings as text and as JSON.
#pragma once

#include <string>

#include "doctor/finding.hpp"

namespace replicator::doctor {

bool any_fail(const Findings& findings);
std::string in_words(const Findings& findings);
std::string as_json(const std::string& node, const Findings& findings);

}  // namespace replicator::doctor
