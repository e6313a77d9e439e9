// What a node knows about its side of a possible split brain, as plain values: made by the engine
// for `pollux explain`, completed by that with what lies in files, and carried to the other node
// (docs/split-brain.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/wall_time.hpp"
#include "engine/generation_journal.hpp"
#include "metadata/bitmap_runs.hpp"
#include "metadata/generations.hpp"
#include "protocol/states.hpp"

namespace replicator {

// What would be kept here if this side became the victim (docs/undo.md).
struct UndoTerms {
  bool on = false;
  std::uint64_t max_kib = 0;   // undo-max-size; 0: no limit
  std::uint64_t room_kib = 0;  // until undo-min-free is reached

  bool operator==(const UndoTerms&) const = default;
};

struct VolumeReport {
  std::uint32_t volume = 0;
  std::uint32_t minor = 0;
  std::uint64_t size_kib = 0;
  VolumeState state;
  bool has_meta_data = false;  // what follows is from the meta data, in memory or on the disk
  bool crashed_primary = false;
  GenerationSet generations;
  std::uint64_t marked_blocks = 0;
  UndoTerms undo;
  // By the peer since the two were last connected, in this daemon's life.
  std::optional<PeerAccount> told;
  // Completed from elsewhere.
  std::vector<BlockRun> marked;
  std::vector<GenerationNote> journal;  // oldest first

  bool operator==(const VolumeReport&) const = default;
};

struct NodeReport {
  std::string node;  // host name
  std::string resource;
  std::string peer_name;  // as the configuration calls it; may be empty
  WallTime time;
  bool running = false;  // in a daemon, not only on the disk
  std::vector<VolumeReport> volumes;

  bool operator==(const NodeReport&) const = default;
};

}  // namespace replicator
