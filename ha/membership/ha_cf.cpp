#include "ha/membership/ha_cf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "ha/membership/self_fencing.hpp"

namespace ha::membership {

namespace {

using Words = std::vector<std::string>;
namespace io = replicator::io;

constexpr std::size_t max_nodes = 100;
constexpr std::size_t max_media = 64;

template <class Number>
bool parse_number(std::string_view text, Number lowest, Number highest, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= lowest &&
         value <= highest;
}

std::optional<bool> parse_bool(std::string_view text) {
  const std::string word = lower_case(text);
  for (const char* yes : {"true", "on", "yes", "y", "1"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"false", "off", "no", "n", "0"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

// Accepted, and without effect here: they concern parts of heartbeat that this program does not
// have.
constexpr std::string_view ignored[] = {"cluster",
                                        "autojoin",
                                        "baud",
                                        "serial",
                                        "use_logd",
                                        "conn_logd_time",
                                        "syslogmsgfmt",
                                        "compression",
                                        "msgfmt",
                                        "compression_threshold",
                                        "memreserve",
                                        "coredumps",
                                        "coreroot",
                                        "env",
                                        "use_apphbd",
                                        "crm_daemon_dir",
                                        "apiauth",
                                        "traditional_compression",
                                        "failfast",
                                        "hbversion",
                                        "record_config_changes",
                                        "quorum_server",
                                        "hbaping",
                                        "rds",
                                        "record_pengine_inputs",
                                        "tipc",
                                        "mcast6",
                                        "ucast6",
                                        "enable_config_writes",
                                        "ping6",
                                        "stonith_host",
                                        "stonith",
                                        "crmd_spawns_pengine"};

class Reader {
 public:
  Reader(std::string_view path, std::string_view own_node)
      : path_(path), own_node_(lower_case(own_node)) {}

  void read(const ConfigLine& line) {
    line_ = line.number;
    const Words words = split_words(line.text, true);
    if (words.empty()) return;
    const std::string& name = words[0];
    std::string_view rest = std::string_view(line.text).substr(name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    file_.config.as_written[name] = rest;
    const Words values(words.begin() + 1, words.end());
    if (read_time(name, values) || read_flag(name, values) || read_medium(name, values)) return;
    read_other(name, values, rest);
  }

  HaCfFile finish() {
    line_ = 0;
    fill_in_times();
    check();
    return std::move(file_);
  }

 private:
  void complain(std::string text, Severity severity = Severity::error) {
    file_.diagnostics.push_back(Diagnostic{severity, path_, line_, std::move(text)});
  }
  void bad_value(const std::string& name, const Words& values) {
    complain(fmt::format("Illegal value [{}] for directive [{}] in {}", fmt::join(values, " "),
                         name, path_));
  }

  bool read_time(const std::string& name, const Words& values) {
    HaCf& config = file_.config;
    const std::pair<std::string_view, Duration*> times[] = {
        {"keepalive", &config.keepalive}, {"warntime", &config.warntime},
        {"deadtime", &config.deadtime},   {"initdead", &config.initdead},
        {"deadping", &config.deadping},   {"watchdog_timeout", &config.watchdog_timeout}};
    for (const auto& [known, place] : times) {
      if (name != known) continue;
      if (values.size() != 1 || !parse_time(values[0], *place)) bad_value(name, values);
      return true;
    }
    return false;
  }

  bool read_flag(const std::string& name, const Words& values) {
    if (name == "log_badpack" || name == "realtime") {
      const auto value = values.size() == 1 ? parse_bool(values[0]) : std::nullopt;
      bool& place = name == "realtime" ? file_.config.realtime : file_.config.log_bad_packets;
      if (value) place = *value;
      else bad_value(name, values);
      return true;
    }
    if (name == "auto_failback") {
      read_auto_failback(values);
      return true;
    }
    if (name == "nice_failback") {
      complain("nice_failback is deprecated: it means the opposite of auto_failback",
               Severity::warning);
      const auto value = values.size() == 1 ? parse_bool(values[0]) : std::nullopt;
      if (!value) bad_value(name, values);
      else file_.config.auto_failback = *value ? AutoFailback::off : AutoFailback::on;
      return true;
    }
    if (name == "crm" || name == "pacemaker") {
      read_pacemaker(name, values);
      return true;
    }
    return false;
  }

  void read_auto_failback(const Words& values) {
    const auto value = values.size() == 1 ? parse_bool(values[0]) : std::nullopt;
    if (value) file_.config.auto_failback = *value ? AutoFailback::on : AutoFailback::off;
    else if (values.size() == 1 && values[0] == "legacy")
      file_.config.auto_failback = AutoFailback::legacy;
    else bad_value("auto_failback", values);
  }

  void read_pacemaker(const std::string& name, const Words& values) {
    if (pacemaker_seen_) return complain("pacemaker/crm directive used multiple times!");
    pacemaker_seen_ = true;
    if (values.size() != 1) return bad_value(name, values);
    const auto value = parse_bool(values[0]);
    for (const char* word : {"respawn", "manual", "minimal", "2", "ccm-only"})
      file_.config.pacemaker |= values[0] == word;
    if (value) file_.config.pacemaker = *value;
    else if (!file_.config.pacemaker) bad_value(name, values);
  }

  void add_medium(Medium medium) {
    if (file_.config.media.size() >= max_media) return complain("too many media");
    medium.line = line_;
    file_.config.media.push_back(std::move(medium));
  }

  bool read_medium(const std::string& name, const Words& values) {
    if (name == "udpport") {
      if (values.size() != 1 || !parse_number<std::uint16_t>(values[0], 1, 65535, port_)) {
        bad_value(name, values);
      }
    } else if (name == "bcast" || name == "udp") {
      read_broadcast(name, values);
    } else if (name == "ucast") {
      read_unicast(values);
    } else if (name == "mcast") {
      read_multicast(values);
    } else if (name == "ping") {
      for (const std::string& value : values)
        read_ping(value, {value}, false);
      if (values.empty()) bad_value(name, values);
    } else if (name == "ping_group") {
      if (values.size() < 2) bad_value(name, values);
      else read_ping(values[0], Words(values.begin() + 1, values.end()), true);
    } else {
      return false;
    }
    return true;
  }

  void read_broadcast(const std::string& name, const Words& values) {
    if (name == "udp") complain("udp is an old name of bcast", Severity::warning);
    if (values.empty()) bad_value(name, values);
    for (const std::string& interface : values) {
      Medium medium;
      medium.interface = interface;
      medium.port = port_;
      add_medium(std::move(medium));
    }
  }

  void read_unicast(const Words& values) {
    const auto peer = values.size() == 2 ? io::parse_ipv4(values[1], port_)
                                         : Result<io::Address>(failure(Fault::malformed));
    if (!peer) return complain("ucast: interface and IPv4 address of the peer are required");
    Medium medium;
    medium.kind = MediumKind::unicast;
    medium.interface = values[0];
    medium.destination = *peer;
    medium.port = port_;
    add_medium(std::move(medium));
  }

  void read_multicast(const Words& values) {
    if (values.size() != 5) return complain("mcast: interface, group, port, ttl and loop required");
    Medium medium;
    medium.kind = MediumKind::multicast;
    medium.interface = values[0];
    if (!parse_number<std::uint16_t>(values[2], 1, 65535, medium.port)) {
      return complain(fmt::format("mcast [{}] bad port [{}]", values[0], values[2]));
    }
    const auto group = io::parse_ipv4(values[1], medium.port);
    if (!group || (group->host[0] & 0xf0U) != 0xe0U) {
      return complain(fmt::format("mcast [{}] bad mcast group [{}]", values[0], values[1]));
    }
    medium.destination = *group;
    if (!parse_number<std::uint8_t>(values[3], 0, 4, medium.ttl)) {
      return complain(fmt::format("mcast [{}] bad ttl [{}]", values[0], values[3]));
    }
    if (values[4] != "0" && values[4] != "1") {
      return complain(fmt::format("mcast [{}] bad loop [{}]", values[0], values[4]));
    }
    medium.loop = values[4] == "1";
    add_medium(std::move(medium));
  }

  void read_ping(const std::string& name, const Words& hosts, bool group) {
    PingNode node;
    node.name = lower_case(name);
    node.group = group;
    for (const std::string& host : hosts) {
      const auto address = io::parse_ipv4(host, 0);
      if (!address) return complain(fmt::format("ping: [{}] is not an IPv4 address", host));
      node.addresses.push_back(*address);
    }
    if (file_.config.ping_nodes.size() >= max_nodes) return complain("too many ping nodes");
    file_.config.ping_nodes.push_back(std::move(node));
  }

  void read_other(const std::string& name, const Words& values, std::string_view rest) {
    HaCf& config = file_.config;
    const bool one = values.size() == 1;
    if (name == "node") return read_nodes(values);
    if (name == "lease") return read_lease(values);
    if (name == "watchdog" && one) return void(config.watchdog = values[0]);
    if (name == "watchdog") return bad_value(name, values);
    if (name == "respawn") return read_respawn(rest);
    if (name == "logfile") config.log_file = rest;
    else if (name == "debugfile") config.debug_file = rest;
    else if (name == "logfacility") config.log_facility = rest;
    else if (name == "hbgenmethod" && one && (values[0] == "file" || values[0] == "time"))
      config.generation_from_time = values[0] == "time";
    else if (name == "uuidfrom" && one && (values[0] == "file" || values[0] == "nodename"))
      config.uuid_from_name = values[0] == "nodename";
    else if (name == "hbgenmethod" || name == "uuidfrom") bad_value(name, values);
    else if (name == "hopfudge") read_number(name, values, 0, 255, config.hopfudge);
    else if (name == "rtprio") read_number(name, values, 1, 99, config.realtime_priority);
    else if (name == "debug") read_number(name, values, 0, 255, config.debug);
    else if (name == "max_rexmit_delay")
      read_number(name, values, 50, 60000, config.max_rexmit_delay_ms);
    else if (std::find(std::begin(ignored), std::end(ignored), name) == std::end(ignored))
      complain(fmt::format("Illegal directive [{}] in {}", name, path_));
    else read_ignored(name, rest);
  }

  void read_number(const std::string& name, const Words& values, std::uint32_t lowest,
                   std::uint32_t highest, std::uint32_t& value) {
    if (values.size() != 1 || !parse_number(values[0], lowest, highest, value)) {
      bad_value(name, values);
    }
  }

  void read_ignored(const std::string& name, std::string_view rest) {
    if (name == "stonith" || name == "stonith_host") {
      file_.config.stonith_lines.push_back({name == "stonith_host", std::string(rest)});
    }
    for (const char* medium : {"serial", "mcast6", "ucast6", "ping6", "hbaping", "rds", "tipc"}) {
      if (name == medium) {
        complain(fmt::format("{}: this medium is not supported, the line is ignored", name),
                 Severity::warning);
      }
    }
  }

  void read_lease(const Words& values) {
    HaCf& config = file_.config;
    lease_line_ = line_;
    const bool good = (values.size() == 1 || values.size() == 2) &&
                      parse_time(values[0], config.lease) && config.lease > Duration() &&
                      (values.size() == 1 || parse_time(values[1], config.lease_stop));
    if (!good) bad_value("lease", values);
  }

  void read_nodes(const Words& values) {
    if (values.empty()) bad_value("node", values);
    std::vector<std::string>& nodes = file_.config.nodes;
    for (const std::string& value : values) {
      const std::string node = lower_case(value);
      if (std::find(nodes.begin(), nodes.end(), node) != nodes.end()) continue;
      if (nodes.size() >= max_nodes) return complain("too many nodes");
      nodes.push_back(node);
    }
  }

  void read_respawn(std::string_view rest) {
    const Words words = split_words(rest, false);
    if (words.size() < 2) return bad_value("respawn", words);
    if (words[1].substr(words[1].rfind('/') + 1) == "ipfail") {
      file_.config.ipfail = true;
      return;
    }
    RespawnedProgram program{words[0], words[1], line_};
    for (std::size_t i = 2; i < words.size(); ++i)
      program.command += " " + words[i];
    file_.config.respawn.push_back(std::move(program));
  }

  void fill_in_times() {
    HaCf& config = file_.config;
    const Duration unset;
    if (config.warntime == unset) config.warntime = config.deadtime / 2;
    if (config.deadping == unset) config.deadping = config.deadtime;
    fill_in_self_fencing(config);
    if (config.initdead != unset) return;
    if (config.deadtime > Duration::seconds(10)) config.initdead = config.deadtime;
    else if (config.deadtime < Duration::seconds(6)) config.initdead = Duration::seconds(12);
    else config.initdead = config.deadtime * 2;
  }

  void check() {
    const HaCf& config = file_.config;
    if (config.media.empty()) complain("No heartbeat media defined");
    if (config.nodes.empty()) complain("no nodes defined");
    check_own_name();
    check_times();
    line_ = lease_line_;
    for (const std::string& text : refuse_self_fencing(file_.config))
      complain(text);
    line_ = 0;
    if (config.auto_failback == AutoFailback::legacy && !config.pacemaker) {
      complain("Deprecated 'legacy' auto_failback option selected.", Severity::warning);
      complain("Please convert to 'auto_failback on'.", Severity::warning);
      complain("It is treated as 'auto_failback on'.", Severity::warning);
    }
  }

  void check_own_name() {
    const std::vector<std::string>& nodes = file_.config.nodes;
    if (std::find(nodes.begin(), nodes.end(), own_node_) != nodes.end()) return;
    complain(fmt::format("Current node [{}] not in configuration!", own_node_));
    complain(
        "By default, cluster nodes are named by `uname -n` and must be declared with a 'node' "
        "directive in the ha.cf file.",
        Severity::info);
  }

  void check_times() {
    const HaCf& config = file_.config;
    const auto ms = [](Duration duration) { return duration.milliseconds(); };
    if (config.keepalive < Duration::milliseconds(20)) complain("keepalive is below 20 ms");
    if (config.deadtime <= config.keepalive * 2) {
      complain(fmt::format("Dead time [{}] is too small compared to keeplive [{}]",
                           ms(config.deadtime), ms(config.keepalive)));
    }
    if (config.initdead < config.deadtime) {
      complain(fmt::format("Initial dead time [{}] is smaller than deadtime [{}]",
                           ms(config.initdead), ms(config.deadtime)));
    } else if (config.initdead < Duration::seconds(10)) {
      complain(fmt::format("Initial dead time [{} ms] may be too small!", ms(config.initdead)),
               Severity::warning);
      complain("Initial dead time accounts for slow network startup time", Severity::info);
      complain("It should be >= deadtime and >= 10 seconds", Severity::info);
    }
    if (config.deadping <= config.keepalive * 2) {
      complain(fmt::format("Ping dead time [{}] is too small compared to keeplive [{}]",
                           ms(config.deadping), ms(config.keepalive)));
    }
  }

  std::string path_;
  std::string own_node_;
  std::uint32_t line_ = 0;
  std::uint16_t port_ = 694;
  bool pacemaker_seen_ = false;
  std::uint32_t lease_line_ = 0;
  HaCfFile file_;
};

}  // namespace

bool parse_time(std::string_view text, Duration& time) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !(value >= 0)) return false;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  double nanoseconds = value * 1e9;
  if (unit == "ms" || unit == "msec") nanoseconds = value * 1e6;
  else if (unit == "us" || unit == "usec") nanoseconds = value * 1e3;
  else if (!unit.empty() && unit != "s" && unit != "sec") return false;
  // A day is more than anybody waits; larger numbers would not fit everywhere.
  if (nanoseconds > 86400e9) return false;
  time = Duration::nanoseconds(static_cast<std::int64_t>(nanoseconds + 0.5));
  return true;
}

HaCfFile parse_ha_cf(std::string_view file, std::string_view path, std::string_view own_node) {
  Reader reader(path, own_node);
  for (const ConfigLine& line : config_lines(file, false))
    reader.read(line);
  return reader.finish();
}

}  // namespace ha::membership
