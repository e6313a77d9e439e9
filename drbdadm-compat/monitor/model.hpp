// What drbdmon knows: the objects of `drbdsetup events2 --statistics`, kept up to date line by
// line. Pure. A line that says nothing sensible changes nothing.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace replicator::monitor {

using Values = std::map<std::string, std::string, std::less<>>;

struct Connection {
  Values values;
  std::map<unsigned, Values> volumes;  // the peer's side of them
  Values path;
};

struct Resource {
  Values values;
  std::map<unsigned, Values> volumes;
  std::map<std::string, Connection, std::less<>> connections;
};

struct RecentEvent {
  std::string time;
  std::string text;

  bool operator==(const RecentEvent&) const = default;
};

struct Model {
  static constexpr std::size_t remembered_events = 200;

  std::string node;
  std::map<std::string, Resource, std::less<>> resources;
  std::deque<RecentEvent> events;  // the youngest last
  bool complete = false;           // a whole dump has been seen since the daemon answered
  std::string trouble;             // why there is nothing to show, when there is a reason
};

// `time` is what the event is noted with.
Model with_line(Model model, std::string_view line, std::string_view time);
// The daemon does not answer: what it said is no longer known to be true.
Model without_daemon(Model model, std::string_view trouble, std::string_view time);

// The value, or `otherwise`.
std::string_view value_of(const Values& values, std::string_view key,
                          std::string_view otherwise = "");
// A whole number; 0 when there is none.
unsigned long long number_of(const Values& values, std::string_view key);

// How well something is, the worst last.
enum class Health : unsigned char { good, busy, bad };
// One volume of a resource, with the words that are shown; `peer` may be null: no connection.
struct VolumeWords {
  std::string disk;
  std::string peer_disk;
  std::string replication;  // "Established", "SyncSource", …; "Off" without a connection
  Health health = Health::bad;
};
struct ResourceWords {
  std::string role;
  std::string peer_role;
  std::string connection;  // "StandAlone" when there is no connection
  std::string suspended;   // "no", or why
  Health health = Health::bad;
};
VolumeWords words_of(const Resource& resource, unsigned volume);
ResourceWords words_of(const Resource& resource);
// The peer's side of a volume; null when there is none.
const Values* peer_of(const Resource& resource, unsigned volume);
bool in_progress(const Model& model);

}  // namespace replicator::monitor
