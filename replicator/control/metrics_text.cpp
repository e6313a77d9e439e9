#include "control/metrics_text.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "control/event_lines.hpp"
#include "control/proc_drbd.hpp"
#include "control/state_words.hpp"

namespace replicator::control {
namespace {

constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint64_t kib = 1024;
constexpr std::size_t first_shown = 4;  // 16 us: nothing is faster

// A label's value between its quotes.
std::string quoted(std::string_view text) {
  std::string value;
  for (const char c : text) {
    if (c == '\\' || c == '"') value += '\\';
    if (c == '\n') value += "\\n";
    else value += c;
  }
  return value;
}

struct OfVolume {
  const ResourceStatus* resource;
  const VolumeStatus* volume;
  const WriteTimes* times;
};

class Metrics {
 public:
  explicit Metrics(std::span<const ResourceMetrics> resources) : resources_(resources) {
    for (const ResourceMetrics& each : resources) {
      for (std::size_t i = 0; i < each.status.volumes.size(); ++i)
        volumes_.push_back({&each.status, &each.status.volumes[i], &each.times[i]});
    }
  }

  std::string text() {
    header("drbd_version", "gauge", "Version of DRBD that Pollux stands in for");
    text_ += fmt::format("drbd_version{{kmod=\"{0}\",utils=\"{0}\"}} 1\n", drbd_version);
    header("drbd_resource_resources", "gauge", "Number of resources");
    text_ += fmt::format("drbd_resource_resources {}\n", resources_.size());
    resources();
    connections();
    peer_devices();
    devices();
    times("pollux_activity_log_wait_seconds",
          "Time that application writes waited for the activity log, of those that had to",
          &WriteTimes::log);
    times("pollux_local_write_seconds", "Time that application writes took at the local disk",
          &WriteTimes::disk);
    times("pollux_peer_write_seconds",
          "Time from handing an application write to the connection to the peer's answer",
          &WriteTimes::peer);
    return std::move(text_);
  }

 private:
  void header(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }

  template <class Value>
  void of_resources(std::string_view name, std::string_view help, Value value) {
    header(name, "gauge", help);
    for (const ResourceMetrics& each : resources_)
      text_ += fmt::format("{}{{name=\"{}\"}} {}\n", name, quoted(each.status.name),
                           std::uint64_t{value(each.status)});
  }
  template <class Value>
  void of_connections(std::string_view name, std::string_view help, Value value) {
    header(name, "gauge", help);
    for (const ResourceMetrics& each : resources_) {
      if (!each.status.has_connection) continue;
      text_ += fmt::format("{}{{{}}} {}\n", name, connection_labels(each.status),
                           std::uint64_t{value(each.status)});
    }
  }
  template <class Value>
  void of_peer_devices(std::string_view name, const char* type, std::string_view help,
                       Value value) {
    header(name, type, help);
    for (const OfVolume& each : volumes_) {
      if (!each.resource->has_connection) continue;
      text_ += fmt::format("{}{{{},volume=\"{}\"}} {}\n", name, connection_labels(*each.resource),
                           each.volume->volume, value(*each.volume));
    }
  }
  template <class Value>
  void of_devices(std::string_view name, const char* type, std::string_view help, Value value) {
    header(name, type, help);
    for (const OfVolume& each : volumes_)
      text_ += fmt::format("{}{{{}}} {}\n", name, device_labels(each),
                           std::uint64_t{value(*each.volume)});
  }
  // One line for each word that it could be.
  void one_of(std::string_view name, const std::string& labels,
              std::span<const std::string_view> words, std::string_view word) {
    for (const std::string_view each : words)
      text_ +=
          fmt::format("{0}{{{1},{0}=\"{2}\"}} {3}\n", name, labels, each, each == word ? 1 : 0);
  }

  static std::string connection_labels(const ResourceStatus& resource) {
    return fmt::format("name=\"{}\",conn_name=\"{}\",peer_node_id=\"0\"", quoted(resource.name),
                       resource.peer_name.empty() ? "peer" : quoted(resource.peer_name));
  }
  static std::string device_labels(const OfVolume& of) {
    return fmt::format("name=\"{}\",volume=\"{}\",minor=\"{}\"", quoted(of.resource->name),
                       of.volume->volume, of.volume->minor);
  }
  static VolumeState any_state(const ResourceStatus& resource) {
    return resource.volumes.empty() ? VolumeState() : resource.volumes.front().state;
  }

  void resources() {
    constexpr std::array<std::string_view, 3> roles{"Unknown", "Primary", "Secondary"};
    header("drbd_resource_role", "gauge", "Role of the resource");
    for (const ResourceMetrics& each : resources_)
      one_of("drbd_resource_role", "name=\"" + quoted(each.status.name) + "\"", roles,
             name(any_state(each.status).role));
    of_resources("drbd_resource_suspended", "Whether I/O of the resource is suspended",
                 [](const ResourceStatus& r) { return any_state(r).suspended(); });
    of_resources("drbd_resource_maypromote", "Whether the resource could become Primary",
                 [](const ResourceStatus& r) { return promotion(r).possible; });
    of_resources("drbd_resource_promotionscore", "How good a place this is to become Primary",
                 [](const ResourceStatus& r) { return promotion(r).score; });
  }

  void connections() {
    constexpr std::array<std::string_view, 10> states{
        "StandAlone",     "Disconnecting", "Unconnected", "Timeout",    "BrokenPipe",
        "NetworkFailure", "ProtocolError", "TearDown",    "Connecting", "Connected"};
    header("drbd_connection_state", "gauge", "State of the connection");
    for (const ResourceMetrics& each : resources_) {
      if (!each.status.has_connection) continue;
      one_of("drbd_connection_state", connection_labels(each.status), states,
             connection_word(any_state(each.status).connection));
    }
    of_connections("drbd_connection_apinflight_bytes",
                   "Application writes not known to be stable on the peer",
                   [](const ResourceStatus& r) { return application_in_flight(r) * sector_bytes; });
    of_connections("drbd_connection_rsinflight_bytes", "Resync data asked for and not yet here",
                   [](const ResourceStatus& r) { return resync_in_flight(r) * sector_bytes; });
    of_connections("pollux_connection_tls", "Whether the connection is encrypted",
                   [](const ResourceStatus& r) { return r.tls; });
  }

  void peer_devices() {
    using V = const VolumeStatus&;
    of_peer_devices("drbd_peerdevice_outofsync_bytes", "gauge", "Marked as different on the peer",
                    [](V v) { return v.out_of_sync_kib * kib; });
    of_peer_devices("drbd_peerdevice_sent_bytes", "counter", "Sent to the peer",
                    [](V v) { return v.net_sent_kib * kib; });
    of_peer_devices("drbd_peerdevice_received_bytes", "counter", "Received from the peer",
                    [](V v) { return v.net_received_kib * kib; });
    of_peer_devices("pollux_peerdevice_pending", "gauge",
                    "Requests sent to the peer and not answered",
                    [](V v) { return v.peer_pending; });
    of_peer_devices("pollux_peerdevice_unacked", "gauge",
                    "Requests of the peer that are not answered yet",
                    [](V v) { return v.peer_unacknowledged; });
    of_peer_devices("pollux_peerdevice_epochs", "gauge", "Epochs of writes under way",
                    [](V v) { return v.epochs; });
    of_peer_devices("pollux_peerdevice_resync_active", "gauge",
                    "Whether a resync or verify is under way",
                    [](V v) { return v.progress.active ? 1 : 0; });
    of_peer_devices("pollux_peerdevice_resync_done_ratio", "gauge",
                    "How much of it is done; 1 when there is none",
                    [](V v) { return sync_rate(v.progress).done_percent / 100; });
  }

  void devices() {
    constexpr std::array<std::string_view, 9> disks{"Diskless",    "Attaching",    "Failed",
                                                    "Negotiating", "Inconsistent", "Outdated",
                                                    "DUnknown",    "Consistent",   "UpToDate"};
    using V = const VolumeStatus&;
    header("drbd_device_state", "gauge", "State of the disk");
    for (const OfVolume& each : volumes_)
      one_of("drbd_device_state", device_labels(each), disks, name(each.volume->state.disk));
    of_devices("drbd_device_unintentionaldiskless", "gauge", "Whether the volume lacks its disk",
               [](V v) { return v.state.disk == DiskState::diskless; });
    of_devices("drbd_device_open", "gauge", "Whether the device is open",
               [](V v) { return v.open; });
    of_devices("drbd_device_size_bytes", "gauge", "Size of the device",
               [](V v) { return v.size_kib * kib; });
    of_devices("drbd_device_read_bytes_total", "counter", "Read from the disk",
               [](V v) { return v.disk_read_kib * kib; });
    of_devices("drbd_device_written_bytes_total", "counter", "Written to the disk",
               [](V v) { return v.disk_written_kib * kib; });
    of_devices("drbd_device_alwrites_total", "counter", "Writes of the activity log",
               [](V v) { return v.activity_log_writes; });
    of_devices("drbd_device_bmwrites_total", "counter", "Writes of the bitmap",
               [](V v) { return v.bitmap_writes; });
    of_devices("drbd_device_upperpending", "gauge", "Requests of applications under way",
               [](V v) { return v.application_pending; });
    of_devices("drbd_device_lowerpending", "gauge", "Requests at the disk under way",
               [](V v) { return v.local_pending; });
    of_devices("drbd_device_alsuspended", "gauge", "Whether the activity log is not kept",
               [](V v) { return v.activity_log_suspended; });
  }

  void times(std::string_view metric, std::string_view help, Histogram WriteTimes::* which) {
    header(metric, "histogram", help);
    for (const OfVolume& each : volumes_) {
      const Histogram& histogram = each.times->*which;
      const std::string labels = device_labels(each);
      std::uint64_t below = 0;
      for (std::size_t i = 0; i < Histogram::buckets; ++i) {
        below += histogram.in_bucket(i);
        if (i < first_shown) continue;
        text_ += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", metric, labels,
                             static_cast<double>(1ULL << i) / 1e6, below);
      }
      text_ += fmt::format(
          "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3:.9f}\n"
          "{0}_count{{{1}}} {2}\n",
          metric, labels, histogram.count(), static_cast<double>(histogram.nanoseconds()) / 1e9);
    }
  }

  std::span<const ResourceMetrics> resources_;
  std::vector<OfVolume> volumes_;
  std::string text_;
};

}  // namespace

std::string metrics_text(std::span<const ResourceMetrics> resources) {
  return Metrics(resources).text();
}

}  // namespace replicator::control
