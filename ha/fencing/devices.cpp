#include "ha/fencing/devices.hpp"

#include <regex.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "ha/policy/merge_sort.hpp"
#include "ha/policy/stages.hpp"

namespace ha::fencing {

namespace {

// How a device is used, beside what begins with pcmk_; the device is not told.
bool is_option(const std::string& name) {
  return name.starts_with("pcmk_") ||
         policy::any_of(name, {"priority", "stonith-timeout", "provides", "requires"});
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(separators);
    if (end != 0) words.emplace_back(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return words;
}

constexpr std::string_view blanks = " \t\n\r,;";

// "node1:port1;node2:port2"; nothing when the node is not in it.
std::optional<std::string> mapped(std::string_view map, const std::string& node) {
  for (const std::string& entry : split(map, "; \t\n")) {
    const std::size_t colon = entry.find_first_of(":=");
    if (colon != std::string::npos && policy::same(entry.substr(0, colon), node))
      return entry.substr(colon + 1);
  }
  return std::nullopt;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& each) { return policy::same(each, word); });
}

bool pattern_fits(const std::string& pattern, const std::string& text) {
  regex_t compiled;
  if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool fits = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return fits;
}

bool level_is_for(const policy::Cluster& cluster, const policy::Element& level,
                  const std::string& target) {
  if (const std::string* name = level.get("target")) return policy::same(*name, target);
  if (const std::string* pattern = level.get("target-pattern"))
    return pattern_fits(*pattern, target);
  const std::string* attribute = level.get("target-attribute");
  const policy::Node* node = policy::find_node(cluster, target);
  return attribute != nullptr && node != nullptr &&
         policy::lookup(node->attributes, *attribute) == level.value("target-value");
}

std::string renamed(const Device& device, const std::string& action) {
  return std::string(policy::lookup(device.options, "pcmk_" + action + "_action", action));
}

std::optional<executor::ScriptCall> agent_call(const Device& device, const std::string& action,
                                               const std::string& target, const Folders& folders,
                                               bool (*exists)(const std::string&)) {
  for (const std::string& folder : folders.agents) {
    const std::string path = folder + "/" + device.type;
    if (!exists(path)) continue;
    executor::ScriptCall call;
    call.path = path;
    call.environment.push_back("PATH=" + folders.path);
    for (const auto& [name, value] : device.parameters) {
      if (name != "action" && !name.starts_with("CRM_meta_") && name != "crm_feature_set")
        call.input += name + "=" + value + "\n";
    }
    call.input += "action=" + renamed(device, action) + "\n";
    if (target.empty()) return call;
    call.input += "nodename=" + target + "\n";
    const std::string_view argument = policy::lookup(device.options, "pcmk_host_argument", "port");
    const bool given =
        policy::has(device.parameters, argument) || policy::has(device.parameters, "plug");
    if (argument != "none" && !given)
      call.input += std::string(argument) + "=" + port_of(device, target) + "\n";
    return call;
  }
  return std::nullopt;
}

std::string plugin_word(const std::string& action) {
  if (action == "reboot") return "reset";
  if (action == "monitor") return "status";
  return action == "list" ? "gethosts" : action;
}

std::optional<executor::ScriptCall> plugin_call(const Device& device, const std::string& name,
                                                const std::string& action,
                                                const std::string& target, const Folders& folders,
                                                bool (*exists)(const std::string&)) {
  for (const std::string& folder : folders.plugins) {
    const std::string path = folder + "/" + name;
    if (!exists(path)) continue;
    executor::ScriptCall call;
    call.path = path;
    call.arguments.push_back(plugin_word(renamed(device, action)));
    if (!target.empty()) call.arguments.push_back(port_of(device, target));
    call.environment.push_back("PATH=" + folders.path);
    for (const auto& [parameter, value] : device.parameters)
      call.environment.push_back(parameter + "=" + value);
    return call;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Device> devices_of(const policy::Cluster& cluster) {
  std::vector<Device> devices;
  std::set<std::string> seen;
  for (const policy::Resource& resource : cluster.resource_store) {
    if (resource.kind != policy::Kind::primitive || !resource.fence_device || resource.orphan ||
        policy::is_disabled(resource) || !seen.emplace(resource.configured_id()).second) {
      continue;
    }
    Device device;
    device.id = resource.configured_id();
    device.type = resource.xml->value("type");
    for (const auto& [name, value] : policy::resource_parameters(cluster, resource, nullptr)) {
      if (is_option(name)) device.options[name] = value;
      else device.parameters[name] = value;
    }
    const auto priority = policy::parse_number(policy::lookup(device.options, "priority"));
    device.priority = static_cast<int>(priority.value_or(resource.priority));
    devices.push_back(std::move(device));
  }
  policy::merge_sort(devices,
                     [](const Device& a, const Device& b) { return b.priority - a.priority; });
  return devices;
}

Reach reach(const Device& device, const std::string& target) {
  const std::string_view check = policy::lookup(device.options, "pcmk_host_check");
  const std::string_view map = policy::lookup(device.options, "pcmk_host_map");
  std::string_view list = policy::lookup(device.options, "pcmk_host_list");
  if (check == "none") return Reach::yes;
  if (check == "dynamic-list" || check == "status") return Reach::ask;
  if (list.empty()) list = policy::lookup(device.parameters, "hostlist");
  // What has no program cannot be asked.
  const bool built_in = policy::any_of(device.type, {"null", "meatware"});
  if (built_in && map.empty() && list.empty()) return Reach::yes;
  if (map.empty() && list.empty()) return check.empty() ? Reach::ask : Reach::no;
  const bool here = mapped(map, target).has_value() || contains(split(list, blanks), target);
  return here ? Reach::yes : Reach::no;
}

bool lists(std::string_view output, const std::string& port) {
  return contains(split(output, blanks), port);
}

std::string port_of(const Device& device, const std::string& target) {
  return mapped(policy::lookup(device.options, "pcmk_host_map"), target).value_or(target);
}

std::vector<Level> levels_of(const policy::Cluster& cluster, const std::string& target) {
  std::vector<std::pair<long long, Level>> levels;
  for (const policy::Element& level : cluster.cib->section("fencing-topology").children) {
    if (level.name != "fencing-level" || !level_is_for(cluster, level, target)) continue;
    levels.emplace_back(policy::parse_number(level.value("index")).value_or(0),
                        split(level.value("devices"), blanks));
  }
  policy::merge_sort(levels, [](const auto& a, const auto& b) {
    return a.first < b.first ? -1 : (a.first > b.first ? 1 : 0);
  });
  std::vector<Level> result;
  for (auto& [index, level] : levels)
    result.push_back(std::move(level));
  return result;
}

Delay delay_of(const Device& device, const std::string& target) {
  Delay delay;
  const std::string_view base = policy::lookup(device.options, "pcmk_delay_base");
  const bool by_node = base.find(':') != base.npos;
  const std::string own = by_node ? mapped(base, target).value_or("0") : std::string(base);
  delay.base = std::max<std::int64_t>(0, policy::parse_milliseconds(own).value_or(0));
  const std::int64_t most =
      policy::parse_milliseconds(policy::lookup(device.options, "pcmk_delay_max")).value_or(0);
  delay.spread = std::max<std::int64_t>(0, most - delay.base);
  return delay;
}

std::int64_t timeout_of(const Device& device, const std::string& action, std::int64_t usual) {
  const std::string_view own = policy::lookup(device.options, "pcmk_" + action + "_timeout",
                                              policy::lookup(device.options, "stonith-timeout"));
  const std::int64_t wanted = policy::parse_milliseconds(own).value_or(usual);
  return wanted > 0 ? wanted : usual;
}

int attempts_of(const Device& device, const std::string& action) {
  const long long attempts =
      policy::parse_number(policy::lookup(device.options, "pcmk_" + action + "_retries"))
          .value_or(2);
  return static_cast<int>(std::clamp<long long>(attempts, 1, 100));
}

std::optional<executor::ScriptCall> fence_call(const Device& device, const std::string& action,
                                               const std::string& target, const Folders& folders,
                                               bool (*exists)(const std::string&)) {
  constexpr std::string_view external = "external/";
  const bool plugin = device.type.starts_with(external);
  const std::string name = plugin ? device.type.substr(external.size()) : device.type;
  if (name.find('/') != std::string::npos) return std::nullopt;
  if (device.type.starts_with("fence_")) return agent_call(device, action, target, folders, exists);
  if (plugin || device.type == "ssh")
    return plugin_call(device, name, action, target, folders, exists);
  return std::nullopt;
}

std::optional<HostLine> host_line(const std::string& line) {
  HostLine result;
  std::istringstream words(line);
  if (!(words >> result.host >> result.type)) return std::nullopt;
  for (std::string word; words >> word;)
    result.words.push_back(word);
  return result;
}

Device device_of(const HostLine& line, const std::vector<std::string>& names) {
  Device device;
  device.id = line.type;
  device.type = line.type;
  std::size_t position = 0;
  for (const std::string& word : line.words) {
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos && line.type.starts_with("fence_")) {
      const std::string name = word.substr(0, equals);
      (is_option(name) ? device.options : device.parameters)[name] = word.substr(equals + 1);
      continue;
    }
    if (names.empty()) break;
    std::string& value = device.parameters[names[std::min(position, names.size() - 1)]];
    value += (value.empty() ? "" : " ") + word;
    ++position;
  }
  return device;
}

}  // namespace ha::fencing
