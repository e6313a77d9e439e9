#include "control/event_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "control/state_words.hpp"
#include "control/status_json.hpp"

namespace replicator::control {
namespace {

constexpr auto state_value = EventValue::Kind::state;
constexpr auto statistic = EventValue::Kind::statistic;

// Readers split lines at blanks.
std::string one_word(std::string_view text) {
  std::string word;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20U && byte != 0x7fU) word += c;
    else word += fmt::format("\\x{:02x}", byte);
  }
  return word;
}

std::string yes_no(bool value) { return value ? "yes" : "no"; }

VolumeState any_state(const ResourceStatus& resource) {
  return resource.volumes.empty() ? VolumeState() : resource.volumes.front().state;
}

std::string connection_identity(const ResourceStatus& resource) {
  return fmt::format("name:{} peer-node-id:0 conn-name:{}", one_word(resource.name),
                     resource.peer_name.empty() ? "peer" : one_word(resource.peer_name));
}

EventObject resource_object(const ResourceStatus& resource) {
  const VolumeState state = any_state(resource);
  const Promotion promoted = promotion(resource);
  const char ordering = resource.volumes.empty() ? 'n' : resource.volumes.front().write_ordering;
  return {"resource",
          "name:" + one_word(resource.name),
          {{"role", std::string(name(state.role))},
           {"suspended", suspended_words(state)},
           {"force-io-failures", "no"},
           {"write-ordering", std::string(write_ordering_word(ordering)), statistic},
           {"may_promote", yes_no(promoted.possible)},
           {"promotion_score", std::to_string(promoted.score)}}};
}

EventObject connection_object(const ResourceStatus& resource) {
  const VolumeState state = any_state(resource);
  return {"connection",
          connection_identity(resource),
          {{"connection", std::string(connection_word(state.connection))},
           {"role", std::string(name(state.peer_role))},
           {"congested", "no", statistic},
           {"ap-in-flight", std::to_string(application_in_flight(resource)), statistic},
           {"rs-in-flight", std::to_string(resync_in_flight(resource)), statistic}}};
}

EventObject device_object(const ResourceStatus& resource, const VolumeStatus& volume) {
  const auto count = [](std::uint64_t number) { return std::to_string(number); };
  // The path of a disk that was given back is remembered a moment longer than it means something.
  const bool disk = volume.state.disk != DiskState::diskless && !volume.backing_disk.empty();
  return {"device",
          fmt::format("name:{} volume:{} minor:{}", one_word(resource.name), volume.volume,
                      volume.minor),
          {{"backing_dev", disk ? one_word(volume.backing_disk) : "none"},
           {"disk", std::string(name(volume.state.disk))},
           {"client", "no"},
           {"quorum", "yes"},
           {"size", count(volume.size_kib), statistic},
           {"read", count(volume.disk_read_kib), statistic},
           {"written", count(volume.disk_written_kib), statistic},
           {"al-writes", count(volume.activity_log_writes), statistic},
           {"bm-writes", count(volume.bitmap_writes), statistic},
           {"upper-pending", count(volume.application_pending), statistic},
           {"lower-pending", count(volume.local_pending), statistic},
           {"al-suspended", yes_no(volume.activity_log_suspended), statistic},
           {"blocked", volume.state.suspended() ? "upper" : "no", statistic}}};
}

EventObject peer_device_object(const ResourceStatus& resource, const VolumeStatus& volume) {
  const auto count = [](std::uint64_t number) { return std::to_string(number); };
  EventObject object{"peer-device",
                     fmt::format("{} volume:{}", connection_identity(resource), volume.volume),
                     {{"replication", std::string(replication_word(volume.state.connection))},
                      {"peer-disk", std::string(name(volume.state.peer_disk))},
                      {"peer-client", "no"},
                      {"resync-suspended", resync_suspended_words(volume.state)}}};
  std::vector<EventValue>& values = object.values;
  const SyncProgress& progress = volume.progress;
  const SyncRate rate = sync_rate(progress);
  if (progress.active) {
    values.push_back(
        {"done", fmt::format("{:.2f}", rate.done_percent), EventValue::Kind::progress});
  }
  values.push_back({"received", count(volume.net_received_kib), statistic});
  values.push_back({"sent", count(volume.net_sent_kib), statistic});
  values.push_back({"out-of-sync", count(volume.out_of_sync_kib), statistic});
  values.push_back({"pending", count(volume.peer_pending), statistic});
  values.push_back({"unacked", count(volume.peer_unacknowledged), statistic});
  if (!progress.active) return object;
  values.push_back({"dbdt1", fmt::format("{:.2f}", rate.recent), statistic});
  if (rate.moving) values.push_back({"eta", count(rate.seconds_left), statistic});
  return object;
}

EventObject path_object(const ResourceStatus& resource) {
  return {"path",
          fmt::format("{} local:{} peer:{}", connection_identity(resource),
                      address_text(resource.peer.local), address_text(resource.peer.peer)),
          {{"established", yes_no(is_connected(any_state(resource).connection))}}};
}

// What is different about one object, or about one that came or went.
class Comparison {
 public:
  std::vector<Event> events;

  void object(std::optional<EventObject> before, std::optional<EventObject> after) {
    if (before && after && before->identity != after->identity) {
      object(std::move(before), std::nullopt);
      before.reset();
    }
    if (before && after) {
      if (!same_state(*before, *after))
        events.push_back({EventAction::change, std::move(*after), std::move(before)});
    } else if (after) {
      events.push_back({EventAction::create, std::move(*after), std::nullopt});
    } else if (before) {
      events.push_back({EventAction::destroy, std::move(*before), std::nullopt});
    }
  }

 private:
  static bool same_state(const EventObject& before, const EventObject& after) {
    const auto states = [](const EventObject& object) {
      std::vector<EventValue> kept;
      std::copy_if(object.values.begin(), object.values.end(), std::back_inserter(kept),
                   [](const EventValue& value) { return value.kind == state_value; });
      return kept;
    };
    return states(before) == states(after);
  }
};

const VolumeStatus* find(const ResourceStatus* resource, std::uint32_t number) {
  if (resource == nullptr) return nullptr;
  const auto at = std::lower_bound(
      resource->volumes.begin(), resource->volumes.end(), number,
      [](const VolumeStatus& volume, std::uint32_t wanted) { return volume.volume < wanted; });
  return at != resource->volumes.end() && at->volume == number ? &*at : nullptr;
}

std::vector<std::uint32_t> numbers(const ResourceStatus* before, const ResourceStatus* after) {
  std::vector<std::uint32_t> all;
  for (const ResourceStatus* resource : {before, after}) {
    if (resource == nullptr) continue;
    for (const VolumeStatus& volume : resource->volumes)
      all.push_back(volume.volume);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

bool linked(const ResourceStatus* resource) { return resource && resource->has_connection; }

template <class Make>
std::optional<EventObject> made(bool there, Make make) {
  return there ? std::optional<EventObject>(make()) : std::nullopt;
}

std::string values_text(const EventValue& value, const EventObject* before) {
  if (before != nullptr) {
    for (const EventValue& old : before->values) {
      if (old.key == value.key && old.value != value.value)
        return fmt::format(" {}:{}->{}", value.key, old.value, value.value);
    }
  }
  return fmt::format(" {}:{}", value.key, value.value);
}

bool changed(const EventValue& value, const EventObject& before) {
  return std::find(before.values.begin(), before.values.end(), value) == before.values.end();
}

bool shown(const EventValue& value, const Event& event, const EventStyle& style) {
  switch (value.kind) {
    case EventValue::Kind::statistic: return style.statistics || style.full;
    case EventValue::Kind::progress: return true;
    case EventValue::Kind::state: break;
  }
  return style.full || !event.before || changed(value, *event.before);
}

std::string_view word(EventAction action) {
  switch (action) {
    case EventAction::exists: return "exists";
    case EventAction::create: return "create";
    case EventAction::change: return "change";
    case EventAction::destroy: return "destroy";
  }
  return {};
}

}  // namespace

// Primaries elsewhere and missing data speak against it. The score prefers local disks, then more
// of them, then replicas that can be reached.
Promotion promotion(const ResourceStatus& resource) noexcept {
  Promotion result;
  if (resource.volumes.empty()) return result;
  std::uint32_t local = 0;
  std::uint32_t replicas = 1;
  bool data = true;
  bool peer_primary = false;
  for (const VolumeStatus& volume : resource.volumes) {
    const VolumeState& state = volume.state;
    const bool here = state.disk == DiskState::up_to_date;
    const bool there =
        state.connection >= ConnectionState::connected && state.peer_disk == DiskState::up_to_date;
    if (here) ++local;
    if (!there) replicas = 0;
    if (!here && !there) data = false;
    if (state.peer_role == Role::primary) peer_primary = true;
  }
  if (!data) return result;
  result.possible = !peer_primary && any_state(resource).role != Role::primary;
  result.score = (local == resource.volumes.size() ? 10000 : 0) + 100 * local + replicas;
  return result;
}

std::vector<Event> events_of(const ResourceStatus& resource) {
  std::vector<Event> events;
  const auto add = [&](EventObject object) {
    events.push_back({EventAction::exists, std::move(object), std::nullopt});
  };
  add(resource_object(resource));
  if (resource.has_connection) add(connection_object(resource));
  for (const VolumeStatus& volume : resource.volumes)
    add(device_object(resource, volume));
  if (!resource.has_connection) return events;
  for (const VolumeStatus& volume : resource.volumes)
    add(peer_device_object(resource, volume));
  add(path_object(resource));
  return events;
}

// What goes, goes before what it belongs to, and comes after it.
std::vector<Event> events_between(const ResourceStatus* before, const ResourceStatus* after) {
  Comparison found;
  const auto resource = [&] {
    found.object(made(before != nullptr, [&] { return resource_object(*before); }),
                 made(after != nullptr, [&] { return resource_object(*after); }));
  };
  const auto connection = [&] {
    found.object(made(linked(before), [&] { return connection_object(*before); }),
                 made(linked(after), [&] { return connection_object(*after); }));
  };
  const auto path = [&] {
    found.object(made(linked(before), [&] { return path_object(*before); }),
                 made(linked(after), [&] { return path_object(*after); }));
  };
  const auto peer_devices = [&] {
    for (const std::uint32_t number : numbers(before, after)) {
      const VolumeStatus* was = linked(before) ? find(before, number) : nullptr;
      const VolumeStatus* is = linked(after) ? find(after, number) : nullptr;
      found.object(made(was != nullptr, [&] { return peer_device_object(*before, *was); }),
                   made(is != nullptr, [&] { return peer_device_object(*after, *is); }));
    }
  };
  const auto devices = [&] {
    for (const std::uint32_t number : numbers(before, after)) {
      const VolumeStatus* was = find(before, number);
      const VolumeStatus* is = find(after, number);
      found.object(made(was != nullptr, [&] { return device_object(*before, *was); }),
                   made(is != nullptr, [&] { return device_object(*after, *is); }));
    }
  };
  if (after == nullptr || (linked(before) && !linked(after))) {
    path();
    peer_devices();
    connection();
    devices();
    resource();
  } else {
    resource();
    connection();
    devices();
    peer_devices();
    path();
  }
  return std::move(found.events);
}

std::vector<Event> events_of_volume(ResourceStatus& known, const VolumeStatus& volume) {
  const auto place = std::find_if(known.volumes.begin(), known.volumes.end(),
                                  [&](const auto& each) { return each.volume == volume.volume; });
  if (place == known.volumes.end()) return {};
  const auto look = [&] {
    std::vector<EventObject> objects{resource_object(known)};
    if (known.has_connection) objects.push_back(connection_object(known));
    objects.push_back(device_object(known, *place));
    if (known.has_connection) {
      objects.push_back(peer_device_object(known, *place));
      objects.push_back(path_object(known));
    }
    return objects;
  };
  std::vector<EventObject> before = look();
  *place = volume;
  std::vector<EventObject> after = look();
  Comparison found;
  for (std::size_t i = 0; i < before.size(); ++i)
    found.object(std::move(before[i]), std::move(after[i]));
  return std::move(found.events);
}

std::string event_line(const Event& event, const EventStyle& style) {
  std::string line =
      fmt::format("{} {} {}", word(event.action), event.object.type, event.object.identity);
  if (event.action != EventAction::destroy) {
    for (const EventValue& value : event.object.values) {
      if (!shown(value, event, style)) continue;
      const bool with_old = style.diff && event.before && value.kind == state_value;
      line += values_text(value, with_old ? &*event.before : nullptr);
    }
  }
  return line + "\n";
}

std::string helper_line(const ResourceStatus& resource, const VolumeStatus* volume,
                        std::string_view handler, std::optional<std::int32_t> status) {
  std::string line =
      fmt::format("{} helper {}", status ? "response" : "call", connection_identity(resource));
  if (volume != nullptr) line += fmt::format(" volume:{} minor:{}", volume->volume, volume->minor);
  line += fmt::format(" helper:{}", one_word(handler));
  if (status) line += fmt::format(" status:{}", *status);
  return line + "\n";
}

}  // namespace replicator::control
