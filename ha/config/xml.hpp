// XML text to tree and back. What comes in is bounded in size and depth before anything recursive
// sees it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "ha/config/element.hpp"

namespace ha::config {

constexpr std::size_t max_xml_bytes = std::size_t{64} << 20U;
constexpr int max_xml_depth = 64;

[[nodiscard]] replicator::Result<Element> parse_xml(std::string_view text);
[[nodiscard]] std::string format_xml(const Element& root);

}  // namespace ha::config
