#include "monitor/model.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace replicator::monitor {
namespace {

constexpr std::string_view nobody = "peer";

struct Line {
  std::string_view action;
  std::string_view type;
  Values values;
};

std::string_view next_word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

Line parsed(std::string_view text) {
  Line line;
  line.action = next_word(text);
  line.type = next_word(text);
  while (!text.empty()) {
    const std::string_view word = next_word(text);
    const std::size_t colon = word.find(':');
    if (colon != std::string_view::npos && colon > 0)
      line.values.insert_or_assign(std::string(word.substr(0, colon)),
                                   std::string(word.substr(colon + 1)));
  }
  return line;
}

std::optional<unsigned> volume_of(const Values& values) {
  const std::string_view text = value_of(values, "volume");
  unsigned number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

void note(Model& model, std::string_view time, std::string text) {
  model.events.push_back({std::string(time), std::move(text)});
  if (model.events.size() > Model::remembered_events) model.events.pop_front();
}

// "r0", "r0/1": what an event is about.
std::string subject(const Line& line) {
  std::string text(value_of(line.values, "name"));
  if (const std::optional<unsigned> volume = volume_of(line.values))
    text += "/" + std::to_string(*volume);
  return text;
}

// Where the object's values are kept; null when the line does not name one that can be.
Values* place_of(Model& model, const Line& line) {
  const std::string name(value_of(line.values, "name"));
  if (name.empty()) return nullptr;
  const std::optional<unsigned> volume = volume_of(line.values);
  const bool of_volume = line.type == "device" || line.type == "peer-device";
  if (of_volume && !volume) return nullptr;
  if (line.type == "resource") return &model.resources[name].values;
  if (line.type == "device") return &model.resources[name].volumes[*volume];
  const std::string peer(value_of(line.values, "conn-name", nobody));
  if (line.type == "connection") return &model.resources[name].connections[peer].values;
  if (line.type == "peer-device") return &model.resources[name].connections[peer].volumes[*volume];
  if (line.type == "path") return &model.resources[name].connections[peer].path;
  return nullptr;
}

void forget(Model& model, const Line& line) {
  const auto resource = model.resources.find(value_of(line.values, "name"));
  if (resource == model.resources.end()) return;
  if (line.type == "resource") {
    model.resources.erase(resource);
    return;
  }
  const std::optional<unsigned> volume = volume_of(line.values);
  if (line.type == "device" && volume) resource->second.volumes.erase(*volume);
  auto& connections = resource->second.connections;
  const auto connection = connections.find(value_of(line.values, "conn-name", nobody));
  if (connection == connections.end()) return;
  if (line.type == "connection") connections.erase(connection);
  if (line.type == "peer-device" && volume) connection->second.volumes.erase(*volume);
  if (line.type == "path") connection->second.path.clear();
}

// What changed, in the words of the states; empty when only numbers did.
std::string difference(const Line& line, const Values& before) {
  static const std::vector<std::pair<std::string_view, std::string_view>> told = {
      {"role", "role"},
      {"suspended", "suspended"},
      {"connection", "connection"},
      {"disk", "disk"},
      {"replication", "replication"},
      {"peer-disk", "peer-disk"},
      {"resync-suspended", "resync-suspended"},
      {"established", "path"}};
  std::string text;
  for (const auto& [key, shown] : told) {
    const std::string_view now = value_of(line.values, key);
    const std::string_view was = value_of(before, key, "?");
    if (now.empty() || now == was) continue;
    const bool of_peer = line.type == "connection" && key == "role";
    text.append(text.empty() ? "" : ", ").append(of_peer ? "peer-role" : shown);
    text.append(" ").append(was).append("->").append(now);
  }
  return text;
}

void note_change(Model& model, const Line& line, const Values& before, std::string_view time) {
  const std::string text = difference(line, before);
  if (!text.empty()) note(model, time, subject(line) + " " + text);
}

void note_handler(Model& model, const Line& line, std::string_view time) {
  std::string text = subject(line) + " handler ";
  text.append(value_of(line.values, "helper"));
  if (line.action == "call") text += " called";
  else text += " ended: exit code " + std::to_string(number_of(line.values, "status") >> 8U & 255U);
  note(model, time, std::move(text));
}

void note_coming(Model& model, const Line& line, std::string_view time) {
  if (line.type == "path" || line.type == "peer-device") return;
  std::string text = subject(line) + " ";
  text.append(line.type == "connection" ? "connection to " : "");
  if (line.type == "connection") text.append(value_of(line.values, "conn-name")).append(" ");
  note(model, time, text + (line.action == "create" ? "is new" : "is gone"));
}

// Progress is in every line while there is any, so that its absence means something.
void merge(Values& place, const Line& line) {
  if (line.type == "peer-device") {
    for (const char* key : {"done", "dbdt1", "eta"})
      place.erase(key);
  }
  for (const auto& [key, value] : line.values)
    place.insert_or_assign(key, value);
}

bool syncing(std::string_view replication) {
  static const std::set<std::string_view> words = {
      "WFBitMapS",  "WFBitMapT",  "StartingSyncS", "StartingSyncT", "WFSyncUUID",
      "SyncSource", "SyncTarget", "PausedSyncS",   "PausedSyncT",   "VerifyS",
      "VerifyT",    "Ahead",      "Behind"};
  return words.count(replication) != 0;
}

}  // namespace

std::string_view value_of(const Values& values, std::string_view key, std::string_view otherwise) {
  const auto found = values.find(key);
  return found == values.end() ? otherwise : std::string_view(found->second);
}

unsigned long long number_of(const Values& values, std::string_view key) {
  const std::string_view text = value_of(values, key);
  unsigned long long number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() ? number : 0;
}

Model with_line(Model model, std::string_view text, std::string_view time) {
  const Line line = parsed(text);
  if (line.action == "exists" && line.type == "-") {
    model.complete = true;
    model.trouble.clear();
  } else if (line.action == "call" || line.action == "response") {
    if (line.type == "helper") note_handler(model, line, time);
  } else if (line.action == "destroy") {
    note_coming(model, line, time);
    forget(model, line);
  } else if (line.action == "exists" || line.action == "create" || line.action == "change") {
    Values* place = place_of(model, line);
    if (place == nullptr) return model;
    if (line.action == "change") note_change(model, line, *place, time);
    if (line.action == "create") note_coming(model, line, time);
    merge(*place, line);
  }
  return model;
}

Model without_daemon(Model model, std::string_view trouble, std::string_view time) {
  if (model.complete) note(model, time, "the daemon has gone");
  model.resources.clear();
  model.complete = false;
  model.trouble = trouble;
  return model;
}

const Values* peer_of(const Resource& resource, unsigned volume) {
  for (const auto& [name, connection] : resource.connections) {
    const auto found = connection.volumes.find(volume);
    if (found != connection.volumes.end()) return &found->second;
  }
  return nullptr;
}

VolumeWords words_of(const Resource& resource, unsigned volume) {
  VolumeWords words;
  const auto own = resource.volumes.find(volume);
  if (own != resource.volumes.end()) words.disk = value_of(own->second, "disk", "Diskless");
  const Values* peer = peer_of(resource, volume);
  static const Values nothing;
  const Values& theirs = peer == nullptr ? nothing : *peer;
  words.peer_disk = value_of(theirs, "peer-disk", "DUnknown");
  words.replication = value_of(theirs, "replication", "Off");
  const bool complete = words.disk == "UpToDate" && words.peer_disk == "UpToDate";
  if (syncing(words.replication)) words.health = Health::busy;
  else if (complete && words.replication == "Established") words.health = Health::good;
  return words;
}

ResourceWords words_of(const Resource& resource) {
  ResourceWords words;
  words.role = value_of(resource.values, "role", "Unknown");
  words.suspended = value_of(resource.values, "suspended", "no");
  words.connection = "StandAlone";
  words.peer_role = "Unknown";
  if (!resource.connections.empty()) {
    const Values& peer = resource.connections.begin()->second.values;
    words.connection = value_of(peer, "connection", "Unknown");
    words.peer_role = value_of(peer, "role", "Unknown");
  }
  if (words.connection != "Connected" || words.suspended != "no") return words;
  words.health = Health::good;
  for (const auto& [volume, values] : resource.volumes)
    words.health = std::max(words.health, words_of(resource, volume).health);
  return words;
}

bool in_progress(const Model& model) {
  return std::any_of(model.resources.begin(), model.resources.end(), [](const auto& resource) {
    return words_of(resource.second).health == Health::busy;
  });
}

}  // namespace replicator::monitor
