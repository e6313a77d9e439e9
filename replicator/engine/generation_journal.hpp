// What happens to the data generations of a volume, told to whoever keeps it: no time is in DRBD's
// meta data, and "since when do the two sides differ?" is the first question in a split brain
// (docs/split-brain.md#journal). The engine decides nothing by it and goes on without it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/wall_time.hpp"
#include "metadata/generations.hpp"
#include "protocol/states.hpp"

namespace replicator {

inline constexpr const char* default_generations_directory = "/var/lib/pollux/generations";

enum class GenerationCause : std::uint8_t {
  attached,
  peer_told,  // the peer's identifiers came, in a handshake
  connected,
  connection_lost,
  became_primary,
  became_secondary,
  split_brain_found,
  split_brain_solved_by_policy,
  split_brain_solved_by_hand,
  // A new generation of this node's own.
  connection_lost_as_primary,
  peer_outdated_as_primary,
  peer_disk_lost,
  disk_back_alone,
  peer_without_disk_promoted,
  promoted_alone,
  promoted_by_force,
  frozen_io_went_on,
  by_hand,
  marked_blocks_copied,
  // A resync, and what stands for one.
  source_began,
  target_began,
  source_done,
  target_done,
  initial_sync_skipped,
  corrected,
};

// In the order of the enumeration; they are written to the journal, so a text is for ever.
inline constexpr std::array<const char*, 25> generation_cause_texts = {
    "attached",
    "peer told its generations",
    "connected",
    "connection lost",
    "became Primary",
    "became Secondary",
    "split brain found",
    "split brain solved by a policy",
    "split brain solved by hand",
    "connection lost while Primary",
    "peer known to be outdated while Primary",
    "peer's disk lost",
    "disk attached as Primary while not connected",
    "peer without a disk became Primary",
    "became Primary while not connected",
    "promoted by force",
    "frozen I/O went on without the peer",
    "new-current-uuid",
    "marked blocks are copied to the peer",
    "resync began, as source",
    "resync began, as target",
    "resync done, as source",
    "resync done, as target",
    "initial sync skipped",
    "end of an earlier resync made good",
};

[[nodiscard]] inline const char* text(GenerationCause cause) noexcept {
  return generation_cause_texts[static_cast<std::size_t>(cause)];
}
[[nodiscard]] inline std::optional<GenerationCause> parse_cause(std::string_view words) noexcept {
  for (std::size_t i = 0; i < generation_cause_texts.size(); ++i) {
    if (words == generation_cause_texts[i]) return static_cast<GenerationCause>(i);
  }
  return std::nullopt;
}
// This node went on from what both had.
[[nodiscard]] constexpr bool begins_generation(GenerationCause cause) noexcept {
  return cause >= GenerationCause::connection_lost_as_primary &&
         cause <= GenerationCause::marked_blocks_copied;
}

// What the peer said of itself.
struct PeerAccount {
  WallTime time;
  GenerationSet generations;
  std::uint64_t dirty_blocks = 0;
  bool crashed_primary = false;

  bool operator==(const PeerAccount&) const = default;
};

struct GenerationNote {
  WallTime time;
  GenerationCause cause = GenerationCause::attached;
  GenerationSet before;  // as of the note before this one
  GenerationSet after;
  Role role = Role::unknown;
  bool connected = false;
  std::uint64_t dirty_blocks = 0;
  std::optional<PeerAccount> peer;  // in notes about a handshake

  bool operator==(const GenerationNote&) const = default;
};

class GenerationJournal {
 public:
  virtual ~GenerationJournal() = default;
  // Called in the middle of the engine's work: never waits, and never fails.
  virtual void note(const std::string& resource, std::uint32_t volume,
                    const GenerationNote& note) = 0;
};

}  // namespace replicator
