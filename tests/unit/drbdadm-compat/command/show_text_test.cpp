// `drbdsetup show`: byte for byte what DRBD 8.4 printed for the same configuration, and text that
// the configuration parser reads back to the same options.
#include "command/show_text.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/parser.hpp"
#include "control/option_table.hpp"
#include "tests/support/memory_files.hpp"

namespace replicator::command {
namespace {

using control::ResourceShow;
using control::VolumeShow;

ResourceShow sample() {
  ResourceShow resource;
  resource.name = "r0";
  resource.has_connection = true;
  resource.peer = {*control::parse_address("10.77.0.1:7789"),
                   *control::parse_address("10.77.0.2:7789")};
  resource.net.verify_alg = "crc32c";
  VolumeShow volume;
  volume.backing = BackingConfig{"/dev/vdb", "/dev/vdb", {}};
  volume.disk.resync_rate = 30720;
  volume.disk.c_plan_ahead_tenths = 0;
  resource.volumes.push_back(volume);
  return resource;
}

TEST(ShowText, PrintsWhatDrbdPrints) {
  std::ifstream in("tests/fixtures/status/show.txt");
  std::stringstream recorded;
  recorded << in.rdbuf();
  EXPECT_EQ(show_text(sample(), false), recorded.str() + "\n");
}

TEST(ShowText, DisconnectedAndDiskless) {
  ResourceShow resource = sample();
  resource.has_connection = false;
  resource.volumes[0].backing.reset();
  EXPECT_EQ(show_text(resource, false),
            "resource r0 {\n"
            "    options {\n"
            "    }\n"
            "    _this_host {\n"
            "        volume 0 {\n"
            "            device\t\t\tminor 0;\n"
            "        }\n"
            "    }\n"
            "}\n\n");
}

TEST(ShowText, PlacesOfMetaData) {
  const struct {
    MetaDiskIndex index;
    const char* line;
  } rows[] = {
      {{MetaDiskIndex::Kind::internal, 0}, "meta-disk\t\t\tinternal;\n"},
      {{MetaDiskIndex::Kind::flexible, 0}, "meta-disk\t\t\t\"/dev/md\";\n"},
      {{MetaDiskIndex::Kind::indexed, 3}, "meta-disk\t\t\t\"/dev/md\" [ 3 ];\n"},
  };
  for (const auto& row : rows) {
    ResourceShow resource = sample();
    resource.volumes[0].backing = BackingConfig{"/dev/vdb", "/dev/md", row.index};
    const std::string text = show_text(resource, false);
    EXPECT_NE(text.find(row.line), std::string::npos) << text;
  }
}

TEST(ShowText, DefaultsOnRequestAreMarked) {
  const std::string text = show_text(sample(), true);
  for (const char* line :
       {"timeout         \t60; # 1/10 seconds, default\n", "protocol        \tC; # default\n",
        "resync-rate     \t30720k; # bytes/second\n", "cpu-mask        \t\"\"; # default\n",
        "c-min-rate      \t0k; # bytes/second, default, DRBD has 250k\n",
        "undo-min-free   \t20; # percent, default, not an option of DRBD\n",
        "tls-psk-file    \t\"\"; # default, not an option of DRBD\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(show_text(sample(), false).find("DRBD"), std::string::npos);
  EXPECT_EQ(text.find("discard-my-data"), std::string::npos) << "of one attempt, not a setting";
}

control::OptionMap options_of(const config::Section& section) {
  control::OptionMap map;
  for (const config::Setting& setting : section.settings)
    map[setting.name] = setting.value;
  return map;
}

template <class Options>
std::vector<std::string> texts(const Options& options) {
  std::vector<std::string> all;
  for (const control::PrintedOption& printed : control::print_options(options, true))
    all.push_back(std::string(printed.option->name) + "=" + printed.text);
  return all;
}

// The two hosts have no names in `show`, and the peer's disks are not known; with both it is a
// configuration.
std::string as_configuration(std::string text) {
  const auto replace = [&text](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace("_remote_host {",
          "on bravo { volume 0 { device minor 0; disk /dev/vdb; meta-disk internal; }");
  replace("_this_host", "on alfa");
  return text;
}

TEST(ShowText, TheParserReadsTheSameOptionsBack) {
  ResourceShow resource = sample();
  resource.options.on_no_data_accessible = OnNoData::suspend_io;
  resource.net.shared_secret = "a \"quoted\\ secret\"; # no comment";
  resource.net.cram_hmac_alg = "sha256";
  resource.net.protocol = WireProtocol::a;
  resource.net.on_congestion = OnCongestion::pull_ahead;
  resource.net.congestion_fill_sectors = 2048;
  resource.net.after_sb_0pri = AfterSplitBrain::discard_zero_changes;
  resource.net.allow_two_primaries = true;
  resource.peer.peer = *control::parse_address("[fd00::2]:7790");
  DiskOptions& disk = resource.volumes[0].disk;
  disk.size_sectors = 123456;
  disk.fencing = Fencing::resource_and_stonith;
  disk.read_balancing = ReadBalancing::stripe_64k;
  disk.disk_flushes = false;
  for (const bool defaults : {false, true}) {
    test::MemoryFiles files;
    files.files["r0.res"] = as_configuration(show_text(resource, defaults));
    config::Diagnostics diagnostics;
    const config::Config parsed = config::load(files, "r0.res", diagnostics);
    EXPECT_EQ(diagnostics.text(), "") << files.files["r0.res"];
    const config::Resource* found = parsed.find("r0");
    ASSERT_NE(found, nullptr);
    ResourceOptions options;
    NetOptions net;
    DiskOptions read_disk;
    const auto problem = control::apply_options(
        options_of(found->sections.of(control::OptionSection::resource)), options);
    EXPECT_FALSE(problem) << *problem;
    EXPECT_FALSE(
        control::apply_options(options_of(found->sections.of(control::OptionSection::net)), net));
    const config::Host& host = found->hosts.back();
    ASSERT_EQ(host.volumes.size(), 1U);
    EXPECT_FALSE(control::apply_options(
        options_of(host.volumes[0].sections.of(control::OptionSection::disk)), read_disk));
    EXPECT_EQ(texts(options), texts(resource.options));
    EXPECT_EQ(texts(net), texts(resource.net));
    EXPECT_EQ(texts(read_disk), texts(disk));
    EXPECT_EQ(host.address->endpoint(), "10.77.0.1:7789");
    EXPECT_EQ(found->hosts.front().address->endpoint(), "[fd00::2]:7790");
  }
}

}  // namespace
}  // namespace replicator::command
