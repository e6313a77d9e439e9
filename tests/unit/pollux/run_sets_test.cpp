// Two sets of blocks, together and in common, against sets of single blocks.
#include "pollux/run_sets.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.hpp"

namespace replicator::pollux {
namespace {

using Blocks = std::set<std::uint64_t>;

Blocks blocks_of(const Runs& runs) {
  Blocks blocks;
  for (const BlockRun& run : runs) {
    for (std::uint64_t block = run.first; block < run.end(); ++block)
      blocks.insert(block);
  }
  return blocks;
}

Runs runs_of(const Blocks& blocks) {
  Runs runs;
  for (const std::uint64_t block : blocks) {
    if (!runs.empty() && runs.back().end() == block) ++runs.back().count;
    else runs.push_back(BlockRun{block, 1});
  }
  return runs;
}

TEST(run_sets, table) {
  struct Row {
    Runs a;
    Runs b;
    Runs both;
    Runs either;
  };
  const Row rows[] = {
      {{}, {}, {}, {}},
      {{{0, 5}}, {}, {}, {{0, 5}}},
      {{{0, 5}}, {{5, 5}}, {}, {{0, 10}}},
      {{{0, 5}}, {{6, 5}}, {}, {{0, 5}, {6, 5}}},
      {{{0, 10}}, {{2, 3}}, {{2, 3}}, {{0, 10}}},
      {{{0, 4}, {8, 4}}, {{2, 8}}, {{2, 2}, {8, 2}}, {{0, 12}}},
      {{{3, 1}}, {{3, 1}}, {{3, 1}}, {{3, 1}}},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(in_both(row.a, row.b), row.both);
    EXPECT_EQ(in_both(row.b, row.a), row.both);
    EXPECT_EQ(in_either(row.a, row.b), row.either);
    EXPECT_EQ(in_either(row.b, row.a), row.either);
  }
}

TEST(run_sets, any_sets) {
  Prng prng(3);
  for (int round = 0; round < 300; ++round) {
    Blocks a;
    Blocks b;
    Blocks both;
    for (int i = 0; i < 40; ++i) {
      a.insert(prng.below(60));
      b.insert(prng.below(60));
    }
    for (const std::uint64_t block : a) {
      if (b.contains(block)) both.insert(block);
    }
    Blocks either = a;
    either.insert(b.begin(), b.end());
    EXPECT_EQ(blocks_of(in_both(runs_of(a), runs_of(b))), both);
    EXPECT_EQ(in_either(runs_of(a), runs_of(b)), runs_of(either));
  }
}

TEST(run_sets, the_last_block_may_be_a_part) {
  EXPECT_EQ(kib_of(Runs{{0, 2}, {5, 1}}, 100), 12U);
  EXPECT_EQ(kib_of(Runs{{0, 2}, {24, 1}}, 97), 9U);
  EXPECT_EQ(kib_of(Runs{{0, 2}, {25, 1}}, 97), 8U);
}

}  // namespace
}  // namespace replicator::pollux
