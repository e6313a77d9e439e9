// Sets of blocks as sorted runs that do not touch: what two bitmaps have in common, and together.
// Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "metadata/bitmap_runs.hpp"

namespace replicator::pollux {

using Runs = std::vector<BlockRun>;

Runs in_both(const Runs& a, const Runs& b);
Runs in_either(const Runs& a, const Runs& b);
// The last block of a device may be a part of one.
std::uint64_t kib_of(const BlockRun& run, std::uint64_t device_kib) noexcept;
std::uint64_t kib_of(const Runs& runs, std::uint64_t device_kib) noexcept;

}  // namespace replicator::pollux
