// The lines of `drbdsetup events2` (docs/operations.md#events2): what there is to say about each
// object of a resource, and what is different between two looks at it. Pure.
//   The identifying keys come first and are in every line; a value is one word.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/status.hpp"

namespace replicator::control {

struct EventStyle {
  bool statistics = false;  // behind the values of every line
  bool full = false;        // statistics, and all values in lines about changes as well
  bool diff = false;        // changed values as OLD->NEW

  bool operator==(const EventStyle&) const = default;
};

struct EventValue {
  // Only the first makes an event. Progress is in every line while there is any.
  enum class Kind : std::uint8_t { state, progress, statistic };
  std::string_view key;  // a literal
  std::string value;
  Kind kind = Kind::state;

  bool operator==(const EventValue&) const = default;
};

// A resource, connection, device, peer-device or path.
struct EventObject {
  std::string_view type;
  std::string identity;  // "name:r0 volume:0 minor:0"
  std::vector<EventValue> values;

  bool operator==(const EventObject&) const = default;
};

enum class EventAction : std::uint8_t { exists, create, change, destroy };

struct Event {
  EventAction action = EventAction::exists;
  EventObject object;
  std::optional<EventObject> before;  // of a change
};

// All objects as they are, with action `exists`.
std::vector<Event> events_of(const ResourceStatus& resource);
// From one look to the next. Null: the resource was not there, or is gone.
std::vector<Event> events_between(const ResourceStatus* before, const ResourceStatus* after);
// The same when only this volume can have changed; `known`, which has it, is brought up to date.
std::vector<Event> events_of_volume(ResourceStatus& known, const VolumeStatus& volume);

// With its newline.
std::string event_line(const Event& event, const EventStyle& style);
// `status`: a wait status when the handler has ended; `volume`: null when it is about the resource.
std::string helper_line(const ResourceStatus& resource, const VolumeStatus* volume,
                        std::string_view handler, std::optional<std::int32_t> status);
inline constexpr std::string_view end_of_dump = "exists -\n";

// Whether a promotion would succeed as far as this node knows, and how well it would be served.
struct Promotion {
  bool possible = false;
  std::uint32_t score = 0;
};
Promotion promotion(const ResourceStatus& resource) noexcept;

}  // namespace replicator::control
