// ha.cf: what heartbeat's configuration file says. A directive takes effect where it stands, so
// udpport counts for the media after it. Heartbeat's texts are kept, with the place in front.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ha/membership/diagnostic.hpp"
#include "ha/words.hpp"
#include "io/address.hpp"

namespace ha::membership {

enum class MediumKind : std::uint8_t { unicast, broadcast, multicast };

// One line (or one interface of it) that carries messages between nodes.
struct Medium {
  MediumKind kind = MediumKind::broadcast;
  std::string interface;                // the name of the link as well
  replicator::io::Address destination;  // the peer, or the group; broadcast: none
  std::uint16_t port = 0;
  std::uint8_t ttl = 1;  // multicast
  bool loop = false;     // multicast
  std::uint32_t line = 0;

  bool operator==(const Medium&) const = default;
};

// A pseudo node that answers pings; it is there while any of the addresses answers.
struct PingNode {
  std::string name;
  std::vector<replicator::io::Address> addresses;
  bool group = false;
};

enum class AutoFailback : std::uint8_t { legacy, on, off };

struct RespawnedProgram {
  std::string user;
  std::string command;
  std::uint32_t line = 0;
};

// "stonith_host HOST TYPE …", or "stonith TYPE FILE" for all.
struct StonithLine {
  bool host = false;
  std::string text;
};

struct HaCf {
  std::vector<std::string> nodes;
  std::vector<Medium> media;
  std::vector<PingNode> ping_nodes;
  Duration keepalive = Duration::seconds(1);
  Duration warntime;
  Duration deadtime = Duration::seconds(30);
  Duration initdead;
  Duration deadping;
  // "lease TIME [STOP]": how long a node goes on unconfirmed, and how long it may take to stop;
  // zero: none. "watchdog DEVICE" and "watchdog_timeout TIME".
  Duration lease;
  Duration lease_stop;
  std::string watchdog;
  Duration watchdog_timeout;
  std::uint32_t hopfudge = 1;
  std::uint32_t max_rexmit_delay_ms = 250;
  AutoFailback auto_failback = AutoFailback::legacy;
  bool pacemaker = false;
  bool log_bad_packets = true;
  bool realtime = true;
  std::uint32_t realtime_priority = 1;
  bool generation_from_time = false;
  bool uuid_from_name = false;
  std::string log_facility;
  std::string log_file;
  std::string debug_file;
  std::uint32_t debug = 0;
  std::vector<RespawnedProgram> respawn;
  bool ipfail = false;  // a respawn line asks for the program of that name
  std::vector<StonithLine> stonith_lines;
  // Every directive with its value as written, the last one of each.
  std::map<std::string, std::string> as_written;
};

struct HaCfFile {
  HaCf config;
  Diagnostics diagnostics;
};

// `own_node` is `uname -n`. Everything is read, and all that is wrong with it is listed.
HaCfFile parse_ha_cf(std::string_view file, std::string_view path, std::string_view own_node);

// "2", "0.5", "500ms", "1500msec", "250us": nothing when it is not a time.
bool parse_time(std::string_view text, Duration& time);

}  // namespace ha::membership
