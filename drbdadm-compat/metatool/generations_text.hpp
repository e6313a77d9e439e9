// Generation identifiers and flags of a superblock as text, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "metadata/superblock.hpp"

namespace replicator::metatool {

// CURRENT:BITMAP:HISTORY0:HISTORY1:c:u:p:d:s:o:r
std::string generations_text(const Superblock& superblock);
// The same syntax; empty and missing fields keep their value. None when a field does not parse.
std::optional<Superblock> with_generations(const Superblock& superblock, std::string_view text);
// "Secondary, Connected, UpToDate"
std::string flags_text(const Superblock& superblock);
// "Inconsistent", "Outdated", "Consistent", "UpToDate"
std::string_view disk_state_text(const Superblock& superblock) noexcept;
// Up to 16 hexadecimal digits.
std::optional<std::uint64_t> parse_hex(std::string_view text) noexcept;

}  // namespace replicator::metatool
