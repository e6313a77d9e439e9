// Whole simulated histories that once failed, and that a history follows from its seed alone.
#include "tests/sim/history.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/sim/campaign.hpp"

namespace replicator::sim {
namespace {

TEST(history, seeds_that_once_failed_are_fine) {
  const std::string path = "tests/sim/regressions.txt";
  std::ifstream in(path);
  std::string line;
  int seeds = 0;
  while (std::getline(in, line)) {
    if (!line.empty() && line.front() != '#') ++seeds;
  }
  ASSERT_GT(seeds, 0);
  EXPECT_EQ(replay_file(path), 0);
}

TEST(history, follows_from_its_seed_alone) {
  HistoryOptions options;
  options.seed = 7;
  const Outcome once = run_history(options);
  options.recording = true;  // watching changes nothing
  const Outcome again = run_history(options);
  EXPECT_TRUE(once.ok()) << once.failure.text;
  EXPECT_EQ(once.trace_hash, again.trace_hash);
  options.seed = 8;
  EXPECT_NE(run_history(options).trace_hash, once.trace_hash);
}

}  // namespace
}  // namespace replicator::sim
