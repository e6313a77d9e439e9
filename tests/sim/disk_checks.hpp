// What the disks of two nodes say of one volume: where the data differ, and whether the meta data
// on media know of it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tests/sim/image.hpp"
#include "tests/sim/metadata_view.hpp"

namespace replicator::sim {

[[nodiscard]] bool equal_block(const Image& a, const Image& b, std::uint64_t block);

// The first block of the device that is not equal.
[[nodiscard]] std::optional<std::uint64_t> different_block(const Image& a, MetadataView& a_says,
                                                           const Image& b, MetadataView& b_says);

// E2: those that differ and that a crash of both now would leave unmarked.
[[nodiscard]] std::vector<std::uint64_t> uncovered_blocks(const Image& a, MetadataView& a_says,
                                                          const Image& b, MetadataView& b_says);

}  // namespace replicator::sim
