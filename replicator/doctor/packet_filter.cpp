// Only what administrators usually write is understood: a base chain of policy drop that no rule
// opens for the port, and a rule that drops the port by its number.
#include <optional>

#include "control/json_values.hpp"
#include "doctor/parse.hpp"

namespace replicator::doctor {

namespace {

using control::Json;

std::string word(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Json& part(const Json& object, const char* name) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

// Nothing: it is a name that stands for a set somewhere else.
std::optional<bool> holds_port(const Json& value, std::uint16_t port) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>() == port;
  const Json& range = part(value, "range");
  if (range.is_array() && range.size() == 2 && range[0].is_number_unsigned() &&
      range[1].is_number_unsigned()) {
    return range[0].get<std::uint64_t>() <= port && port <= range[1].get<std::uint64_t>();
  }
  const Json& set = part(value, "set");
  if (!set.is_array()) return std::nullopt;
  for (const Json& each : set) {
    const std::optional<bool> held = holds_port(each, port);
    if (!held) return std::nullopt;
    if (*held) return true;
  }
  return false;
}

struct Rule {
  bool accepts = false;
  bool drops = false;
  bool other_traffic = false;      // connections that are there, loopback, another protocol
  bool has_port = false;           // matches on a port of TCP
  std::optional<bool> about_port;  // on ours
};

bool is_tcp_or_any(const Json& right) {
  return right == 6 || right.dump().find("\"tcp\"") != std::string::npos;
}

void read_match(const Json& match, std::uint16_t port, Rule& rule) {
  const Json& left = part(match, "left");
  const Json& right = part(match, "right");
  const Json& payload = part(left, "payload");
  const std::string protocol = payload.is_object() ? word(payload, "protocol") : std::string();
  const std::string field = payload.is_object() ? word(payload, "field") : std::string();
  if ((protocol == "tcp" || protocol == "th") && (field == "dport" || field == "sport")) {
    rule.has_port = true;
    rule.about_port = holds_port(right, port);
    if (rule.about_port && word(match, "op") == "!=") rule.about_port = !*rule.about_port;
  } else if (protocol == "udp" || protocol.starts_with("icmp")) {
    rule.other_traffic = true;
  } else if (field == "protocol" || field == "nexthdr") {
    if (!is_tcp_or_any(right)) rule.other_traffic = true;
  }
  const Json& meta = part(left, "meta");
  const std::string key = meta.is_object() ? word(meta, "key") : std::string();
  if (key == "l4proto" && !is_tcp_or_any(right)) rule.other_traffic = true;
  if ((key == "iifname" || key == "iif" || key == "oifname" || key == "oif") && right == "lo")
    rule.other_traffic = true;
  const Json& ct = part(left, "ct");
  if (ct.is_object() && right.dump().find("new") == std::string::npos) rule.other_traffic = true;
}

Rule read_rule(const Json& json, std::uint16_t port) {
  Rule rule;
  const Json& expressions = part(json, "expr");
  if (!expressions.is_array()) return rule;
  for (const Json& each : expressions) {
    if (!each.is_object()) continue;
    if (each.contains("accept")) rule.accepts = true;
    if (each.contains("drop") || each.contains("reject")) rule.drops = true;
    if (each.contains("match")) read_match(each["match"], port, rule);
  }
  return rule;
}

bool lets_in(const Rule& rule) {
  if (!rule.accepts || rule.other_traffic) return false;
  return !rule.has_port || rule.about_port.value_or(true);
}

bool keeps_out(const Rule& rule) {
  return rule.drops && !rule.other_traffic && rule.has_port && rule.about_port.value_or(false);
}

std::string table_of(const Json& json) { return word(json, "family") + " " + word(json, "table"); }

// Chains that jump to each other share a table.
bool table_lets_in(const Json& list, const std::string& table, std::uint16_t port) {
  for (const Json& each : list) {
    const Json& rule = part(each, "rule");
    if (rule.is_object() && table_of(rule) == table && lets_in(read_rule(rule, port))) return true;
  }
  return false;
}

}  // namespace

std::vector<FilterHint> filter_hints(std::string_view ruleset, std::uint16_t port) {
  std::vector<FilterHint> hints;
  const Json json = control::parse_json(ruleset);
  const Json& list = part(json, "nftables");
  if (!list.is_array()) return hints;
  for (const Json& each : list) {
    const Json& chain = part(each, "chain");
    if (chain.is_object()) {
      const std::string hook = word(chain, "hook");
      const bool looks = hook == "input" || hook == "output" || hook == "ingress";
      const std::string table = table_of(chain);
      if (looks && word(chain, "policy") == "drop" && !table_lets_in(list, table, port))
        hints.push_back({"table " + table + ", chain " + word(chain, "name"), true});
    }
    const Json& rule = part(each, "rule");
    if (rule.is_object() && keeps_out(read_rule(rule, port)))
      hints.push_back({"table " + table_of(rule) + ", chain " + word(rule, "chain"), false});
  }
  return hints;
}

}  // namespace replicator::doctor
