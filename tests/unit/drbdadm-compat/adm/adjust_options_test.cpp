// adjust, for every option of the table that can be set while a resource runs: changed alone it is
// applied by exactly one command, the one of its section; taken out of the file as well; and an
// option that runs as the file says has none.
#include <gtest/gtest.h>

#include "adm/adjust.hpp"
#include "control/option_table.hpp"
#include "tests/support/recording_tools.hpp"

namespace replicator::test {
namespace {

using control::Option;
using control::OptionSection;
using control::OptionType;

std::string another_value(const Option& option) {
  switch (option.type) {
    case OptionType::flag: break;
    case OptionType::boolean: return option.preset != 0 ? "no" : "yes";
    case OptionType::number: {
      const std::int64_t value = option.preset != option.minimum ? option.minimum : option.maximum;
      return control::option_text(option, {value, {}});
    }
    case OptionType::enumeration:
      for (const control::EnumWord& word : option.words) {
        if (word.value != option.preset) return std::string(word.word);
      }
      break;
    case OptionType::text: return "md5";
    case OptionType::resync_after: return "r1";
  }
  return {};
}

std::string config_with(const std::string& section, const std::string& setting) {
  return "resource r0 { " + section + " { " + setting + R"( }
  device /dev/drbd0; disk /dev/vdb; meta-disk internal;
  on alfa { address 10.77.0.1:7789; }
  on bravo { address 10.77.0.2:7789; }
}
resource r1 {
  device /dev/drbd1; disk /dev/vdc; meta-disk internal;
  on alfa { address 10.77.0.1:7790; }
  on bravo { address 10.77.0.2:7790; }
}
)";
}

control::ResourceShow running_with_defaults() {
  control::ResourceShow running;
  running.name = "r0";
  running.has_connection = true;
  running.peer.local = *control::parse_address("ipv4:10.77.0.1:7789");
  running.peer.peer = *control::parse_address("ipv4:10.77.0.2:7789");
  control::VolumeShow volume;
  volume.backing.emplace();
  volume.backing->disk_path = "/dev/vdb";
  volume.backing->meta_disk_path = "/dev/vdb";
  running.volumes.push_back(volume);
  return running;
}

struct Section {
  OptionSection section;
  const char* name;
  const char* command;
};
constexpr Section sections[] = {
    {OptionSection::resource, "options", "drbdsetup resource-options r0 --set-defaults"},
    {OptionSection::net, "net",
     "drbdsetup net-options ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789 --set-defaults"},
    {OptionSection::disk, "disk", "drbdsetup disk-options 0 --set-defaults"}};

void set_running(control::ResourceShow& running, const Option& option, const std::string& value) {
  const std::string text = option.type == OptionType::resync_after ? "1" : value;
  const control::OptionMap options{{std::string(option.name), text}};
  std::optional<std::string> problem;
  switch (option.section) {
    case OptionSection::resource: problem = control::apply_options(options, running.options); break;
    case OptionSection::net: problem = control::apply_options(options, running.net); break;
    default: problem = control::apply_options(options, running.volumes[0].disk); break;
  }
  EXPECT_EQ(problem, std::nullopt) << option.name;
}

std::vector<std::string> adjusted(const std::string& config, const control::ResourceShow& running) {
  RecordingTools tools;
  tools.memory.files["/etc/drbd.conf"] = config;
  tools.shown.push_back(running);
  const AdmRun result = run_adm(tools, {"adjust", "r0"});
  EXPECT_EQ(result.code, 0) << config << result.err;
  return tools.ran;
}

TEST(adjust_options, each_one_alone_is_one_command_of_its_section) {
  using Lines = std::vector<std::string>;
  unsigned seen = 0;
  for (const Section& section : sections) {
    for (const Option& option : control::all_options()) {
      // A size is not an option like the others: a resize.
      if (option.section != section.section || option.field == nullptr || option.one_shot ||
          option.ignored || option.name == "size") {
        continue;
      }
      ++seen;
      const std::string value = another_value(option);
      const std::string name(option.name);
      const std::string set = config_with(section.name, name + " " + value + ";");
      const std::string unset = config_with(section.name, "");
      const std::string passed = option.type == OptionType::resync_after ? "1" : value;
      const Lines applied{std::string(section.command) + " --" + name + "=" + passed};
      control::ResourceShow running = running_with_defaults();
      EXPECT_EQ(adjusted(unset, running), Lines{}) << name;
      EXPECT_EQ(adjusted(set, running), applied) << name;
      set_running(running, option, value);
      EXPECT_EQ(adjusted(set, running), Lines{}) << name;
      EXPECT_EQ(adjusted(unset, running), Lines{section.command}) << name;
    }
  }
  EXPECT_GT(seen, 50U);
}

}  // namespace
}  // namespace replicator::test
