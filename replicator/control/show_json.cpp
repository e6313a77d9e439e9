// Running configuration and generation identifiers as JSON and back. Options travel as their
// canonical text, so that both ends read them through the option table.
#include "control/json_values.hpp"
#include "control/option_table.hpp"
#include "control/status_json.hpp"

namespace replicator::control {
namespace {

template <class Options>
Json options_json(const Options& options) {
  Json json = Json::object();
  for (const PrintedOption& printed : print_options(options, false)) {
    json[std::string(printed.option->name)] = printed.text;
  }
  return json;
}

template <class Options>
Options read_options(ObjectReader& reader, const char* name) {
  Options options;
  if (apply_options(reader.members(name), options)) reader.reject();
  return options;
}

Json volume_json(const VolumeShow& volume) {
  Json json = {{"volume", volume.volume}, {"minor", volume.minor}};
  if (volume.backing) {
    json["disk"] = volume.backing->disk_path;
    json["meta-disk"] = volume.backing->meta_disk_path;
    json["meta-index"] = index_text(volume.backing->meta_index);
    json["options"] = options_json(volume.disk);
  }
  return json;
}

VolumeShow read_volume(ObjectReader reader) {
  VolumeShow volume;
  volume.volume = reader.number32("volume");
  volume.minor = reader.number32("minor");
  if (reader.has("disk")) {
    volume.backing = BackingConfig{reader.text("disk"), reader.text("meta-disk"),
                                   reader.meta_index("meta-index")};
    volume.disk = read_options<DiskOptions>(reader, "options");
  }
  return volume;
}

Json resource_json(const ResourceShow& resource) {
  Json json = {{"name", resource.name},
               {"options", options_json(resource.options)},
               {"peer-name", resource.peer_name},
               {"volumes", Json::array()}};
  for (const VolumeShow& volume : resource.volumes) {
    json["volumes"].push_back(volume_json(volume));
  }
  if (resource.has_connection) {
    json["local"] = address_text(resource.peer.local);
    json["peer"] = address_text(resource.peer.peer);
    json["net"] = options_json(resource.net);
  }
  return json;
}

ResourceShow read_resource(ObjectReader reader) {
  ResourceShow resource;
  resource.name = reader.text("name");
  resource.options = read_options<ResourceOptions>(reader, "options");
  resource.peer_name = reader.text("peer-name");
  resource.has_connection = reader.has("local");
  if (resource.has_connection) {
    resource.peer.local = reader.address("local");
    resource.peer.peer = reader.address("peer");
    resource.net = read_options<NetOptions>(reader, "net");
  }
  for (const Json& item : reader.array("volumes")) {
    resource.volumes.push_back(read_volume(reader.nested(item)));
  }
  return resource;
}

}  // namespace

std::string encode_show(const std::vector<ResourceShow>& resources) {
  Json list = Json::array();
  for (const ResourceShow& resource : resources)
    list.push_back(resource_json(resource));
  return dump_json({{"resources", std::move(list)}});
}

Result<std::vector<ResourceShow>> decode_show(std::string_view data) {
  const Json json = parse_json(data);
  bool sound = true;
  std::vector<ResourceShow> resources;
  ObjectReader reader(json, sound);
  for (const Json& item : reader.array("resources")) {
    resources.push_back(read_resource(reader.nested(item)));
  }
  if (!sound) return failure(Fault::malformed, "show data");
  return resources;
}

std::string encode_generations(const GenerationShow& show) {
  return dump_json({{"generations", show.generations},
                    {"consistent", show.consistent},
                    {"was-up-to-date", show.was_up_to_date},
                    {"primary", show.primary},
                    {"connected", show.connected},
                    {"full-sync", show.full_sync},
                    {"peer-outdated", show.peer_outdated},
                    {"crashed-primary", show.crashed_primary}});
}

Result<GenerationShow> decode_generations(std::string_view data) {
  const Json json = parse_json(data);
  bool sound = true;
  ObjectReader reader(json, sound);
  GenerationShow show;
  reader.numbers("generations", show.generations);
  show.consistent = reader.flag("consistent");
  show.was_up_to_date = reader.flag("was-up-to-date");
  show.primary = reader.flag("primary");
  show.connected = reader.flag("connected");
  show.full_sync = reader.flag("full-sync");
  show.peer_outdated = reader.flag("peer-outdated");
  show.crashed_primary = reader.flag("crashed-primary");
  if (!sound) return failure(Fault::malformed, "generation data");
  return show;
}

}  // namespace replicator::control
