// What two reports say together, or one alone: is there a split brain, since when, what did each
// side change, what does either choice cost. The comparison of the identifiers is the handshake's
// own (engine/decide/handshake). Pure. Normative: docs/split-brain.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/node_report.hpp"
#include "pollux/run_sets.hpp"

namespace replicator::pollux {

enum class Verdict : std::uint8_t {
  connected,         // they talk: there is nothing to decide
  no_meta_data,      // no disk is attached here, so nothing is known of it
  not_met,           // not since they were last connected, or never
  same,              // equal generations
  peer_is_ancestor,  // this node went on alone: it will be the source
  mine_is_ancestor,  // the peer did
  split_brain,       // both did: the bitmaps cover all differences
  split_brain_full,  // both did, and the bitmaps do not: a resync copies everything
  unrelated,         // they have nothing in common
};
[[nodiscard]] const char* text(Verdict verdict) noexcept;  // one word, for scripts
[[nodiscard]] constexpr bool is_split_brain(Verdict verdict) noexcept {
  return verdict == Verdict::split_brain || verdict == Verdict::split_brain_full;
}

// One side of a volume. What is not known is empty, or has an unknown time.
struct Side {
  std::string node;
  bool reported = false;  // the rest is from its own report, not from what it told in a handshake
  WallTime as_of;
  GenerationSet generations;
  VolumeState state;
  bool running = false;
  bool crashed_primary = false;
  std::uint64_t changed_kib = 0;
  Runs changed;              // reported only
  WallTime connection_lost;  // by its own clock, as the two below
  WallTime went_on_alone;
  std::optional<GenerationCause> because;
  UndoTerms undo;
};

// What it costs to make a side the victim.
struct Price {
  std::uint64_t lost_kib = 0;    // of its own changes
  std::uint64_t copied_kib = 0;  // by the resync: at least, when the peer's ranges are not known
  bool copied_exactly = false;
  bool undo_known = false;
  bool undo = false;
  std::uint64_t kept_kib = 0;  // at most: zeroes take no room
  bool kept_whole = false;
};

struct Step {
  std::string node;
  std::string command;
  std::string remark;  // may be empty
};

// What ended the last split brain that the journal tells of.
struct PastSplitBrain {
  WallTime found;
  WallTime solved;
  bool by_hand = false;
  bool lost_here = false;  // this side was the victim
};

struct VolumeComparison {
  std::uint32_t volume = 0;
  std::uint32_t minor = 0;
  std::uint64_t size_kib = 0;
  Verdict verdict = Verdict::not_met;
  int rule = 0;                           // of docs/handshake.md
  std::optional<std::uint64_t> ancestor;  // the last generation that both had
  Side mine;
  std::optional<Side> theirs;
  Runs on_both;  // changed by both; both sides reported
  std::optional<PastSplitBrain> past;
  Price if_mine_goes;
  Price if_theirs_goes;
};

struct NodeComparison {
  std::string resource;
  std::string mine;
  std::string theirs;
  bool peer_reported = false;
  std::vector<VolumeComparison> volumes;
  std::vector<Step> mine_goes;  // empty without a split brain
  std::vector<Step> theirs_goes;
};

// Of one volume. `theirs` null: what the peer told in its last handshake is all there is.
VolumeComparison compare_volume(const NodeReport& mine, const VolumeReport& my_volume,
                                const NodeReport* theirs, const VolumeReport* their_volume);
NodeComparison compare_nodes(const NodeReport& mine, const NodeReport* theirs);

// The worst of all volumes: a split brain before everything else.
Verdict overall(const NodeComparison& comparison) noexcept;

}  // namespace replicator::pollux
