// Fence devices: which there are, whom each can reach, in which order they are tried, and how each
// is called. Pure functions of the configuration.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ha/executor/script.hpp"
#include "ha/policy/cluster.hpp"

namespace ha::fencing {

using policy::Attributes;

struct Device {
  std::string id;
  std::string type;       // fence_ipmilan, external/ssh, meatware, null
  Attributes parameters;  // what the device is told
  Attributes options;     // pcmk_…: how it is used
  int priority = 0;
};

// Of a CIB, as far as they are not switched off.
[[nodiscard]] std::vector<Device> devices_of(const policy::Cluster& cluster);

enum class Reach { yes, no, ask };  // ask: the device knows (its action "list")
[[nodiscard]] Reach reach(const Device& device, const std::string& target);
[[nodiscard]] bool lists(std::string_view output, const std::string& port);
// What the device calls the node.
[[nodiscard]] std::string port_of(const Device& device, const std::string& target);

// Levels of the configured topology for that node; each is tried when the one before failed, and
// all devices of one have to succeed. None: devices that reach the node, one by one.
using Level = std::vector<std::string>;
[[nodiscard]] std::vector<Level> levels_of(const policy::Cluster& cluster,
                                           const std::string& target);

// pcmk_delay_base, also in the form "node1:5;node2:0"; and what pcmk_delay_max may add.
struct Delay {
  std::int64_t base = 0;  // milliseconds
  std::int64_t spread = 0;
};
[[nodiscard]] Delay delay_of(const Device& device, const std::string& target);
[[nodiscard]] std::int64_t timeout_of(const Device& device, const std::string& action,
                                      std::int64_t usual);
[[nodiscard]] int attempts_of(const Device& device, const std::string& action);

struct Folders {
  std::vector<std::string> agents{"/usr/sbin", "/usr/local/sbin"};
  std::vector<std::string> plugins{"/usr/lib/stonith/plugins/external"};
  std::string path = "/usr/local/sbin:/usr/local/bin:/sbin:/usr/sbin:/bin:/usr/bin";
};
// Actions: reboot, off, on, status, monitor, list. The target may be empty for the last two.
// Nothing: there is no such device here, or it is one without a program (null, meatware).
[[nodiscard]] std::optional<executor::ScriptCall> fence_call(const Device& device,
                                                             const std::string& action,
                                                             const std::string& target,
                                                             const Folders& folders,
                                                             bool (*exists)(const std::string&));

// "stonith_host HOST TYPE WORD…" of ha.cf for this node; `names`: what the plugin calls its
// parameters, in order. The last one takes what is left of the line.
struct HostLine {
  std::string host;  // who may use it; "*": everybody
  std::string type;
  std::vector<std::string> words;
};
[[nodiscard]] std::optional<HostLine> host_line(const std::string& line);
[[nodiscard]] Device device_of(const HostLine& line, const std::vector<std::string>& names);

}  // namespace ha::fencing
