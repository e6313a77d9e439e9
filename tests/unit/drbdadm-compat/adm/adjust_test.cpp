// adjust: each difference has its steps, and no difference has none.
#include "adm/adjust.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/recording_tools.hpp"

namespace replicator::test {
namespace {

constexpr const char* config_text = R"(
resource r0 {
  net { protocol C; verify-alg sha1; }
  disk { resync-rate 10M; }
  on alfa { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.1:7789; }
  on bravo { device /dev/drbd0; disk /dev/vdb; meta-disk internal; address 10.77.0.2:7789; }
}
)";

control::ResourceShow as_configured() {
  control::ResourceShow running;
  running.name = "r0";
  running.has_connection = true;
  running.peer.local = *control::parse_address("ipv4:10.77.0.1:7789");
  running.peer.peer = *control::parse_address("ipv4:10.77.0.2:7789");
  running.net.verify_alg = "sha1";
  control::VolumeShow volume;
  volume.backing.emplace();
  volume.backing->disk_path = "/dev/vdb";
  volume.backing->meta_disk_path = "/dev/vdb";
  volume.disk.resync_rate = 10240;
  running.volumes.push_back(volume);
  return running;
}

using Lines = std::vector<std::string>;
constexpr const char* connect =
    "drbdsetup connect r0 ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789 --_name=bravo --protocol=C "
    "--verify-alg=sha1";
constexpr const char* apply_al = "drbdmeta 0 v08 /dev/vdb internal apply-al";
constexpr const char* attach = "drbdsetup attach 0 /dev/vdb /dev/vdb internal --resync-rate=10M";

struct Row {
  const char* name;
  std::function<void(control::ResourceShow&)> change;
  Lines steps;
};

TEST(Adjust, EachDifferenceHasItsSteps) {
  const Row rows[] = {
      {"nothing", [](auto&) {}, {}},
      {"disk option",
       [](auto& r) { r.volumes[0].disk.resync_rate = 30720; },
       {"drbdsetup disk-options 0 --set-defaults --resync-rate=10M"}},
      {"an option that the file no longer has",
       [](auto& r) { r.net.ko_count = 3; },
       {"drbdsetup net-options ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789 --set-defaults "
        "--protocol=C --verify-alg=sha1"}},
      {"resource option",
       [](auto& r) { r.options.on_no_data_accessible = OnNoData::suspend_io; },
       {"drbdsetup resource-options r0 --set-defaults"}},
      {"no connection", [](auto& r) { r.has_connection = false; }, {connect}},
      {"peer's port",
       [](auto& r) { r.peer.peer = *control::parse_address("ipv4:10.77.0.2:7000"); },
       {"drbdsetup disconnect r0", connect}},
      {"no disk", [](auto& r) { r.volumes[0].backing.reset(); }, {apply_al, attach}},
      {"another disk",
       [](auto& r) { r.volumes[0].backing->disk_path = "/dev/vdc"; },
       {"drbdsetup detach 0", apply_al, attach}},
      {"another minor",
       [](auto& r) { r.volumes[0].minor = 7; },
       {"drbdsetup detach 7", "drbdsetup del-minor 7", "drbdsetup new-minor r0 0 0", apply_al,
        attach}},
      {"a size that the file does not have",
       [](auto& r) { r.volumes[0].disk.size_sectors = 2048; },
       {"drbdsetup resize 0", "drbdmeta 0 v08 /dev/vdb internal check-resize"}},
      {"options of a disk whose size differs",
       [](auto& r) {
         r.volumes[0].disk.size_sectors = 2048;
         r.volumes[0].disk.al_extents = 257;
       },
       {"drbdsetup disk-options 0 --set-defaults --resync-rate=10M --size=2048s",
        "drbdsetup resize 0", "drbdmeta 0 v08 /dev/vdb internal check-resize"}},
      {"a volume too many",
       [](auto& r) {
         r.volumes.push_back(control::VolumeShow());
         r.volumes[1].volume = 1;
         r.volumes[1].minor = 1;
       },
       {"drbdsetup del-minor 1"}},
  };
  for (const Row& row : rows) {
    RecordingTools tools;
    tools.memory.files["/etc/drbd.conf"] = config_text;
    tools.shown.push_back(as_configured());
    row.change(tools.shown[0]);
    const AdmRun result = run_adm(tools, {"adjust", "r0"});
    EXPECT_EQ(result.code, 0) << row.name << result.err;
    EXPECT_EQ(tools.ran, row.steps) << row.name;
  }
}

TEST(Adjust, WhatDoesNotRunIsBroughtUp) {
  RecordingTools tools;
  tools.memory.files["/etc/drbd.conf"] = config_text;
  run_adm(tools, {"adjust", "r0"});
  const Lines expected = {"drbdsetup new-resource r0", "drbdsetup new-minor r0 0 0", apply_al,
                          attach, connect};
  EXPECT_EQ(tools.ran, expected);
}

TEST(Adjust, HalfOfItCanBeLeftAlone) {
  RecordingTools tools;
  tools.memory.files["/etc/drbd.conf"] = config_text;
  tools.shown.push_back(as_configured());
  tools.shown[0].has_connection = false;
  tools.shown[0].volumes[0].backing.reset();
  run_adm(tools, {"adjust", "--skip-net", "r0"});
  EXPECT_EQ(tools.ran, (Lines{apply_al, attach}));
  tools.ran.clear();
  run_adm(tools, {"adjust", "--skip-disk", "r0"});
  EXPECT_EQ(tools.ran, (Lines{connect}));
}

// Disks that wait for each other's resync find the other's device; what one gives back another may
// take.
TEST(Adjust, AllGoesThroughTheStagesTogether) {
  RecordingTools tools;
  std::string text = config_text;
  text.replace(text.find("resync-rate 10M;"), 16, "resync-rate 10M; resync-after r1; size 1G;");
  tools.memory.files["/etc/drbd.conf"] = text + R"(
resource r1 {
  on alfa { device /dev/drbd1; disk /dev/vdc; meta-disk internal; address 10.77.0.1:7790; }
  on bravo { device /dev/drbd1; disk /dev/vdc; meta-disk internal; address 10.77.0.2:7790; }
}
)";
  tools.shown.push_back(as_configured());
  tools.shown[0].volumes[0].minor = 1;
  run_adm(tools, {"adjust", "all"});
  const Lines expected = {
      "drbdsetup detach 1",
      "drbdsetup del-minor 1",
      "drbdsetup new-resource r1",
      "drbdsetup new-minor r0 0 0",
      "drbdsetup new-minor r1 1 0",
      apply_al,
      "drbdsetup attach 0 /dev/vdb /dev/vdb internal --resync-rate=10M --resync-after=1 --size=1G",
      "drbdmeta 1 v08 /dev/vdc internal apply-al",
      "drbdsetup attach 1 /dev/vdc /dev/vdc internal",
      "drbdsetup connect r1 ipv4:10.77.0.1:7790 ipv4:10.77.0.2:7790 --_name=bravo"};
  EXPECT_EQ(tools.ran, expected);
}

TEST(Adjust, AtBootTellsOfEachStageAndGoesOn) {
  RecordingTools tools;
  tools.memory.files["/etc/drbd.conf"] = config_text;
  tools.shown.push_back(as_configured());
  const AdmRun nothing = run_adm(tools, {"adjust-with-progress", "all"});
  EXPECT_EQ(nothing.out, "");
  tools.shown[0].volumes[0].backing.reset();
  tools.shown[0].net.ko_count = 3;
  tools.shown[0].has_connection = false;
  tools.codes[attach] = 10;
  const AdmRun failed = run_adm(tools, {"adjust-with-progress", "all"});
  EXPECT_EQ(failed.code, 0);
  EXPECT_EQ(failed.out, "[\n     adjust disk: r0:failed(attach:10)\n]\n");
  tools.codes.clear();
  EXPECT_EQ(run_adm(tools, {"adjust-with-progress", "all"}).out,
            "[\n     adjust disk: r0\n     attempt to connect: r0\n]\n");
}

TEST(Adjust, SaysWhyWhenAsked) {
  RecordingTools tools;
  tools.memory.files["/etc/drbd.conf"] = config_text;
  tools.shown.push_back(as_configured());
  tools.shown[0].net.verify_alg = "md5";
  const AdmRun result = run_adm(tools, {"-d", "-vvv", "adjust", "r0"});
  EXPECT_NE(result.out.find("Value of 'verify-alg' differs: r=md5 c=sha1"), std::string::npos)
      << result.out;
  EXPECT_TRUE(tools.ran.empty());
}

}  // namespace
}  // namespace replicator::test
