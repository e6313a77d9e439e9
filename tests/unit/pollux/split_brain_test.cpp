// What two reports say together: a table of pairs of identifiers, the story that the journals tell,
// and the price of either choice. Swapping the sides mirrors the answer (G4).
#include "pollux/split_brain.hpp"

#include <gtest/gtest.h>

#include "pollux/split_brain_text.hpp"

namespace replicator::pollux {
namespace {

using Cause = GenerationCause;

constexpr std::uint64_t A = 0xA0;  // what both had
constexpr std::uint64_t B = 0xB0;
constexpr std::uint64_t C = 0xC0;
constexpr std::uint64_t X = 0x10;
constexpr std::uint64_t Y = 0x20;

GenerationNote note(std::uint64_t time, Cause cause, GenerationSet before = {},
                    GenerationSet after = {}) {
  GenerationNote note;
  note.time = WallTime(time);
  note.cause = cause;
  note.before = before;
  note.after = after;
  return note;
}

NodeReport node(const char* name, GenerationSet set, Runs marked = {}) {
  NodeReport report;
  report.node = name;
  report.resource = "r0";
  report.peer_name = std::string(name) == "alfa" ? "bravo" : "alfa";
  report.time = WallTime(9000);
  report.running = true;
  VolumeReport volume;
  volume.size_kib = 1000;
  volume.has_meta_data = true;
  volume.generations = set;
  volume.state.role = Role::primary;
  volume.state.connection = ConnectionState::stand_alone;
  volume.state.disk = DiskState::up_to_date;
  volume.marked = std::move(marked);
  volume.undo = {true, 0, 1U << 20U};
  report.volumes.push_back(volume);
  return report;
}

// Both went on from A.
NodeReport alfa() {
  NodeReport report = node("alfa", {B | 1, A, {X, Y}}, {{0, 10}, {20, 5}});
  report.volumes[0].journal = {
      note(100, Cause::connected),
      note(1000, Cause::connection_lost),
      note(1001, Cause::connection_lost_as_primary, {A | 1, 0, {X, Y}}, {B | 1, A, {X, Y}}),
  };
  return report;
}
NodeReport bravo() {
  NodeReport report = node("bravo", {C | 1, A, {X, Y}}, {{8, 4}, {100, 1}});
  report.volumes[0].journal = {
      note(100, Cause::connected),
      note(1010, Cause::connection_lost),
      note(2000, Cause::became_primary, {A, 0, {X, Y}}, {A, 0, {X, Y}}),
      note(2001, Cause::promoted_alone, {A, 0, {X, Y}}, {C | 1, A, {X, Y}}),
  };
  return report;
}

Verdict mirrored(Verdict verdict) {
  if (verdict == Verdict::peer_is_ancestor) return Verdict::mine_is_ancestor;
  if (verdict == Verdict::mine_is_ancestor) return Verdict::peer_is_ancestor;
  return verdict;
}

TEST(split_brain, verdicts) {
  struct Row {
    GenerationSet mine;
    GenerationSet theirs;
    Verdict verdict;
    std::optional<std::uint64_t> ancestor;
  };
  const Row rows[] = {
      {{A, 0, {X, Y}}, {A | 1, 0, {X, Y}}, Verdict::same, A},
      {{B, A, {X, Y}}, {A, 0, {X, Y}}, Verdict::peer_is_ancestor, A},
      {{B, 0, {A, X}}, {A, 0, {X, Y}}, Verdict::peer_is_ancestor, A},
      {{B, A | 1, {X, Y}}, {C, A, {X, Y}}, Verdict::split_brain, A},
      {{B, Y, {A, X}}, {C, X, {A, Y}}, Verdict::split_brain_full, Y},
      {{B, 0, {A, X}}, {C, 0, {A, Y}}, Verdict::split_brain_full, A},
      {{B, 0, {X, 0x30}}, {C, 0, {Y, 0x40}}, Verdict::unrelated, std::nullopt},
      {{uuid_just_created, 0, {0, 0}},
       {A, 0, {X, Y}},
       Verdict::mine_is_ancestor,
       uuid_just_created},
  };
  for (const Row& row : rows) {
    const NodeReport mine = node("alfa", row.mine);
    const NodeReport theirs = node("bravo", row.theirs);
    const NodeComparison there = compare_nodes(mine, &theirs);
    EXPECT_STREQ(text(overall(there)), text(row.verdict)) << std::hex << row.mine.current;
    EXPECT_EQ(there.volumes[0].ancestor, row.ancestor);
    const NodeComparison back = compare_nodes(theirs, &mine);
    EXPECT_STREQ(text(overall(back)), text(mirrored(row.verdict)));
  }
}

TEST(split_brain, connected_nodes_have_nothing_to_decide) {
  NodeReport mine = alfa();
  mine.volumes[0].state.connection = ConnectionState::sync_source;
  const NodeReport theirs = bravo();
  const NodeComparison compared = compare_nodes(mine, &theirs);
  EXPECT_EQ(overall(compared), Verdict::connected);
  EXPECT_TRUE(compared.mine_goes.empty());
}

TEST(split_brain, since_when_and_why) {
  const NodeReport theirs = bravo();
  const VolumeComparison volume = compare_nodes(alfa(), &theirs).volumes[0];
  EXPECT_EQ(volume.mine.connection_lost, WallTime(1000));
  EXPECT_EQ(volume.mine.went_on_alone, WallTime(1001));
  EXPECT_EQ(volume.mine.because, Cause::connection_lost_as_primary);
  EXPECT_EQ(volume.theirs->connection_lost, WallTime(1010));
  EXPECT_EQ(volume.theirs->went_on_alone, WallTime(2001));
  EXPECT_EQ(volume.theirs->because, Cause::promoted_alone);
  const std::string words = in_words(compare_nodes(alfa(), &theirs), 10);
  EXPECT_NE(words.find("differ since       1970-01-01 00:00:01 UTC\n"), std::string::npos) << words;
  EXPECT_NE(words.find("split brain since  1970-01-01 00:00:02 UTC\n"), std::string::npos) << words;
}

// A generation that was noted and never reached the disk, because of a crash, is not believed: the
// last one that went on from the ancestor is.
TEST(split_brain, the_last_parting_counts) {
  NodeReport mine = alfa();
  std::vector<GenerationNote>& journal = mine.volumes[0].journal;
  journal.insert(journal.begin() + 1,
                 note(500, Cause::connection_lost_as_primary, {A | 1, 0, {}}, {0xD0, A, {}}));
  const NodeReport theirs = bravo();
  EXPECT_EQ(compare_nodes(mine, &theirs).volumes[0].mine.went_on_alone, WallTime(1001));
}

TEST(split_brain, ranges_and_prices) {
  const NodeReport theirs = bravo();
  NodeReport mine = alfa();
  const VolumeComparison volume = compare_nodes(mine, &theirs).volumes[0];
  EXPECT_EQ(volume.mine.changed_kib, 60U);
  EXPECT_EQ(volume.theirs->changed_kib, 20U);
  EXPECT_EQ(volume.on_both, (Runs{{8, 2}}));
  EXPECT_EQ(volume.if_mine_goes.lost_kib, 60U);
  EXPECT_EQ(volume.if_theirs_goes.lost_kib, 20U);
  EXPECT_EQ(volume.if_mine_goes.copied_kib, 72U);
  EXPECT_TRUE(volume.if_mine_goes.copied_exactly);
  EXPECT_TRUE(volume.if_mine_goes.kept_whole);

  mine.volumes[0].undo = {true, 40, 1000};
  EXPECT_EQ(compare_nodes(mine, &theirs).volumes[0].if_mine_goes.kept_kib, 40U);
  EXPECT_FALSE(compare_nodes(mine, &theirs).volumes[0].if_mine_goes.kept_whole);
  mine.volumes[0].undo = {true, 0, 30};
  EXPECT_EQ(compare_nodes(mine, &theirs).volumes[0].if_mine_goes.kept_kib, 30U);
  mine.volumes[0].undo.on = false;
  EXPECT_FALSE(compare_nodes(mine, &theirs).volumes[0].if_mine_goes.undo);
}

// Without a common bitmap identifier nothing less than everything is copied.
TEST(split_brain, without_a_common_bitmap_everything_is_copied) {
  const NodeReport mine = node("alfa", {B, 0, {A, X}}, {{0, 1}});
  const NodeReport theirs = node("bravo", {C, 0, {A, Y}}, {{1, 1}});
  const VolumeComparison volume = compare_nodes(mine, &theirs).volumes[0];
  EXPECT_EQ(volume.if_mine_goes.copied_kib, 1000U);
  EXPECT_EQ(volume.if_mine_goes.lost_kib, 4U);
}

TEST(split_brain, what_the_peer_told_is_known_without_its_report) {
  NodeReport mine = alfa();
  EXPECT_EQ(overall(compare_nodes(mine, nullptr)), Verdict::not_met);
  const PeerAccount account{WallTime(5000), {C | 1, A, {X, Y}}, 5, false};
  mine.volumes[0].told = account;
  NodeComparison compared = compare_nodes(mine, nullptr);
  EXPECT_EQ(overall(compared), Verdict::split_brain);
  EXPECT_EQ(compared.theirs, "bravo");
  EXPECT_EQ(compared.volumes[0].theirs->changed_kib, 20U);
  EXPECT_FALSE(compared.volumes[0].theirs->reported);
  EXPECT_FALSE(compared.volumes[0].if_mine_goes.copied_exactly);
  EXPECT_FALSE(compared.volumes[0].if_theirs_goes.undo_known);

  // The journal remembers it after the daemon has ended …
  mine.volumes[0].told.reset();
  mine.volumes[0].journal.push_back(note(5000, Cause::peer_told));
  mine.volumes[0].journal.back().peer = account;
  mine.volumes[0].journal.push_back(note(6000, Cause::attached));
  EXPECT_EQ(overall(compare_nodes(mine, nullptr)), Verdict::split_brain);
  // … and what it said before they were connected again is of no use.
  mine.volumes[0].journal.push_back(note(7000, Cause::connected));
  mine.volumes[0].journal.push_back(note(8000, Cause::connection_lost));
  compared = compare_nodes(mine, nullptr);
  EXPECT_EQ(overall(compared), Verdict::not_met);
  EXPECT_EQ(compared.volumes[0].mine.connection_lost, WallTime(8000));
}

std::vector<std::string> commands(const std::vector<Step>& steps) {
  std::vector<std::string> lines;
  lines.reserve(steps.size());
  for (const Step& step : steps)
    lines.push_back(step.node + " " + step.command);
  return lines;
}

TEST(split_brain, commands_of_either_choice) {
  NodeReport mine = alfa();
  NodeReport theirs = bravo();
  theirs.volumes[0].state.connection = ConnectionState::wf_connection;
  theirs.volumes[0].state.role = Role::secondary;
  NodeComparison compared = compare_nodes(mine, &theirs);
  EXPECT_EQ(commands(compared.mine_goes),
            (std::vector<std::string>{"alfa drbdadm secondary r0",
                                      "alfa drbdadm -- --discard-my-data connect r0"}));
  EXPECT_EQ(commands(compared.theirs_goes),
            (std::vector<std::string>{"bravo drbdadm disconnect r0",
                                      "bravo drbdadm -- --discard-my-data connect r0",
                                      "alfa drbdadm connect r0"}));
  theirs.running = false;
  theirs.volumes[0].state.connection = ConnectionState::stand_alone;
  compared = compare_nodes(mine, &theirs);
  EXPECT_EQ(commands(compared.mine_goes).back(), "bravo drbdadm up r0");
}

TEST(split_brain, what_is_over_is_told_as_the_past) {
  NodeReport mine = alfa();
  VolumeReport& volume = mine.volumes[0];
  volume.journal.push_back(note(5000, Cause::split_brain_found));
  EXPECT_FALSE(compare_nodes(mine, nullptr).volumes[0].past->solved.known());
  volume.journal.push_back(note(6000, Cause::split_brain_solved_by_hand));
  volume.journal.push_back(note(6001, Cause::target_began));
  volume.state.connection = ConnectionState::connected;
  const NodeComparison compared = compare_nodes(mine, nullptr);
  ASSERT_TRUE(compared.volumes[0].past);
  EXPECT_EQ(compared.volumes[0].past->found, WallTime(5000));
  EXPECT_EQ(compared.volumes[0].past->solved, WallTime(6000));
  EXPECT_TRUE(compared.volumes[0].past->by_hand);
  EXPECT_TRUE(compared.volumes[0].past->lost_here);
  const std::string words = in_words(compared, 10);
  EXPECT_NE(words.find("solved by hand, alfa's changes were given up"), std::string::npos) << words;
}

// One volume is enough, and the commands are the resource's.
TEST(split_brain, one_of_two_volumes) {
  NodeReport mine = alfa();
  NodeReport theirs = bravo();
  for (NodeReport* report : {&mine, &theirs}) {
    VolumeReport other = report->volumes[0];
    other.volume = 1;
    other.generations = {A, 0, {X, Y}};
    other.marked.clear();
    report->volumes.insert(report->volumes.begin(), other);
  }
  const NodeComparison compared = compare_nodes(mine, &theirs);
  EXPECT_EQ(overall(compared), Verdict::split_brain);
  EXPECT_EQ(compared.volumes[0].verdict, Verdict::same);
  EXPECT_EQ(compared.volumes[1].verdict, Verdict::split_brain);
  EXPECT_EQ(compared.mine_goes.size(), 3U);
  const std::string words = in_words(compared, 10);
  EXPECT_NE(words.find("volume 1 (/dev/drbd0, 1000 KiB): no split brain"), std::string::npos);
  EXPECT_NE(words.find("  volume 0: 60 KiB of alfa are lost"), std::string::npos) << words;
  EXPECT_EQ(words.find("  volume 1: "), std::string::npos) << words;

  // A volume that the peer's report does not have is not known.
  theirs.volumes.erase(theirs.volumes.begin());
  EXPECT_EQ(compare_nodes(mine, &theirs).volumes[0].verdict, Verdict::not_met);
}

TEST(split_brain, long_lists_are_cut_and_say_so) {
  NodeReport mine = alfa();
  mine.volumes[0].marked.clear();
  for (std::uint64_t i = 0; i < 50; ++i)
    mine.volumes[0].marked.push_back(BlockRun{i * 2, 1});
  const NodeReport theirs = bravo();
  const std::string words = in_words(compare_nodes(mine, &theirs), 3);
  EXPECT_NE(words.find("200 KiB in 50 ranges"), std::string::npos) << words;
  EXPECT_NE(words.find("… and 47 more ranges"), std::string::npos) << words;
}

}  // namespace
}  // namespace replicator::pollux
