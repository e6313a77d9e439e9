// The metrics as Prometheus reads them: every line parses, names are announced once, values are in
// bytes and seconds.
#include "control/metrics_text.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace replicator::control {
namespace {

ResourceMetrics resource_of(const char* name) {
  ResourceMetrics metrics;
  metrics.status.name = name;
  metrics.status.has_connection = true;
  metrics.status.peer_name = "bravo";
  VolumeStatus volume;
  volume.volume = 1;
  volume.minor = 7;
  volume.state.role = Role::primary;
  volume.state.peer_role = Role::secondary;
  volume.state.connection = ConnectionState::sync_source;
  volume.state.disk = DiskState::up_to_date;
  volume.state.peer_disk = DiskState::inconsistent;
  volume.size_kib = 1ULL << 30U;
  volume.disk_written_kib = 3;
  volume.out_of_sync_kib = 8;
  volume.net_sent_kib = 2;
  volume.application_pending = 5;
  volume.local_pending = 4;
  volume.peer_pending = 6;
  volume.in_doubt_sectors = 24;
  volume.progress.active = true;
  volume.progress.total_blocks = 8;
  volume.progress.left_blocks = 2;
  metrics.status.volumes.push_back(volume);
  WriteTimes times;
  times.disk.add(Duration::microseconds(10));
  times.disk.add(Duration::microseconds(100));
  times.disk.add(Duration::milliseconds(1));
  times.disk.add(Duration::seconds(60));
  metrics.times.push_back(times);
  return metrics;
}

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(MetricsText, NamesLabelsAndUnitsOfDrbdReactor) {
  const std::string text = metrics_text(std::vector{resource_of("r0")});
  for (const char* line : {
           "drbd_resource_resources 1",
           "drbd_resource_role{name=\"r0\",drbd_resource_role=\"Primary\"} 1",
           "drbd_resource_role{name=\"r0\",drbd_resource_role=\"Secondary\"} 0",
           "drbd_resource_suspended{name=\"r0\"} 0",
           "drbd_resource_maypromote{name=\"r0\"} 0",
           "drbd_resource_promotionscore{name=\"r0\"} 10100",
           "drbd_connection_state{name=\"r0\",conn_name=\"bravo\",peer_node_id=\"0\","
           "drbd_connection_state=\"Connected\"} 1",
           "drbd_connection_apinflight_bytes{name=\"r0\",conn_name=\"bravo\",peer_node_id=\"0\"} "
           "12288",
           "drbd_peerdevice_outofsync_bytes{name=\"r0\",conn_name=\"bravo\",peer_node_id=\"0\","
           "volume=\"1\"} 8192",
           "drbd_device_state{name=\"r0\",volume=\"1\",minor=\"7\",drbd_device_state=\"UpToDate\"} "
           "1",
           "drbd_device_size_bytes{name=\"r0\",volume=\"1\",minor=\"7\"} 1099511627776",
           "drbd_device_written_bytes_total{name=\"r0\",volume=\"1\",minor=\"7\"} 3072",
           "drbd_device_upperpending{name=\"r0\",volume=\"1\",minor=\"7\"} 5",
           "drbd_device_lowerpending{name=\"r0\",volume=\"1\",minor=\"7\"} 4",
           "pollux_peerdevice_pending{name=\"r0\",conn_name=\"bravo\",peer_node_id=\"0\","
           "volume=\"1\"} 6",
           "pollux_peerdevice_resync_done_ratio{name=\"r0\",conn_name=\"bravo\","
           "peer_node_id=\"0\",volume=\"1\"} 0.75",
       }) {
    EXPECT_TRUE(has(text, line)) << line << "\nin\n" << text;
  }
}

TEST(MetricsText, HistogramsAreCumulative) {
  const std::string text = metrics_text(std::vector{resource_of("r0")});
  const std::string name = "pollux_local_write_seconds";
  const std::string labels = "{name=\"r0\",volume=\"1\",minor=\"7\"";
  for (const auto& [le, count] : {std::pair{"1.6e-05", "1"},
                                  {"6.4e-05", "1"},
                                  {"0.000128", "2"},
                                  {"0.001024", "3"},
                                  {"8.388608", "3"},
                                  {"+Inf", "4"}}) {
    EXPECT_TRUE(has(text, name + "_bucket" + labels + ",le=\"" + le + "\"} " + count))
        << le << text;
  }
  EXPECT_TRUE(has(text, name + "_sum" + labels + "} 60.001110000"));
  EXPECT_TRUE(has(text, name + "_count" + labels + "} 4"));
}

TEST(MetricsText, EveryLineParsesAndEveryNameIsAnnouncedOnce) {
  ResourceMetrics strange = resource_of("a\"b\\c");
  strange.status.peer_name = "x\ny";
  ResourceMetrics alone = resource_of("alone");
  alone.status.has_connection = false;
  std::istringstream in(
      metrics_text(std::vector{resource_of("r0"), strange, alone, ResourceMetrics()}));
  std::set<std::string> announced;
  std::string current;
  std::set<std::string> seen;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string first;
    std::string second;
    std::string third;
    words >> first >> second >> third;
    if (first == "#" && second == "TYPE") {
      EXPECT_TRUE(announced.insert(third).second) << line;
      current = third;
      continue;
    }
    if (first == "#") continue;
    EXPECT_TRUE(line.starts_with(current)) << line;
    const std::size_t blank = line.rfind(' ');
    ASSERT_NE(blank, std::string::npos) << line;
    std::size_t used = 0;
    std::stod(line.substr(blank + 1), &used);
    EXPECT_EQ(used, line.size() - blank - 1) << line;
    EXPECT_TRUE(seen.insert(line.substr(0, blank)).second) << "twice: " << line;
  }
  EXPECT_GT(announced.size(), 30U);
}

TEST(MetricsText, NothingConfigured) {
  EXPECT_TRUE(has(metrics_text({}), "drbd_resource_resources 0"));
}

}  // namespace
}  // namespace replicator::control
