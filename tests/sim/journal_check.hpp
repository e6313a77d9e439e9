// The generation journal of a simulated node: keeps nothing, and fails the run when a change of
// generations came without a reason, or with one that it does not fit.
#pragma once

#include <fmt/format.h>

#include "engine/generation_journal.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

// Who is Primary is marked in the current identifier without changing it.
[[nodiscard]] inline bool same_set(GenerationSet a, GenerationSet b) noexcept {
  a.current &= ~std::uint64_t{1};
  b.current &= ~std::uint64_t{1};
  return a == b;
}

class JournalCheck final : public GenerationJournal {
 public:
  explicit JournalCheck(World& world) noexcept : world_(world) {}

  void note(const std::string& /*resource*/, std::uint32_t /*volume*/,
            const GenerationNote& note) override {
    const bool changes = note.cause >= GenerationCause::connection_lost_as_primary;
    const bool unexplained = !changes && !same_set(note.before, note.after);
    const bool unfit = begins_generation(note.cause) &&
                       !same_generation(note.after.bitmap, note.before.current) &&
                       note.cause != GenerationCause::by_hand;
    if (!unexplained && !unfit) return;
    world_.fail(FailureKind::simulator, "journal",
                fmt::format("\"{}\" does not explain {:016X}:{:016X} -> {:016X}:{:016X}",
                            text(note.cause), note.before.current, note.before.bitmap,
                            note.after.current, note.after.bitmap));
  }

 private:
  World& world_;
};

}  // namespace replicator::sim
