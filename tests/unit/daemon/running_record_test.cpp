#include "daemon/running_record.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

using control::OptionMap;
using control::Request;

Request ask(std::string command, std::string object, std::vector<std::string> arguments = {},
            OptionMap options = {}) {
  return {std::move(command), std::move(object), std::move(arguments), std::move(options)};
}

class Record : public ::testing::Test {
 protected:
  Record() {
    note(ask("new-resource", "r0", {}, {{"peer-name", "bravo"}}));
    note(ask("new-minor", "r0", {"10", "0"}));
    note(ask("attach", "10", {"/dev/a", "/dev/a", "internal"}, {{"al-extents", "257"}}));
    note(ask("connect", "r0", {"ipv4:10.0.0.1:7789", "ipv4:10.0.0.2:7789"}, {{"protocol", "C"}}));
  }
  void note(const Request& request) { EXPECT_TRUE(record_.note("r0", request)) << request.command; }
  std::vector<std::string> commands() const {
    std::vector<std::string> names;
    for (const auto& [resource, request] : record_.configuration())
      names.push_back(resource + " " + request.command);
    return names;
  }
  const Request& configured(const std::string& command) const {
    static Request found;
    for (const auto& [resource, request] : record_.configuration())
      if (request.command == command) return found = request;
    return found = Request();
  }
  RunningRecord record_;
};

TEST_F(Record, EachFindsWhatItRefersTo) {
  EXPECT_TRUE(record_.note("r1", ask("new-resource", "r1")));
  EXPECT_TRUE(record_.note("r1", ask("new-minor", "r1", {"2", "0"})));
  EXPECT_TRUE(record_.note("r1", ask("attach", "2", {"/dev/b", "/dev/b", "internal"})));
  EXPECT_EQ(commands(),
            (std::vector<std::string>{"r0 new-resource", "r1 new-resource", "r0 new-minor",
                                      "r1 new-minor", "r0 attach", "r1 attach", "r0 connect"}));
}

TEST_F(Record, WhatIsWrittenIsReadAgain) {
  note(ask("primary", "10", {}, {{"force", "yes"}}));
  record_.leave("r0", {{"connected", "yes"}});
  const std::string whole = record_.text();
  const Result<RunningRecord> read = RunningRecord::parse(whole);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, record_);
  EXPECT_EQ(read->left("r0")->at("connected"), "yes");
  EXPECT_EQ(RunningRecord::parse(RunningRecord().text()), RunningRecord());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(RunningRecord::parse(std::string_view(whole).substr(0, size))) << size;
}

TEST_F(Record, WhatIsNotSuchARecordIsNone) {
  for (const char* each :
       {"", "\n", "end 0\n", "pollux-running 1\n", "pollux-running 1\nend 2\n",
        "pollux-running one\nend 1\n", "something 1\nend 1\n", "pollux-running 1\nnothing\nend 2\n",
        "pollux-running 1\n{\"command\":\"attach\",\"object\":\"0\"}\nend 2\n",
        "pollux-running 1\n{\"command\":\"new-resource\",\"object\":\"r\"}\n"
        "{\"command\":\"shutdown\",\"object\":\"\"}\nend 3\n"})
    EXPECT_FALSE(RunningRecord::parse(each)) << each;
  const Result<RunningRecord> later = RunningRecord::parse("pollux-running 2\nend 1\n");
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().fault(), Fault::unsupported);
}

TEST_F(Record, NothingIsForcedOrDiscardedTwice) {
  note(ask("primary", "10", {}, {{"force", "yes"}}));
  EXPECT_EQ(*record_.primary("r0"), ask("primary", "10"));
  note(ask("connect", "r0", {"a", "b"}, {{"discard-my-data", "yes"}, {"protocol", "A"}}));
  EXPECT_EQ(configured("connect").options, (OptionMap{{"protocol", "A"}}));
}

TEST_F(Record, TheRoleIsWhatItIs) {
  EXPECT_EQ(record_.primary("r0"), nullptr);
  note(ask("primary", "10"));
  EXPECT_NE(record_.primary("r0"), nullptr);
  EXPECT_FALSE(record_.note("r1", ask("secondary", "1")));
  note(ask("secondary", "10"));
  EXPECT_EQ(record_.primary("r0"), nullptr);
  note(ask("primary", "10"));
  EXPECT_TRUE(record_.demoted("r0"));
  EXPECT_FALSE(record_.demoted("r0"));
  EXPECT_EQ(record_.primary("r0"), nullptr);
}

TEST_F(Record, OptionsAddUpUntilTheyAreSetAnew) {
  note(ask("disk-options", "10", {}, {{"resync-rate", "1M"}, {"md-flushes", "no"}}));
  note(ask("disk-options", "10", {}, {{"resync-rate", "2M"}}));
  EXPECT_EQ(configured("disk-options").options,
            (OptionMap{{"md-flushes", "no"}, {"resync-rate", "2M"}}));
  note(ask("disk-options", "10", {}, {{"set-defaults", "yes"}, {"c-plan-ahead", "0"}}));
  EXPECT_EQ(configured("disk-options").options,
            (OptionMap{{"c-plan-ahead", "0"}, {"set-defaults", "yes"}}));
  note(ask("attach", "10", {"/dev/a", "/dev/a", "internal"}));
  EXPECT_TRUE(configured("disk-options").command.empty());
}

TEST_F(Record, WhatIsTakenBackIsForgotten) {
  note(ask("net-options", "r0", {}, {{"ping-int", "3"}}));
  note(ask("pause-sync", "10"));
  note(ask("suspend-io", "10"));
  note(ask("resume-io", "10"));
  note(ask("resume-sync", "10"));
  note(ask("disconnect", "r0"));
  note(ask("detach", "10"));
  EXPECT_EQ(commands(), (std::vector<std::string>{"r0 new-resource", "r0 new-minor"}));
  note(ask("del-minor", "10"));
  EXPECT_EQ(commands(), (std::vector<std::string>{"r0 new-resource"}));
  note(ask("down", "r0"));
  EXPECT_TRUE(record_.empty());
  EXPECT_FALSE(record_.note("r0", ask("attach", "10")));
}

TEST_F(Record, AnAttachedDiskHasTheSizeItWasGiven) {
  note(ask("resize", "10", {}, {{"size", "1G"}, {"assume-clean", "yes"}}));
  EXPECT_EQ(configured("attach").options, (OptionMap{{"al-extents", "257"}, {"size", "1G"}}));
  note(ask("resize", "10"));
  EXPECT_EQ(configured("attach").options, (OptionMap{{"al-extents", "257"}}));
}

TEST_F(Record, OnlyWhatConfiguresIsRemembered) {
  const RunningRecord before = record_;
  for (const char* each : {"status", "show", "invalidate", "verify", "outdate", "wait-connect"})
    EXPECT_FALSE(record_.note("r0", ask(each, "10"))) << each;
  EXPECT_EQ(record_, before);
}

}  // namespace
}  // namespace replicator
