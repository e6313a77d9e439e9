// Activity-log transaction blocks: 4096 bytes, big-endian, CRC-32C without inversions; their place
// in the ring; and the replay of a whole ring. Normative: docs/metadata.md#activity-log.
//   D6  a torn block fails its checksum and is skipped: its extents had not been written to (D2)
//   P1  replay accepts any bytes
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "metadata/layout.hpp"

namespace replicator {

inline constexpr std::size_t al_block_bytes = 4096;
inline constexpr std::uint32_t al_updates_max = 64;
inline constexpr std::uint32_t al_context_max = 919;
inline constexpr std::uint32_t al_extent_free = 0xffffffff;
inline constexpr std::uint32_t al_slots_max = 65534;

struct AlUpdate {
  std::uint16_t slot = 0;
  std::uint32_t extent = al_extent_free;
  bool operator==(const AlUpdate&) const noexcept = default;
};

struct AlTransaction {
  std::uint32_t number = 0;
  std::uint16_t context_size = 0;  // slots in use
  std::uint16_t context_start_slot = 0;
  std::vector<AlUpdate> updates;  // at most al_updates_max
  std::vector<std::uint32_t>
      context;  // extents of slots from context_start_slot; state BEFORE the updates
  bool operator==(const AlTransaction&) const noexcept = default;
};

void encode_al_transaction(const AlTransaction& transaction, Bytes block);
// "initialized": an empty place in the ring.
void encode_al_initialized(Bytes block);

enum class AlBlockKind : std::uint8_t { invalid, initialized, transaction };
AlBlockKind decode_al_block(ConstBytes block, AlTransaction& transaction);

// The most slots of which a ring always describes all: each transaction carries the state of
// al_context_max of them, in turn, and the oldest block is the one being overwritten (E2).
std::uint32_t al_slots_of(AlStripes stripes) noexcept;

// Index of the ring block that transaction `number` is written to.
std::uint64_t al_block_of(std::uint32_t number, AlStripes stripes) noexcept;

// The hot extents that a whole ring (stripes.blocks() blocks) describes. Fault::malformed: no
// usable log.
Result<std::vector<std::uint32_t>> replay_activity_log(ConstBytes ring, AlStripes stripes);

}  // namespace replicator
