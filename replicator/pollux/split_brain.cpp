#include "pollux/split_brain.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "engine/decide/handshake.hpp"

namespace replicator::pollux {

namespace {

constexpr std::uint64_t block_kib = block_bytes / 1024;
// In prose, and before a command.
constexpr const char* unnamed_peer = "the peer";
constexpr const char* unnamed_host = "PEER";

std::string host(const Side& side) { return side.node == unnamed_peer ? unnamed_host : side.node; }

std::uint64_t id(std::uint64_t generation) noexcept { return generation & ~std::uint64_t{1}; }

// The newest generation that stands in the past of both.
std::optional<std::uint64_t> common_past(const GenerationSet& mine, const GenerationSet& theirs) {
  for (const std::uint64_t old : {mine.bitmap, mine.history[0], mine.history[1]}) {
    for (const std::uint64_t other : {theirs.bitmap, theirs.history[0], theirs.history[1]}) {
      if (id(old) > uuid_just_created && id(old) == id(other)) return id(old);
    }
  }
  return std::nullopt;
}

struct Relation {
  Verdict verdict;
  int rule = 0;
  std::optional<std::uint64_t> ancestor;
};

Relation relation(const Side& mine, const Side& theirs) {
  HandshakeSide here;
  here.generations = mine.generations;
  here.crashed_primary = mine.crashed_primary;
  here.role = mine.state.role;
  HandshakeSide there;
  there.generations = theirs.generations;
  there.crashed_primary = theirs.crashed_primary;
  there.role = theirs.state.role;
  const auto compared = compare_generations(here, there, HandshakeTerms());
  constexpr int split_brain = 100;
  constexpr int unrelated = -1000;
  Relation found{Verdict::unrelated, compared.rule, std::nullopt};
  if (compared.result == 0) {
    found.verdict = Verdict::same;
    found.ancestor = id(mine.generations.current);
  } else if (compared.result == split_brain) {
    found.verdict = Verdict::split_brain;
    found.ancestor = id(mine.generations.bitmap);
  } else if (compared.result == -split_brain) {
    found.verdict = Verdict::split_brain_full;
    found.ancestor = common_past(mine.generations, theirs.generations);
  } else if (compared.result > 0) {
    found.verdict = Verdict::peer_is_ancestor;
    found.ancestor = id(theirs.generations.current);
  } else if (compared.result > unrelated) {
    found.verdict = Verdict::mine_is_ancestor;
    found.ancestor = id(mine.generations.current);
  }
  return found;
}

Side side_of(const NodeReport& node, const VolumeReport& volume) {
  Side side;
  side.node = node.node;
  side.reported = true;
  side.as_of = node.time;
  side.generations = volume.generations;
  side.state = volume.state;
  side.running = node.running;
  side.crashed_primary = volume.crashed_primary;
  side.changed = volume.marked;
  side.changed_kib = kib_of(volume.marked, volume.size_kib);
  side.undo = volume.undo;
  return side;
}

// In this daemon's life, or before it, by the journal; never from before they were last connected.
std::optional<PeerAccount> last_told(const VolumeReport& volume) {
  if (volume.told) return volume.told;
  for (auto note = volume.journal.rbegin(); note != volume.journal.rend(); ++note) {
    if (note->cause == GenerationCause::connected) return std::nullopt;
    if (note->peer) return note->peer;
  }
  return std::nullopt;
}

Side side_told(const std::string& peer, const PeerAccount& told, std::uint64_t size_kib) {
  Side side;
  side.node = peer;
  side.as_of = told.time;
  side.generations = told.generations;
  side.crashed_primary = told.crashed_primary;
  const std::uint64_t blocks = std::min(told.dirty_blocks, ceil_div(size_kib, block_kib));
  side.changed_kib = std::min(blocks * block_kib, size_kib);
  return side;
}

void tell_story(const VolumeReport& volume, std::optional<std::uint64_t> ancestor, Side& side) {
  for (const GenerationNote& note : volume.journal) {
    if (note.cause == GenerationCause::connected) side.connection_lost = WallTime();
    if (note.cause == GenerationCause::connection_lost) side.connection_lost = note.time;
    const bool went_on = ancestor && begins_generation(note.cause) &&
                         id(note.before.current) == *ancestor &&
                         id(note.after.current) != *ancestor;
    if (!went_on) continue;
    side.went_on_alone = note.time;
    side.because = note.cause;
  }
}

std::optional<PastSplitBrain> past_of(const VolumeReport& volume) {
  std::optional<PastSplitBrain> past;
  for (const GenerationNote& note : volume.journal) {
    const bool by_hand = note.cause == GenerationCause::split_brain_solved_by_hand;
    if (note.cause == GenerationCause::split_brain_found) {
      past = PastSplitBrain();
      past->found = note.time;
    } else if (by_hand || note.cause == GenerationCause::split_brain_solved_by_policy) {
      if (!past || past->solved.known()) past = PastSplitBrain();
      past->solved = note.time;
      past->by_hand = by_hand;
    } else if (past && past->solved.known() && note.cause == GenerationCause::target_began) {
      past->lost_here = true;
    }
  }
  return past;
}

Price price_of(const Side& victim, const Side& other, bool everything, std::uint64_t size_kib) {
  Price price;
  price.lost_kib = victim.changed_kib;
  price.copied_exactly = everything || (victim.reported && other.reported);
  price.copied_kib = std::max(victim.changed_kib, other.changed_kib);
  if (everything) price.copied_kib = size_kib;
  else if (price.copied_exactly)
    price.copied_kib = kib_of(in_either(victim.changed, other.changed), size_kib);
  price.undo_known = victim.reported;
  price.undo = victim.undo.on;
  if (!price.undo) return price;
  std::uint64_t room = victim.undo.room_kib;
  if (victim.undo.max_kib != 0) room = std::min(room, victim.undo.max_kib);
  price.kept_kib = std::min(room, price.copied_kib);
  price.kept_whole = price.copied_exactly && price.kept_kib == price.copied_kib;
  return price;
}

// What a node does to give its changes up. Nobody knows the state of a peer that did not report.
void add_victim_steps(const Side& victim, const std::string& resource, std::vector<Step>& steps) {
  const auto add = [&](const char* command, const char* remark) {
    steps.push_back(Step{host(victim), command + resource, remark});
  };
  const bool known = victim.reported;
  if (known && !victim.running) add("drbdadm up ", "");
  if (!known || victim.state.role == Role::primary) {
    add("drbdadm secondary ", "unmount it first; a failover manager must leave it alone");
  }
  const bool may_wait = !known || victim.state.connection != ConnectionState::stand_alone;
  if (may_wait) add("drbdadm disconnect ", known ? "" : "unless it is StandAlone");
  add("drbdadm -- --discard-my-data connect ", "");
}

void add_survivor_steps(const Side& survivor, const std::string& resource,
                        std::vector<Step>& steps) {
  const bool known = survivor.reported;
  if (known && !survivor.running) {
    steps.push_back(Step{host(survivor), "drbdadm up " + resource, ""});
  } else if (!known || survivor.state.connection == ConnectionState::stand_alone) {
    const char* const remark = known ? "" : "unless it waits for a connection already";
    steps.push_back(Step{host(survivor), "drbdadm connect " + resource, remark});
  }
}

const VolumeReport* volume_of(const NodeReport* node, std::uint32_t number) {
  if (node == nullptr) return nullptr;
  for (const VolumeReport& volume : node->volumes) {
    if (volume.volume == number && volume.has_meta_data) return &volume;
  }
  return nullptr;
}

}  // namespace

const char* text(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::connected: return "connected";
    case Verdict::no_meta_data: return "no-disk";
    case Verdict::not_met: return "not-met";
    case Verdict::same: return "same";
    case Verdict::peer_is_ancestor: return "peer-is-behind";
    case Verdict::mine_is_ancestor: return "this-is-behind";
    case Verdict::split_brain: return "split-brain";
    case Verdict::split_brain_full: return "split-brain-full";
    case Verdict::unrelated: return "unrelated";
  }
  return "?";
}

VolumeComparison compare_volume(const NodeReport& mine, const VolumeReport& my_volume,
                                const NodeReport* theirs, const VolumeReport* their_volume) {
  VolumeComparison compared;
  compared.volume = my_volume.volume;
  compared.minor = my_volume.minor;
  compared.size_kib = my_volume.size_kib;
  compared.mine = side_of(mine, my_volume);
  compared.past = past_of(my_volume);
  std::string peer = mine.peer_name.empty() ? unnamed_peer : mine.peer_name;
  if (their_volume != nullptr) {
    compared.theirs = side_of(*theirs, *their_volume);
    if (compared.theirs->node.empty()) compared.theirs->node = std::move(peer);
  } else if (const std::optional<PeerAccount> told = last_told(my_volume)) {
    compared.theirs = side_told(peer, *told, my_volume.size_kib);
  }
  Relation found{Verdict::not_met, 0, std::nullopt};
  if (!my_volume.has_meta_data) found.verdict = Verdict::no_meta_data;
  else if (compared.theirs) found = relation(compared.mine, *compared.theirs);
  else if (id(my_volume.generations.bitmap) != 0) found.ancestor = id(my_volume.generations.bitmap);
  if (my_volume.state.connection >= ConnectionState::connected) found.verdict = Verdict::connected;
  compared.verdict = found.verdict;
  compared.rule = found.rule;
  compared.ancestor = found.ancestor;
  tell_story(my_volume, found.ancestor, compared.mine);
  if (their_volume != nullptr) {
    tell_story(*their_volume, found.ancestor, *compared.theirs);
    compared.on_both = in_both(my_volume.marked, their_volume->marked);
  }
  if (!is_split_brain(compared.verdict)) return compared;
  const bool everything = compared.verdict == Verdict::split_brain_full;
  compared.if_mine_goes = price_of(compared.mine, *compared.theirs, everything, compared.size_kib);
  compared.if_theirs_goes =
      price_of(*compared.theirs, compared.mine, everything, compared.size_kib);
  return compared;
}

NodeComparison compare_nodes(const NodeReport& mine, const NodeReport* theirs) {
  NodeComparison compared;
  compared.resource = mine.resource;
  compared.mine = mine.node;
  compared.theirs = mine.peer_name.empty() ? unnamed_peer : mine.peer_name;
  if (theirs != nullptr && !theirs->node.empty()) compared.theirs = theirs->node;
  compared.peer_reported = theirs != nullptr;
  for (const VolumeReport& volume : mine.volumes) {
    const VolumeReport* const other = volume_of(theirs, volume.volume);
    compared.volumes.push_back(compare_volume(mine, volume, theirs, other));
  }
  for (const VolumeComparison& volume : compared.volumes) {
    if (!is_split_brain(volume.verdict)) continue;
    add_victim_steps(volume.mine, compared.resource, compared.mine_goes);
    add_survivor_steps(*volume.theirs, compared.resource, compared.mine_goes);
    add_victim_steps(*volume.theirs, compared.resource, compared.theirs_goes);
    add_survivor_steps(volume.mine, compared.resource, compared.theirs_goes);
    break;  // role and connection are the whole resource's
  }
  return compared;
}

Verdict overall(const NodeComparison& comparison) noexcept {
  constexpr Verdict by_weight[] = {Verdict::split_brain_full, Verdict::split_brain,
                                   Verdict::unrelated,        Verdict::not_met,
                                   Verdict::no_meta_data,     Verdict::mine_is_ancestor,
                                   Verdict::peer_is_ancestor, Verdict::same};
  for (const Verdict verdict : by_weight) {
    for (const VolumeComparison& volume : comparison.volumes) {
      if (volume.verdict == verdict) return verdict;
    }
  }
  return Verdict::connected;
}

}  // namespace replicator::pollux
