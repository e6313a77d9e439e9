// The pages of drbdmon beside the list: details of a resource, help, the outcome of a command.
#pragma once

#include <cstddef>
#include <vector>

#include "monitor/lines.hpp"
#include "monitor/model.hpp"
#include "monitor/view.hpp"

namespace replicator::monitor {

// On screens that are narrower than this, what matters most has to be enough.
inline constexpr std::size_t narrow = 72;

// All lines of the page that the view shows; none in the list.
std::vector<Line> page_of(const Model& model, const View& view, Size size);
// How many of them there is room for.
std::size_t page_height(Size size) noexcept;

Tone tone_of(Health health) noexcept;
// Percent, speed and time to finish behind a bar; `indent` blanks before it.
Line progress_line(const Values& peer, std::size_t indent, std::size_t width);
bool has_progress(const Values* peer);

}  // namespace replicator::monitor
