// Reads what the daemon keeps of generation changes (daemon/generation_files).
#pragma once

#include <string>
#include <vector>

#include "engine/generation_journal.hpp"

namespace replicator::pollux {

// Oldest first. Lines that do not parse, as a crash may leave them, are passed over; a journal that
// is not there is an empty one.
std::vector<GenerationNote> read_journal(const std::string& directory, const std::string& resource,
                                         std::uint32_t volume);

// A whole file, or standard input for "-". Nothing and an errno when it cannot be read, EFBIG when
// it is longer than `most`.
int read_whole(const std::string& path, std::size_t most, std::string& text);

}  // namespace replicator::pollux
