// Which volume may resync while others of the same daemon do: the chains of `resync-after`. Pure.
// Normative: docs/operations.md#pausing.
#pragma once

#include <cstdint>
#include <span>

namespace replicator {

// One volume as the order sees it.
struct OrderedVolume {
  std::uint32_t minor = 0;
  std::int32_t after = -1;  // minor that goes first; -1: none
  bool has_disk = false;    // a chain ends at a volume without one
  bool holds_up = false;    // it syncs, or its sync is paused: who comes after it waits
};

// Nobody before it in its chain syncs or is paused. A minor that is not there ends the chain.
bool may_sync_now(std::span<const OrderedVolume> all, std::uint32_t minor) noexcept;

// May `minor` come after `after`? One may come after minors that do not exist (yet).
enum class OrderVerdict : std::uint8_t { fine, no_minor, cycle };
OrderVerdict check_resync_after(std::span<const OrderedVolume> all, std::uint32_t minor,
                                std::int32_t after) noexcept;

}  // namespace replicator
