#include "tests/sim/disk_checks.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace replicator::sim {

bool equal_block(const Image& a, const Image& b, std::uint64_t block) {
  std::array<std::byte, block_bytes> here;
  std::array<std::byte, block_bytes> there;
  a.read(ByteOffset(block * block_bytes), here);
  b.read(ByteOffset(block * block_bytes), there);
  return here == there;
}

std::optional<std::uint64_t> different_block(const Image& a, MetadataView& a_says, const Image& b,
                                             MetadataView& b_says) {
  a_says.refresh();
  b_says.refresh();
  const std::uint64_t data = std::min(a_says.device_size(), b_says.device_size()).value();
  std::array<std::byte, block_bytes> here;
  std::array<std::byte, block_bytes> there;
  for (std::uint64_t block = 0; block < ceil_div(data, block_bytes); ++block) {
    if (a.same_block(b, block)) continue;
    const std::uint64_t size = std::min(block_bytes, data - block * block_bytes);
    a.read(ByteOffset(block * block_bytes), Bytes(here).first(size));
    b.read(ByteOffset(block * block_bytes), Bytes(there).first(size));
    if (std::memcmp(here.data(), there.data(), size) != 0) return block;
  }
  return std::nullopt;
}

std::vector<std::uint64_t> uncovered_blocks(const Image& a, MetadataView& a_says, const Image& b,
                                            MetadataView& b_says) {
  a_says.refresh();
  b_says.refresh();
  const ByteCount largest = std::max(a_says.device_size(), b_says.device_size());
  const std::uint64_t blocks = ceil_div(std::min(largest, a.size()).value(), block_bytes);
  std::vector<std::uint64_t> found;
  for (std::uint64_t block = 0; block < blocks; ++block) {
    if (a.same_block(b, block) || a_says.covered(block) || b_says.covered(block)) continue;
    found.push_back(block);
  }
  return found;
}

}  // namespace replicator::sim
