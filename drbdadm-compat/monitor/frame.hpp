// The screen: a pure function of what is known, what is looked at, and the size. Never more lines
// than there are, never a longer one.
#pragma once

#include <string_view>
#include <vector>

#include "monitor/lines.hpp"
#include "monitor/model.hpp"
#include "monitor/view.hpp"

namespace replicator::monitor {

// Exactly size.height lines.
std::vector<Line> frame(const Model& model, const View& view, Size size, std::string_view clock);
// For a script: all resources, as many lines as it takes; no cursor, no keys.
std::vector<Line> whole_list(const Model& model, const View& view, std::size_t width,
                             std::string_view clock);

}  // namespace replicator::monitor
