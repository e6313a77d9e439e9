#include "pollux/split_brain_text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "control/node_report_json.hpp"

namespace replicator::pollux {

namespace {

constexpr std::uint64_t sectors_per_kib = 2;

class Words {
 public:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  void blank() { text_ += '\n'; }
  // The value begins in a column of its own.
  void fact(const std::string& what, const std::string& value) { line("  {:<18} {}", what, value); }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string headline(const NodeComparison& all, Verdict verdict) {
  const std::string& mine = all.mine;
  const std::string& theirs = all.theirs;
  switch (verdict) {
    case Verdict::connected: return "no split brain: the nodes are connected";
    case Verdict::no_meta_data:
      return "not known: no disk is attached here, and the identifiers are on the disk";
    case Verdict::not_met: return fmt::format("not known: what {} did is not known here", theirs);
    case Verdict::same: return "no split brain: both sides have the same data generation";
    case Verdict::peer_is_ancestor:
      return fmt::format(
          "no split brain: {} went on from what {} has; {} will be brought up to date", mine,
          theirs, theirs);
    case Verdict::mine_is_ancestor:
      return fmt::format(
          "no split brain: {} went on from what {} has; {} will be brought up to date", theirs,
          mine, mine);
    case Verdict::split_brain:
    case Verdict::split_brain_full:
      return fmt::format("SPLIT BRAIN: {} and {} both went on from the same data, each by itself",
                         mine, theirs);
    case Verdict::unrelated:
      return "unrelated data: the two sides have no data generation in common";
  }
  return "";
}

std::string generations_text(const GenerationSet& set) {
  return fmt::format("{}:{}:{}:{}", control::generation_text(set.current),
                     control::generation_text(set.bitmap), control::generation_text(set.history[0]),
                     control::generation_text(set.history[1]));
}

void put_story(Words& out, const Side& side) {
  if (side.connection_lost.known()) {
    out.fact(side.node, readable_text(side.connection_lost) + "  connection lost");
  }
  if (side.because) {
    out.fact(side.node, fmt::format("{}  went on alone ({})", readable_text(side.went_on_alone),
                                    text(*side.because)));
  }
}

// Clocks of two machines may differ: each time is said by the node whose clock it is.
void put_since(Words& out, const VolumeComparison& volume) {
  const Side& mine = volume.mine;
  put_story(out, mine);
  if (volume.theirs) put_story(out, *volume.theirs);
  if (!is_split_brain(volume.verdict)) return;
  const WallTime here = mine.went_on_alone;
  const WallTime there = volume.theirs->went_on_alone;
  if (here.known() && there.known()) {
    out.fact("differ since", readable_text(std::min(here, there)));
    out.fact("split brain since", readable_text(std::max(here, there)));
  } else if (here.known() || there.known()) {
    out.fact("differ since", readable_text(std::max(here, there)) + ", or before");
  } else {
    out.fact("differ since", "not known: no journal tells of it");
  }
}

void put_ranges(Words& out, const Runs& runs, std::uint64_t size_kib, std::size_t most) {
  const std::size_t shown = std::min(runs.size(), most);
  for (std::size_t i = 0; i < shown; ++i) {
    const std::uint64_t first_kib = runs[i].first * (block_bytes / 1024);
    out.line("    sector {:>12}  byte {:>15}  {:>10} KiB", first_kib * sectors_per_kib,
             first_kib * 1024, kib_of(runs[i], size_kib));
  }
  if (shown < runs.size()) {
    out.line("    … and {} more ranges (--all shows them)", runs.size() - shown);
  }
}

std::string amount(const Runs& runs, std::uint64_t size_kib) {
  return fmt::format("{} KiB in {} range{}", kib_of(runs, size_kib), runs.size(),
                     runs.size() == 1 ? "" : "s");
}

void put_changes(Words& out, const Side& side, std::uint64_t size_kib, std::size_t most) {
  const std::string what = side.node + " changed";
  if (!side.reported) {
    out.fact(what, fmt::format("{} KiB, as it said at {}; not where", side.changed_kib,
                               readable_text(side.as_of)));
    return;
  }
  out.fact(what, amount(side.changed, size_kib));
  put_ranges(out, side.changed, size_kib, most);
  if (side.crashed_primary) {
    out.line("    {} crashed as Primary: what its activity log held counts as changed", side.node);
  }
}

// What lies in the past of this node is told where it matters: when nothing is wrong any more.
void put_past(Words& out, const VolumeComparison& volume, const std::string& peer) {
  if (!volume.past || !volume.past->solved.known() || is_split_brain(volume.verdict)) return;
  const PastSplitBrain& past = *volume.past;
  const std::string& victim = past.lost_here ? volume.mine.node : peer;
  out.fact(
      "last split brain",
      fmt::format("{}over since {}: solved {}, {}'s changes were given up",
                  past.found.known() ? "found " + readable_text(past.found) + ", " : "",
                  readable_text(past.solved), past.by_hand ? "by hand" : "by a policy", victim));
}

void put_volume(Words& out, const NodeComparison& all, const VolumeComparison& volume,
                std::size_t most) {
  out.blank();
  out.line("volume {} (/dev/drbd{}, {} KiB){}{}", volume.volume, volume.minor, volume.size_kib,
           all.volumes.size() > 1 ? ": " : "",
           all.volumes.size() > 1 ? headline(all, volume.verdict) : std::string());
  put_past(out, volume, all.theirs);
  if (volume.verdict == Verdict::no_meta_data) return;
  const bool settled = volume.verdict == Verdict::connected || volume.verdict == Verdict::same;
  if (!settled) put_since(out, volume);
  if (!settled && volume.ancestor) {
    out.fact("common ancestor", control::generation_text(*volume.ancestor));
  }
  out.fact("generations", generations_text(volume.mine.generations) + "  " + volume.mine.node);
  if (volume.theirs) {
    out.fact("", generations_text(volume.theirs->generations) + "  " + volume.theirs->node);
  }
  if (settled) return;
  put_changes(out, volume.mine, volume.size_kib, most);
  if (!volume.theirs) return;
  put_changes(out, *volume.theirs, volume.size_kib, most);
  if (!volume.theirs->reported) return;
  out.fact("changed on both", amount(volume.on_both, volume.size_kib));
  put_ranges(out, volume.on_both, volume.size_kib, most);
}

std::string undo_words(const Price& price) {
  if (!price.undo_known) return "whether its old content is kept depends on its configuration";
  if (!price.undo) return "NOTHING OF IT IS KEPT (undo no)";
  if (!price.copied_exactly)
    return "the old content is kept for 'pollux undo', as far as there is room";
  if (price.kept_whole) return "the old content is kept for 'pollux undo'";
  return fmt::format("up to {} KiB of old content are kept for 'pollux undo'", price.kept_kib);
}

void put_choice(Words& out, const NodeComparison& all, bool mine_goes) {
  const std::string& victim = mine_goes ? all.mine : all.theirs;
  out.blank();
  out.line("If {}'s changes are thrown away:", victim);
  for (const VolumeComparison& volume : all.volumes) {
    if (!is_split_brain(volume.verdict)) continue;
    const Price& price = mine_goes ? volume.if_mine_goes : volume.if_theirs_goes;
    out.line("  volume {}: {} KiB of {} are lost, the resync copies {}{} KiB{};", volume.volume,
             price.lost_kib, victim, price.copied_exactly ? "" : "at least ", price.copied_kib,
             volume.verdict == Verdict::split_brain_full ? " (everything)" : "");
    out.line("            {}", undo_words(price));
  }
  for (const Step& step : mine_goes ? all.mine_goes : all.theirs_goes) {
    out.line("  {}# {}{}{}", step.node, step.command, step.remark.empty() ? "" : "    # ",
             step.remark);
  }
}

bool asks_for_export(const NodeComparison& all) {
  if (all.peer_reported) return false;
  return std::any_of(all.volumes.begin(), all.volumes.end(), [](const VolumeComparison& each) {
    return each.verdict != Verdict::connected && each.verdict != Verdict::no_meta_data;
  });
}

}  // namespace

std::string export_hint(const NodeComparison& all) {
  const std::string peer = all.theirs.find(' ') == std::string::npos ? all.theirs : "PEER";
  return fmt::format(
      "ssh {0} pollux explain split-brain {1} --export | "
      "pollux explain split-brain {1} --peer -",
      peer, all.resource);
}

std::string in_words(const NodeComparison& all, std::size_t ranges_max) {
  Words out;
  const Verdict worst = overall(all);
  out.line("{}: {}", all.resource, headline(all, worst));
  if (is_split_brain(worst)) out.line("Nothing is overwritten before somebody names the victim.");
  for (const VolumeComparison& volume : all.volumes)
    put_volume(out, all, volume, ranges_max);
  if (asks_for_export(all)) {
    out.blank();
    out.line("Which ranges {} changed is not told in a handshake. With its report:", all.theirs);
    out.line("  {}# {}", all.mine, export_hint(all));
  }
  if (is_split_brain(worst)) {
    put_choice(out, all, true);
    put_choice(out, all, false);
  }
  return out.take();
}

}  // namespace replicator::pollux
