#include "engine/decide/read_balancing.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace replicator {
namespace {

using R = ReadBalancing;

TEST(ReadBalancing, Policies) {
  struct Row {
    ReadBalancing policy;
    std::uint64_t begin;
    ReadLoad load;
    bool there;
  };
  const std::vector<Row> rows = {
      {R::prefer_local, 0, {100, 0, true}, false},
      {R::when_congested_remote, 0, {100, 0, true}, false},
      {R::prefer_remote, 0, {0, 100, false}, true},
      {R::round_robin, 0, {0, 0, false}, false},
      {R::round_robin, 0, {0, 0, true}, true},
      {R::least_pending, 0, {3, 3, false}, false},
      {R::least_pending, 0, {4, 3, false}, true},
      {R::stripe_32k, 0x7fff, {}, false},
      {R::stripe_32k, 0x8000, {}, true},
      {R::stripe_32k, 0x10000, {}, false},
      {R::stripe_64k, 0x8000, {}, false},
      {R::stripe_64k, 0x10000, {}, true},
      {R::stripe_128k, 0x20000, {}, true},
      {R::stripe_256k, 0x40000, {}, true},
      {R::stripe_512k, 0x80000, {}, true},
      {R::stripe_1m, 0x80000, {}, false},
      {R::stripe_1m, 0x100000, {}, true},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(reads_there(row.policy, ByteOffset(row.begin), row.load), row.there)
        << "row " << &row - rows.data();
  }
}

}  // namespace
}  // namespace replicator
