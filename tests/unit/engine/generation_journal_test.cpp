// The engine tells every change of generations with its reason: whatever happens, what the journal
// heard last is what the volume has, and each note goes on from the one before it.
#include "engine/generation_journal.hpp"

#include "tests/sim/journal_check.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

using Cause = GenerationCause;

class Notes final : public GenerationJournal {
 public:
  void note(const std::string& resource, std::uint32_t volume,
            const GenerationNote& note) override {
    EXPECT_EQ(resource, "r0");
    EXPECT_EQ(volume, 0U);
    if (!heard.empty() && note.cause != Cause::attached) {
      EXPECT_EQ(note.before, heard.back().after) << text(note.cause);
    }
    EXPECT_EQ(note.peer.has_value(), note.cause == Cause::peer_told ||
                                         note.cause == Cause::split_brain_found ||
                                         note.cause == Cause::split_brain_solved_by_hand)
        << text(note.cause);
    if (note.cause < Cause::connection_lost_as_primary) {
      EXPECT_TRUE(sim::same_set(note.before, note.after)) << text(note.cause);
    }
    if (begins_generation(note.cause)) {
      EXPECT_TRUE(same_generation(note.after.bitmap, note.before.current)) << text(note.cause);
    }
    heard.push_back(note);
  }
  [[nodiscard]] std::vector<std::string> causes_after(std::size_t from) const {
    std::vector<std::string> causes;
    for (std::size_t i = from; i < heard.size(); ++i)
      causes.emplace_back(text(heard[i].cause));
    return causes;
  }
  std::vector<GenerationNote> heard;
};

class GenerationJournalTest : public EngineTest {
 protected:
  GenerationJournalTest() {
    resource(pair_.n1).set_generation_journal(&first_);
    resource(pair_.n2).set_generation_journal(&second_);
    for (const char* line : {"Split-Brain", "the handshake was refused"})
      pair_.world.expect_error(line);
  }
  void expect_all_told(sim::Node& node, const Notes& notes) {
    const GenerationSet& own = volume(node).backing()->superblock().generations;
    GenerationSet told = notes.heard.back().after;
    // Who is Primary is marked in the identifier without changing it.
    told.set_current(told.current, (own.current & 1U) != 0);
    EXPECT_EQ(told, own);
  }
  void role(sim::Node& node, Role role, bool force = false) {
    ASSERT_EQ(pair_.run(resource(node).set_role(role, force)).code, 0);
  }

  Notes first_;
  Notes second_;
};

TEST_F(GenerationJournalTest, a_split_brain_from_begin_to_end) {
  up();
  role(pair_.n1, Role::primary, true);
  wait_until_synced();
  const std::size_t first_synced = first_.heard.size();
  const std::size_t second_synced = second_.heard.size();
  EXPECT_EQ(first_.causes_after(0),
            (std::vector<std::string>{"attached", "peer told its generations", "connected",
                                      "became Primary", "promoted by force",
                                      "resync began, as source", "resync done, as source"}));
  expect_all_told(pair_.n1, first_);
  expect_all_told(pair_.n2, second_);

  ASSERT_EQ(pair_.run(resource(pair_.n1).disconnect(true)).code, 0);
  ASSERT_EQ(pair_.run(resource(pair_.n2).disconnect(true)).code, 0);
  ASSERT_TRUE(write(pair_.n1, 0, 8192, 1).ok());
  role(pair_.n2, Role::primary);
  ASSERT_TRUE(write(pair_.n2, 4096, 8192, 2).ok());
  EXPECT_EQ(first_.causes_after(first_synced),
            (std::vector<std::string>{"connection lost", "connection lost while Primary"}));
  EXPECT_EQ(second_.causes_after(second_synced),
            (std::vector<std::string>{"connection lost", "became Primary",
                                      "became Primary while not connected"}));
  const GenerationSet mine = first_.heard.back().after;
  const GenerationSet theirs = second_.heard.back().after;
  EXPECT_TRUE(same_generation(mine.bitmap, theirs.bitmap));
  EXPECT_FALSE(same_generation(mine.current, theirs.current));
  EXPECT_GT(first_.heard.back().time.milliseconds(), 1'700'000'000'000U);

  // They meet, and nobody has decided.
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  pair_.world.run_for(Duration::seconds(20));
  const NodeReport found = resource(pair_.n1).report();
  ASSERT_TRUE(found.volumes[0].told);
  EXPECT_EQ(found.volumes[0].told->generations, theirs);
  EXPECT_EQ(found.volumes[0].told->dirty_blocks, 2U);
  EXPECT_EQ(found.volumes[0].marked_blocks, 2U);

  // By hand, n2's changes go.
  role(pair_.n2, Role::secondary);
  for (sim::Node* node : {&pair_.n1, &pair_.n2})
    ASSERT_EQ(pair_.run(resource(*node).disconnect(true)).code, 0);
  const std::size_t second_parted = second_.heard.size();
  net.discard_my_data = true;
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  net.discard_my_data = false;
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  wait_until_synced();
  EXPECT_EQ(
      second_.causes_after(second_parted),
      (std::vector<std::string>{"peer told its generations", "split brain solved by hand",
                                "connected", "resync began, as target", "resync done, as target"}));
  EXPECT_FALSE(resource(pair_.n2).report().volumes[0].told);
  expect_all_told(pair_.n1, first_);
  expect_all_told(pair_.n2, second_);
  expect_equal();
}

// Nothing listens, and nothing is missed.
TEST_F(GenerationJournalTest, goes_without_a_journal) {
  resource(pair_.n1).set_generation_journal(nullptr);
  up();
  role(pair_.n1, Role::primary, true);
  wait_until_synced();
  EXPECT_TRUE(first_.heard.empty());
}

}  // namespace
}  // namespace replicator
