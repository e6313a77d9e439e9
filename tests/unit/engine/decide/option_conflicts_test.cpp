#include "engine/decide/option_conflicts.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

TEST(OptionConflicts, AreRefusedWithTheirNumbers) {
  NetOptions options;
  EXPECT_EQ(net_option_conflict(options, true), 0);
  options.protocol = WireProtocol::a;
  EXPECT_EQ(net_option_conflict(options, false), 0);
  EXPECT_EQ(net_option_conflict(options, true), 154);
  options.on_congestion = OnCongestion::pull_ahead;
  EXPECT_EQ(net_option_conflict(options, false), 0);
  options.allow_two_primaries = true;
  EXPECT_EQ(net_option_conflict(options, false), 139);
  options = {};
  options.on_congestion = OnCongestion::disconnect;
  EXPECT_EQ(net_option_conflict(options, false), 155);
}

TEST(OptionConflicts, FencingWithStonithWantsTheSecondCopyBeforeTheAnswer) {
  EXPECT_EQ(stonith_conflict(WireProtocol::a, true), 154);
  EXPECT_EQ(stonith_conflict(WireProtocol::a, false), 0);
  EXPECT_EQ(stonith_conflict(WireProtocol::b, true), 0);
  EXPECT_EQ(stonith_conflict(WireProtocol::c, true), 0);
}

}  // namespace
}  // namespace replicator
