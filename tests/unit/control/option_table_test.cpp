#include "control/option_table.hpp"

#include <gtest/gtest.h>

#include <set>

namespace replicator::control {
namespace {

constexpr auto net = OptionSection::net;
constexpr auto disk = OptionSection::disk;

TEST(OptionTable, EveryOptionOccursOncePerSection) {
  std::set<std::pair<OptionSection, std::string_view>> seen;
  for (const Option& option : all_options()) {
    EXPECT_TRUE(seen.emplace(option.section, option.name).second) << option.name;
  }
}

// The engine's structs and the table must not disagree about a default.
TEST(OptionTable, DefaultsAreThoseOfTheStructs) {
  std::vector<PrintedOption> printed = print_options(NetOptions(), true);
  for (const auto& more :
       {print_options(DiskOptions(), true), print_options(ResourceOptions(), true)}) {
    printed.insert(printed.end(), more.begin(), more.end());
  }
  EXPECT_GT(printed.size(), 50U);
  for (const PrintedOption& row : printed) {
    EXPECT_TRUE(row.is_default);
    const OptionValue preset{row.option->type == OptionType::text ? 0 : row.option->preset, {}};
    EXPECT_EQ(row.text, option_text(*row.option, preset)) << row.option->name;
  }
}

TEST(OptionTable, EveryActedOptionIsAppliedAndPrintedBack) {
  for (const Option& option : all_options()) {
    if (option.field == nullptr || option.one_shot) continue;
    const std::int64_t number = option.preset == option.maximum ? option.minimum : option.maximum;
    std::string text = option.type == OptionType::text ? "word" : std::to_string(number);
    if (option.type == OptionType::enumeration) text = option.words[1].word;
    if (option.type == OptionType::boolean) text = option.preset != 0 ? "no" : "yes";
    const OptionMap map{{std::string(option.name), text}};
    std::vector<PrintedOption> printed;
    NetOptions net_options;
    DiskOptions disk_options;
    ResourceOptions resource_options;
    switch (option.section) {
      case OptionSection::net:
        ASSERT_FALSE(apply_options(map, net_options));
        printed = print_options(net_options, false);
        break;
      case OptionSection::disk:
        ASSERT_FALSE(apply_options(map, disk_options));
        printed = print_options(disk_options, false);
        break;
      default:
        ASSERT_FALSE(apply_options(map, resource_options));
        printed = print_options(resource_options, false);
        break;
    }
    ASSERT_EQ(printed.size(), 1U) << option.name;
    EXPECT_EQ(printed[0].option, &option);
    EXPECT_EQ(printed[0].text, option_text(option, parse_option(option, text).value));
  }
}

TEST(OptionTable, ReadsValues) {
  const struct {
    OptionSection section;
    const char* name;
    const char* text;
    std::int64_t number;
    const char* canonical;
  } rows[] = {
      {disk, "resync-rate", "10M", 10240, "10240k"},
      {disk, "resync-rate", "10m", 10240, "10240k"},
      {disk, "resync-rate", "10", 10, "10k"},
      {disk, "resync-rate", "10k", 10, "10k"},
      {disk, "resync-rate", "4G", 4194304, "4194304k"},
      {disk, "resync-rate", "3s", 2, "2k"},
      {disk, "size", "10G", 20971520, "20971520s"},
      {disk, "size", "8", 8, "8s"},
      {disk, "size", "8s", 8, "8s"},
      {disk, "c-fill-target", "1M", 2048, "2048s"},
      {disk, "al-extents", "1K", 1024, "1024"},
      {disk, "resync-after", "-1", -1, "-1"},
      {net, "sndbuf-size", "512k", 524288, "524288"},
      {net, "timeout", "60", 60, "60"},
      {net, "protocol", "a", 1, "A"},
      {net, "after-sb-0pri", "discard-zero-changes", 3, "discard-zero-changes"},
      {net, "use-rle", "no", 0, "no"},
  };
  for (const auto& row : rows) {
    const Option* option = find_option(row.section, row.name);
    ASSERT_NE(option, nullptr) << row.name;
    const ParsedOption parsed = parse_option(*option, row.text);
    EXPECT_EQ(parsed.problem, "") << row.name << " " << row.text;
    EXPECT_EQ(parsed.value.number, row.number) << row.name << " " << row.text;
    EXPECT_EQ(option_text(*option, parsed.value), row.canonical) << row.name << " " << row.text;
  }
}

TEST(OptionTable, SaysWhatIsWrongWithAValue) {
  const struct {
    OptionSection section;
    const char* name;
    std::string text;
    const char* problem;
  } rows[] = {
      {net, "timeout", "9999", "Value is too big.\nAllowed range is 1..600."},
      {net, "timeout", "0", "Value is too small.\nAllowed range is 1..600."},
      {net, "timeout", "99999999999999999999999", "Value is too big.\nAllowed range is 1..600."},
      {net, "timeout", "18446744073709551615G", "Value is too big.\nAllowed range is 1..600."},
      {net, "timeout", "abc", "Value is not a number."},
      {net, "timeout", "", "Value is not a number."},
      {net, "timeout", "M", "Value is not a number."},
      {net, "timeout", "-5", "Value is not a number."},
      {net, "timeout", "1x", "Value is not a number."},
      {disk, "resync-after", "-2", "Value is too small.\nAllowed range is -1..1048575."},
      {disk, "on-io-error", "explode",
       "Value is not valid.\nAllowed values are: pass_on | call-local-io-error | detach"},
      {net, "protocol", "D", "Value is not valid.\nAllowed values are: A | B | C"},
      {net, "allow-two-primaries", "maybe", "Value is not 'yes' or 'no'."},
      {net, "shared-secret", std::string(64, 'x'), "Value is too long.\nmax len: 63"},
      {net, "shared-secret", "\xff", "Value is not printable UTF-8 text."},
      {net, "shared-secret", "a\nb", "Value is not printable UTF-8 text."},
  };
  for (const auto& row : rows) {
    const ParsedOption parsed = parse_option(*find_option(row.section, row.name), row.text);
    EXPECT_EQ(parsed.problem, row.problem) << row.name << " " << row.text;
  }
}

TEST(OptionTable, SetDefaultsPutsBackWhatIsNotMentioned) {
  NetOptions options;
  options.timeout_tenths = 99;
  options.use_rle = false;
  ASSERT_FALSE(apply_options({{"set-defaults", "yes"}, {"use-rle", "no"}}, options));
  EXPECT_EQ(options.timeout_tenths, 60U);
  EXPECT_FALSE(options.use_rle);
}

TEST(OptionTable, AProblemLeavesTheStructUnchanged) {
  DiskOptions options;
  const auto problem = apply_options({{"al-extents", "1000"}, {"resync-rate", "0"}}, options);
  ASSERT_TRUE(problem);
  EXPECT_EQ(*problem, "resync-rate '0': Value is too small. Allowed range is 1..4194304 KiB.");
  EXPECT_EQ(options.al_extents, 1237U);
  EXPECT_EQ(apply_options({{"bogus", "1"}}, options), "unknown option 'bogus'");
}

TEST(OptionTable, OptionsOfTheCommandAreSkipped) {
  ResourceOptions options;
  EXPECT_FALSE(apply_options({{"peer-name", "bravo"}, {"force", "yes"}}, options));
}

}  // namespace
}  // namespace replicator::control
