#include "metatool/meta_call.hpp"

#include <gtest/gtest.h>

namespace replicator::metatool {
namespace {

MetaCall parse(std::vector<std::string> words) { return parse_meta_call(words); }

TEST(meta_call, a_complete_line) {
  const MetaCall call = parse({"--force", "7", "v08", "/dev/sdb", "3", "create-md",
                               "--al-stripes=4", "-z", "64", "--peer-max-bio-size", "128k"});
  ASSERT_EQ(call.exit_code, 0) << call.problem;
  EXPECT_TRUE(call.force);
  EXPECT_FALSE(call.ignore_sanity_checks);
  EXPECT_EQ(call.minor, 7U);
  EXPECT_EQ(call.meta_device, "/dev/sdb");
  EXPECT_EQ(call.index.kind, MetaDiskIndex::Kind::indexed);
  EXPECT_EQ(call.index.slot, 3U);
  EXPECT_EQ(call.command->action, MetaAction::create_md);
  EXPECT_EQ(call.stripes.stripes, 4U);
  EXPECT_EQ(call.stripes.stripe_blocks, 16U);
  EXPECT_EQ(call.peer_max_bio_bytes, 131072U);
}

TEST(meta_call, devices) {
  EXPECT_EQ(parse({"/dev/drbd12", "v08", "d", "internal", "get-gi"}).minor, 12U);
  const MetaCall none = parse({"-", "v08", "d", "internal", "get-gi"});
  EXPECT_EQ(none.exit_code, 0);
  EXPECT_FALSE(none.minor);
  EXPECT_EQ(parse({"1048576", "v08", "d", "internal", "get-gi"}).exit_code, 20);
}

TEST(meta_call, indices) {
  const auto kind = [](const char* word) {
    return parse({"0", "v08", "d", word, "get-gi"}).index.kind;
  };
  EXPECT_EQ(kind("internal"), MetaDiskIndex::Kind::internal);
  EXPECT_EQ(kind("flex-internal"), MetaDiskIndex::Kind::internal);
  EXPECT_EQ(kind("flex-external"), MetaDiskIndex::Kind::flexible);
  EXPECT_EQ(kind("0"), MetaDiskIndex::Kind::indexed);
}

struct Refused {
  std::vector<std::string> words;
  int exit_code;
  const char* problem;
};

TEST(meta_call, refusals) {
  const std::vector<Refused> cases{
      {{}, 20, ""},
      {{"0"}, 20, "Format identifier missing"},
      {{"zero", "v08", "d", "internal", "get-gi"}, 20, "'zero' is not a valid minor number."},
      {{"0", "v99"}, 20, "Unknown format 'v99'."},
      {{"0", "v09", "d", "internal", "create-md"},
       20,
       "Of format 'v09' only dump-md is supported; create-md of v08 converts what is there."},
      {{"0", "v06", "1", "dump-md"}, 20, "Format 'v06' is not supported, only v08 (DRBD 8.4) is."},
      {{"0", "v08", "d"}, 20, "Too few arguments for format"},
      {{"0", "v08", "d", "inside", "get-gi"}, 20, "'inside' is not a valid index number."},
      {{"0", "v08", "d", "-1", "get-gi"}, 20, "drbdmeta: unrecognized option '-1'"},
      {{"0", "v08", "d", "internal"}, 20, "command missing"},
      {{"0", "v08", "d", "internal", "get"}, 20, "Unknown command 'get'."},
      {{"0", "v08", "d", "internal", "set-gi"}, 20, "Required Argument missing"},
      {{"0", "v08", "d", "internal", "get-gi", "--fast"},
       20,
       "drbdmeta: unrecognized option '--fast'"},
      {{"0", "v08", "d", "internal", "get-gi", "--force=1"},
       20,
       "drbdmeta: unrecognized option '--force=1'"},
      {{"0", "v08", "d", "internal", "create-md", "--al-stripes"},
       20,
       "drbdmeta: option '--al-stripes' requires an argument"},
      {{"0", "v08", "d", "internal", "create-md", "-p", "1025k"},
       10,
       "peer-max-bio-size out of range (0...1M)"},
      {{"0", "v08", "d", "internal", "create-md", "-z", "28"},
       10,
       "invalid (too small) al-stripe* settings"},
      {{"0", "v08", "d", "internal", "create-md", "-s", "0"},
       10,
       "invalid (too small) al-stripe* settings"},
      {{"0", "v08", "d", "internal", "create-md", "-z", "32772"},
       10,
       "invalid (too large) al-stripe* settings"},
      {{"0", "v08", "d", "internal", "create-md", "-s", "4294967296", "-z", "4G"},
       10,
       "invalid (too large) al-stripe* settings"},
      {{"0", "v08", "d", "internal", "dump-md", "-s", "2"},
       10,
       "The --al-stripe* options are only allowed with create-md"},
      {{"0", "v08", "d", "internal", "dump-md", "-p", "0"},
       10,
       "The --peer-max-bio-size option is only allowed with create-md"},
  };
  for (const Refused& expected : cases) {
    const MetaCall call = parse(expected.words);
    EXPECT_EQ(call.exit_code, expected.exit_code) << expected.problem;
    EXPECT_EQ(call.problem, expected.problem);
  }
}

TEST(meta_call, additional_arguments_are_ignored_loudly) {
  const MetaCall call = parse({"0", "v08", "d", "internal", "create-md", "1"});
  EXPECT_EQ(call.exit_code, 0);
  EXPECT_TRUE(call.arguments.empty());
  EXPECT_EQ(call.warning, "Ignoring additional arguments");
}

TEST(meta_call, words_behind_two_dashes_are_no_options) {
  const MetaCall call = parse({"0", "v08", "--", "--force", "internal", "get-gi"});
  EXPECT_EQ(call.exit_code, 0);
  EXPECT_FALSE(call.force);
  EXPECT_EQ(call.meta_device, "--force");
}

TEST(meta_call, sizes) {
  EXPECT_EQ(parse_size("12", 1), 12U);
  EXPECT_EQ(parse_size("12", 1024), 12288U);
  EXPECT_EQ(parse_size("12k", 1), 12288U);
  EXPECT_EQ(parse_size("1M", 1024), 1048576U);
  EXPECT_EQ(parse_size("17179869183G", 1), 17179869183ULL << 30U);
  EXPECT_FALSE(parse_size("17179869184G", 1));
  EXPECT_FALSE(parse_size("", 1));
  EXPECT_FALSE(parse_size("k", 1));
  EXPECT_FALSE(parse_size("-1", 1));
  EXPECT_FALSE(parse_size("1kB", 1));
  EXPECT_FALSE(parse_size("1x", 1));
}

}  // namespace
}  // namespace replicator::metatool
