#include "keeper/messages.hpp"

#include <gtest/gtest.h>

namespace replicator::shim::keeper {
namespace {

TEST(KeeperMessage, WhatIsSaidIsUnderstood) {
  using Verb = Message::Verb;
  const std::string note("any\nbytes\0at all", 15);
  for (const Message& each : {Message{Verb::keep, "fuse r0-0", note}, Message{Verb::keep, "a", ""},
                              Message{Verb::fetch, "fuse a-resource-65534", ""},
                              Message{Verb::forget, "a name of words", ""}})
    EXPECT_EQ(parse_message(text(each)), each) << text(each);
}

// Keepers and daemons of different versions meet.
TEST(KeeperMessage, TheWordsStayTheSame) {
  EXPECT_EQ(text({Message::Verb::keep, "fuse r0-0", "note"}), "keep fuse r0-0\nnote");
  EXPECT_EQ(text({Message::Verb::fetch, "fuse r0-0", ""}), "fetch fuse r0-0");
  EXPECT_EQ(text({Message::Verb::forget, "fuse r0-0", ""}), "forget fuse r0-0");
}

TEST(KeeperMessage, AnythingElseIsNone) {
  for (const char* each : {"", "\n", "keep", "keep ", "keep \nnote", "keep name", "fetch", "fetch ",
                           "fetch name\nnote", "forget name\n", "list all", " fetch name"})
    EXPECT_FALSE(parse_message(each)) << each;
  EXPECT_FALSE(parse_message("keep name\n" + std::string(packet_bytes_max, 'x')));
}

}  // namespace
}  // namespace replicator::shim::keeper
