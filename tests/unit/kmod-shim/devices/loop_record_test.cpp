#include "devices/loop_record.hpp"

#include <gtest/gtest.h>

namespace replicator::shim {
namespace {

LoopRecord record() { return {3, {17, 4711}, false, "a-resource-0"}; }

TEST(LoopRecordText, WhatIsWrittenIsReadAgain) {
  LoopRecord made = record();
  EXPECT_EQ(text(made), "17 4711\ncurrent a-resource-0\n");
  EXPECT_EQ(parse_loop_record(3, text(made)), made);
  made.outdated = true;
  made.volume = std::string(128, 'r') + "-65534";
  EXPECT_EQ(parse_loop_record(3, text(made)), made);
}

TEST(LoopRecordText, AnOlderDaemonSaidNothingOfTheVolume) {
  const std::optional<LoopRecord> read = parse_loop_record(0, "5 99\n");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->loop, (LoopDevice{5, 99}));
  EXPECT_TRUE(read->volume.empty());
  EXPECT_TRUE(read->outdated) << "nobody has said that the data are current";
}

TEST(LoopRecordText, WhatWasCutOffNamesNoVolume) {
  const std::string whole = text(record());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::optional<LoopRecord> read = parse_loop_record(3, whole.substr(0, size));
    EXPECT_TRUE(!read || read->volume.empty()) << size;
  }
  for (const char* each : {"\n", "x 1\ncurrent r-0\n", "1\ncurrent r-0\n", "1 x\ncurrent r-0\n",
                           "-1 1\ncurrent r-0\n", "99999999999 1\ncurrent r-0\n"})
    EXPECT_FALSE(parse_loop_record(3, each)) << each;
}

}  // namespace
}  // namespace replicator::shim
