// Why a resource is as it is, as JSON text and back. Decoding is total: any bytes give a value or
// Fault::malformed. Normative: docs/explain.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "engine/link_report.hpp"

namespace replicator::control {

std::string encode_explanation(const ResourceExplanation& explanation);
Result<ResourceExplanation> decode_explanation(std::string_view text);

}  // namespace replicator::control
