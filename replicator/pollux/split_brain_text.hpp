// A comparison of two sides in plain words, and as JSON for programs (docs/split-brain.md).
#pragma once

#include <string>

#include "pollux/split_brain.hpp"

namespace replicator::pollux {

// Of each list at most `ranges_max` are printed, and how many more there are.
std::string in_words(const NodeComparison& comparison, std::size_t ranges_max);
std::string as_json(const NodeComparison& comparison);
// How to get what the other node knows.
std::string export_hint(const NodeComparison& comparison);

}  // namespace replicator::pollux
