// What the kernel and nft print, read. Pure; anything that does not parse is left out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "doctor/facts.hpp"

namespace replicator::doctor {

// Whether modules.dep or modules.builtin names a module, in any folder and packed in any way.
bool lists_module(std::string_view file, std::string_view name);

// A socket of /proc/net/tcp or tcp6 that listens.
struct Listener {
  std::string ip;  // numeric; "0.0.0.0" and "::" are all
  std::uint16_t port = 0;
  std::uint64_t inode = 0;
  bool operator==(const Listener&) const = default;
};
std::vector<Listener> parse_listeners(std::string_view file, bool six);
// Would it keep somebody else from listening there?
bool takes(const Listener& listener, std::string_view ip, std::uint16_t port);

// A ruleset as `nft -j list ruleset` prints it: what may keep new connections to a TCP port away.
// A hint: what is not understood passes for harmless.
std::vector<FilterHint> filter_hints(std::string_view ruleset, std::uint16_t port);

// "VmLck:     1234 kB" of /proc/PID/status; 0 when it is not there.
std::uint64_t locked_kib(std::string_view status);
// The process flags of /proc/PID/stat say that allocations do no I/O and are not throttled.
bool is_io_flusher(std::string_view stat);

}  // namespace replicator::doctor
