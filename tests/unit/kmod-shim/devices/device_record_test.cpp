#include "devices/device_record.hpp"

#include <gtest/gtest.h>

namespace replicator::shim {
namespace {

DeviceRecord record() {
  DeviceRecord made;
  made.minor = 3;
  made.id = 17;
  made.token = 0x53addfb45a16b23e;
  made.volume = "a-resource-0";
  return made;
}

TEST(DeviceRecordTest, WhatIsWrittenIsReadAgain) {
  DeviceRecord made = record();
  EXPECT_EQ(text(made), "17 53addfb45a16b23e current a-resource-0\n");
  EXPECT_EQ(parse_record(3, text(made)), made);
  made.outdated = true;
  made.token = 1;
  made.volume = std::string(128, 'r') + "-65534";
  EXPECT_EQ(parse_record(3, text(made)), made);
}

TEST(DeviceRecordTest, WhatWasCutOffIsNone) {
  const std::string whole = text(record());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_record(3, whole.substr(0, size))) << size;
  for (const char* each : {"\n", "x 1 current r-0\n", "1 xyz current r-0\n", "1 1 current \n",
                           "-1 1 current r-0\n", "99999999999 1 current r-0\n"})
    EXPECT_FALSE(parse_record(3, each)) << each;
  // Who cannot be understood has not said that the data are current.
  EXPECT_TRUE(parse_record(3, "1 1 whatever r-0\n")->outdated);
}

}  // namespace
}  // namespace replicator::shim
