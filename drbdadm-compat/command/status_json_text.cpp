#include "command/status_json_text.hpp"

#include <fmt/format.h>

#include <string_view>

#include "control/state_words.hpp"

namespace replicator::command {
namespace {

using control::connection_word;
using control::is_connected;
using control::replication_word;
using control::resync_suspended_words;
using control::suspended_words;
using control::sync_rate;
using control::SyncRate;
using control::write_ordering_word;

constexpr std::uint64_t sectors_per_block = 8;
constexpr std::uint64_t no_end_in_sight = 987654321;  // DRBD's own word for it

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20U) {
      json += fmt::format("\\u{:04x}", byte);
      continue;
    }
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + "\"";
}

// One object, a member per line.
class Object {
 public:
  explicit Object(unsigned depth) : indent_(std::size_t{depth} * 2, ' ') {}

  Object& text(std::string_view key, std::string_view value) { return raw(key, quoted(value)); }
  Object& number(std::string_view key, std::uint64_t value) {
    return raw(key, std::to_string(value));
  }
  Object& fraction(std::string_view key, double value) {
    return raw(key, fmt::format("{:.2f}", value));
  }
  Object& flag(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  Object& raw(std::string_view key, std::string_view json) {
    members_ +=
        fmt::format("{}\n{}  {}: {}", members_.empty() ? "" : ",", indent_, quoted(key), json);
    return *this;
  }
  [[nodiscard]] std::string json() const { return "{" + members_ + "\n" + indent_ + "}"; }

 private:
  std::string indent_;
  std::string members_;
};

std::string array(const std::vector<std::string>& items, unsigned depth) {
  if (items.empty()) return "[]";
  const std::string indent(std::size_t{depth} * 2, ' ');
  std::string text = "[";
  for (const std::string& item : items)
    text += fmt::format("{}\n{}  {}", text.size() > 1 ? "," : "", indent, item);
  return text + "\n" + indent + "]";
}

std::string device(const VolumeStatus& volume, unsigned depth) {
  return Object(depth)
      .number("volume", volume.volume)
      .number("minor", volume.minor)
      .text("disk-state", name(volume.state.disk))
      .flag("client", false)
      .flag("open", volume.open)
      .flag("quorum", true)
      .number("size", volume.size_kib)
      .number("read", volume.disk_read_kib)
      .number("written", volume.disk_written_kib)
      .number("al-writes", volume.activity_log_writes)
      .number("bm-writes", volume.bitmap_writes)
      .number("upper-pending", volume.application_pending)
      .number("lower-pending", volume.local_pending)
      .json();
}

// A verify goes from start to stop, in the order of the disk.
void verify_details(Object& object, const SyncProgress& progress) {
  const std::uint64_t left = progress.left_blocks * sectors_per_block;
  const std::uint64_t done = progress.total_blocks * sectors_per_block - left;
  const std::uint64_t position = progress.position_sector;
  object.number("ov-start-sector", position > done ? position - done : 0)
      .number("ov-stop-sector", position + left)
      .number("ov-position", position)
      .number("ov-left", left)
      .number("ov-skipped", 0);
}

void sync_details(Object& object, const SyncProgress& progress) {
  const SyncRate rate = sync_rate(progress);
  object.number("rs-total", progress.total_blocks * sectors_per_block)
      .number("rs-dt-start-ms", progress.elapsed_ms)
      .number("rs-paused-ms", progress.paused_ms)
      .number("rs-dt0-ms", progress.latest_ms)
      .number("rs-db0-sectors", progress.latest_blocks * sectors_per_block)
      .number("rs-dt1-ms", progress.recent_ms)
      .number("rs-db1-sectors", progress.recent_blocks * sectors_per_block);
  if (progress.verify) verify_details(object, progress);
  else
    object.number("rs-failed", progress.failed_blocks * sectors_per_block)
        .number("rs-same-csum", progress.equal_blocks * sectors_per_block);
  object.fraction("want", static_cast<double>(progress.want_kib_per_second) / 1024)
      .fraction("db0/dt0 [MiB/s]", rate.latest)
      .fraction("db1/dt1 [MiB/s]", rate.recent)
      .number("estimated-seconds-to-finish", rate.moving ? rate.seconds_left : no_end_in_sight)
      .fraction("db/dt [MiB/s]", rate.average)
      .fraction("percent-resync-done", rate.done_percent);
}

double percent_in_sync(const VolumeStatus& volume) {
  if (volume.size_kib == 0 || volume.out_of_sync_kib > volume.size_kib) return 0;
  return 100 * static_cast<double>(volume.size_kib - volume.out_of_sync_kib) /
         static_cast<double>(volume.size_kib);
}

std::string peer_device(const VolumeStatus& volume, unsigned depth) {
  const SyncProgress& progress = volume.progress;
  Object object(depth);
  object.number("volume", volume.volume)
      .text("replication-state", replication_word(volume.state.connection))
      .text("peer-disk-state", name(volume.state.peer_disk))
      .flag("peer-client", false)
      .text("resync-suspended", resync_suspended_words(volume.state))
      .number("received", volume.net_received_kib)
      .number("sent", volume.net_sent_kib)
      .number("out-of-sync", volume.out_of_sync_kib)
      .number("pending", volume.peer_pending)
      .number("unacked", volume.peer_unacknowledged)
      .flag("has-sync-details", progress.active)
      .flag("has-online-verify-details", progress.active && progress.verify)
      .fraction("percent-in-sync", percent_in_sync(volume));
  if (progress.active) sync_details(object, progress);
  return object.json();
}

std::string host(const io::Address& address) {
  const bool ipv6 = address.family == io::AddressFamily::ipv6;
  return fmt::format("{{ \"address\": {}, \"port\": {}, \"family\": \"{}\" }}",
                     quoted(io::host_text(address)), address.port, ipv6 ? "ipv6" : "ipv4");
}

std::string connection(const ResourceStatus& resource, const VolumeState& state, unsigned depth) {
  const std::string path = Object(depth + 2)
                               .raw("this_host", host(resource.peer.local))
                               .raw("remote_host", host(resource.peer.peer))
                               .flag("established", is_connected(state.connection))
                               .json();
  std::vector<std::string> volumes;
  for (const VolumeStatus& volume : resource.volumes)
    volumes.push_back(peer_device(volume, depth + 2));
  return Object(depth)
      .number("peer-node-id", 0)
      .text("name", resource.peer_name.empty() ? "peer" : resource.peer_name)
      .text("connection-state", connection_word(state.connection))
      .flag("congested", false)
      .text("peer-role", name(state.peer_role))
      .flag("tls", resource.tls)
      .number("ap-in-flight", control::application_in_flight(resource))
      .number("rs-in-flight", control::resync_in_flight(resource))
      .raw("paths", array({path}, depth + 1))
      .raw("peer_devices", array(volumes, depth + 1))
      .json();
}

std::string resource_json(const ResourceStatus& resource, unsigned depth) {
  const VolumeStatus first = resource.volumes.empty() ? VolumeStatus() : resource.volumes.front();
  const VolumeState& state = first.state;
  std::vector<std::string> devices;
  for (const VolumeStatus& volume : resource.volumes)
    devices.push_back(device(volume, depth + 2));
  std::vector<std::string> connections;
  if (resource.has_connection) connections.push_back(connection(resource, state, depth + 2));
  return Object(depth)
      .text("name", resource.name)
      .number("node-id", 0)
      .text("role", name(state.role))
      .flag("suspended", state.suspended())
      .flag("suspended-user", state.suspended_by_user)
      .flag("suspended-no-data", state.suspended_no_data)
      .flag("suspended-fencing", state.suspended_fencing)
      .flag("suspended-quorum", false)
      .flag("force-io-failures", false)
      .text("write-ordering", write_ordering_word(first.write_ordering))
      .raw("devices", array(devices, depth + 1))
      .raw("connections", array(connections, depth + 1))
      .json();
}

}  // namespace

std::string status_json_text(const std::vector<ResourceStatus>& resources) {
  std::vector<std::string> items;
  for (const ResourceStatus& resource : resources)
    items.push_back(resource_json(resource, 1));
  return array(items, 0) + "\n";
}

}  // namespace replicator::command
