// The activity log of DRBD 8.3, which shares its superblock with 8.4: sectors of 512 bytes with one
// update and 61 slots of context each, protected by an exclusive or. Read once, when meta data of
// 8.3 are taken over. Normative: docs/metadata.md#activity-log-83.
//   P1  any bytes are accepted
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "metadata/superblock.hpp"

namespace replicator {

inline constexpr std::size_t al_83_bytes = 32768;

// The superblock allows it, and the ring (of at least 8192 bytes) has no blocks of 8.4.
bool is_activity_log_83(const Superblock& superblock, ConstBytes ring) noexcept;

struct ActivityLog83 {
  unsigned sectors = 0;  // in use, as `al_extents` says
  unsigned valid = 0;
  std::vector<std::uint32_t> hot;  // extents, ascending
};
// `ring` has al_83_bytes.
ActivityLog83 replay_activity_log_83(ConstBytes ring, std::uint32_t al_extents);

}  // namespace replicator
