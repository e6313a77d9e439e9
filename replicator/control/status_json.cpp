// Status of resources as JSON and back. The names are those of docs/operations.md#control.
#include "control/status_json.hpp"

#include "control/json_values.hpp"

namespace replicator::control {
namespace {

Json progress_json(const SyncProgress& progress) {
  return {{"active", progress.active},
          {"verify", progress.verify},
          {"total-blocks", progress.total_blocks},
          {"left-blocks", progress.left_blocks},
          {"failed-blocks", progress.failed_blocks},
          {"equal-blocks", progress.equal_blocks},
          {"position", progress.position_sector},
          {"in-flight-blocks", progress.in_flight_blocks},
          {"elapsed-ms", progress.elapsed_ms},
          {"paused-ms", progress.paused_ms},
          {"latest-ms", progress.latest_ms},
          {"latest-blocks", progress.latest_blocks},
          {"recent-ms", progress.recent_ms},
          {"recent-blocks", progress.recent_blocks},
          {"want", progress.want_kib_per_second},
          {"stalled", progress.stalled}};
}

SyncProgress read_progress(ObjectReader reader) {
  SyncProgress progress;
  progress.active = reader.flag("active");
  progress.verify = reader.flag("verify");
  progress.total_blocks = reader.number("total-blocks");
  progress.left_blocks = reader.number("left-blocks");
  progress.failed_blocks = reader.number("failed-blocks");
  progress.equal_blocks = reader.number("equal-blocks");
  progress.position_sector = reader.number("position");
  progress.in_flight_blocks = reader.number("in-flight-blocks");
  progress.elapsed_ms = reader.number("elapsed-ms");
  progress.paused_ms = reader.number("paused-ms");
  progress.latest_ms = reader.number("latest-ms");
  progress.latest_blocks = reader.number("latest-blocks");
  progress.recent_ms = reader.number("recent-ms");
  progress.recent_blocks = reader.number("recent-blocks");
  progress.want_kib_per_second = reader.number("want");
  progress.stalled = reader.flag("stalled");
  return progress;
}

Json state_json(const VolumeState& state) {
  return {{"role", static_cast<unsigned>(state.role)},
          {"peer-role", static_cast<unsigned>(state.peer_role)},
          {"connection", static_cast<unsigned>(state.connection)},
          {"disk", static_cast<unsigned>(state.disk)},
          {"peer-disk", static_cast<unsigned>(state.peer_disk)},
          {"suspended-user", state.suspended_by_user},
          {"suspended-no-data", state.suspended_no_data},
          {"suspended-fencing", state.suspended_fencing},
          {"paused-dependency", state.sync_paused_by_dependency},
          {"paused-peer", state.sync_paused_by_peer},
          {"paused-user", state.sync_paused_by_user}};
}

VolumeState read_state(ObjectReader& reader) {
  VolumeState state;
  state.role = static_cast<Role>(reader.number("role", 2));
  state.peer_role = static_cast<Role>(reader.number("peer-role", 2));
  state.connection = static_cast<ConnectionState>(reader.number("connection", 23));
  state.disk = static_cast<DiskState>(reader.number("disk", 8));
  state.peer_disk = static_cast<DiskState>(reader.number("peer-disk", 8));
  state.suspended_by_user = reader.flag("suspended-user");
  state.suspended_no_data = reader.flag("suspended-no-data");
  state.suspended_fencing = reader.flag("suspended-fencing");
  state.sync_paused_by_dependency = reader.flag("paused-dependency");
  state.sync_paused_by_peer = reader.flag("paused-peer");
  state.sync_paused_by_user = reader.flag("paused-user");
  return state;
}

Json counters_json(const VolumeStatus& volume) {
  return {{"net-sent", volume.net_sent_kib},
          {"net-received", volume.net_received_kib},
          {"disk-written", volume.disk_written_kib},
          {"disk-read", volume.disk_read_kib},
          {"al-writes", volume.activity_log_writes},
          {"bm-writes", volume.bitmap_writes},
          {"local-pending", volume.local_pending},
          {"peer-pending", volume.peer_pending},
          {"peer-unacknowledged", volume.peer_unacknowledged},
          {"application-pending", volume.application_pending},
          {"in-doubt-sectors", volume.in_doubt_sectors},
          {"epochs", volume.epochs},
          {"write-ordering", std::string(1, volume.write_ordering)},
          {"out-of-sync", volume.out_of_sync_kib}};
}

void read_counters(ObjectReader& reader, VolumeStatus& volume) {
  volume.net_sent_kib = reader.number("net-sent");
  volume.net_received_kib = reader.number("net-received");
  volume.disk_written_kib = reader.number("disk-written");
  volume.disk_read_kib = reader.number("disk-read");
  volume.activity_log_writes = reader.number("al-writes");
  volume.bitmap_writes = reader.number("bm-writes");
  volume.local_pending = reader.number("local-pending");
  volume.peer_pending = reader.number("peer-pending");
  volume.peer_unacknowledged = reader.number("peer-unacknowledged");
  volume.application_pending = reader.number("application-pending");
  volume.in_doubt_sectors = reader.number("in-doubt-sectors");
  volume.epochs = reader.number("epochs");
  volume.write_ordering = reader.letter("write-ordering");
  volume.out_of_sync_kib = reader.number("out-of-sync");
}

Json volume_json(const VolumeStatus& volume) {
  return {{"volume", volume.volume},
          {"minor", volume.minor},
          {"state", state_json(volume.state)},
          {"backing-disk", volume.backing_disk},
          {"meta-disk", volume.meta_disk},
          {"meta-index", index_text(volume.meta_index)},
          {"size", volume.size_kib},
          {"open", volume.open},
          {"al-suspended", volume.activity_log_suspended},
          {"counters", counters_json(volume)},
          {"progress", progress_json(volume.progress)},
          {"generations", volume.generations}};
}

VolumeStatus read_volume(ObjectReader reader) {
  VolumeStatus volume;
  volume.volume = reader.number32("volume");
  volume.minor = reader.number32("minor");
  ObjectReader state = reader.object("state");
  volume.state = read_state(state);
  volume.backing_disk = reader.text("backing-disk");
  volume.meta_disk = reader.text("meta-disk");
  volume.meta_index = reader.meta_index("meta-index");
  volume.size_kib = reader.number("size");
  volume.open = reader.flag("open");
  volume.activity_log_suspended = reader.flag("al-suspended");
  ObjectReader counters = reader.object("counters");
  read_counters(counters, volume);
  volume.progress = read_progress(reader.object("progress"));
  reader.numbers("generations", volume.generations);
  return volume;
}

Json resource_json(const ResourceStatus& resource) {
  Json volumes = Json::array();
  for (const VolumeStatus& volume : resource.volumes)
    volumes.push_back(volume_json(volume));
  return {{"name", resource.name},
          {"has-connection", resource.has_connection},
          {"tls", resource.tls},
          {"protocol", std::string(1, resource.protocol)},
          {"peer-name", resource.peer_name},
          {"local", address_text(resource.peer.local)},
          {"peer", address_text(resource.peer.peer)},
          {"volumes", std::move(volumes)}};
}

ResourceStatus read_resource(ObjectReader reader) {
  ResourceStatus resource;
  resource.name = reader.text("name");
  resource.has_connection = reader.flag("has-connection");
  resource.tls = reader.flag("tls");
  resource.protocol = reader.letter("protocol");
  resource.peer_name = reader.text("peer-name");
  resource.peer.local = reader.address("local");
  resource.peer.peer = reader.address("peer");
  for (const Json& item : reader.array("volumes")) {
    resource.volumes.push_back(read_volume(reader.nested(item)));
  }
  return resource;
}

}  // namespace

std::string encode_status(const std::vector<ResourceStatus>& resources) {
  Json list = Json::array();
  for (const ResourceStatus& resource : resources)
    list.push_back(resource_json(resource));
  return dump_json({{"resources", std::move(list)}});
}

Result<std::vector<ResourceStatus>> decode_status(std::string_view data) {
  const Json json = parse_json(data);
  bool sound = true;
  std::vector<ResourceStatus> resources;
  ObjectReader reader(json, sound);
  for (const Json& item : reader.array("resources")) {
    resources.push_back(read_resource(reader.nested(item)));
  }
  if (!sound) return failure(Fault::malformed, "status data");
  return resources;
}

}  // namespace replicator::control
