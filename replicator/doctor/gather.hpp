// Looks at the machine without changing anything on it; only the peer's port is touched, by a
// connection that is closed at once.
#pragma once

#include <string>
#include <vector>

#include "config/resolve.hpp"
#include "control/client.hpp"
#include "doctor/facts.hpp"
#include "engine/status.hpp"

namespace replicator::doctor {

struct Question {
  std::string config_file;             // empty: the usual places
  std::vector<std::string> resources;  // none: all
};

Facts gather(const Question& question, const control::Client& client);

// Its parts.
KernelFacts gather_kernel();
ProtectionFacts gather_protection(const control::Client& client);
SystemFacts gather_system(const std::string& node);
VolumeFacts gather_volume(const std::string& resource, const config::LocalVolume& volume,
                          const VolumeStatus* running, std::uint32_t daemon_pid);
std::optional<FailoverFacts> gather_failover();

struct Endpoint {
  std::string family;  // as in drbd.conf
  std::string ip;
  std::uint16_t port = 0;
};
// Whether somebody listens, of all of them at once, within that time.
std::vector<Reach> reach(const std::vector<Endpoint>& endpoints, int patience_ms);
// Who listens where the resource would; its `port_use` and `port_owner`.
void look_for_port_owner(ResourceFacts& resource, std::uint32_t daemon_pid);

// Nothing when it can't be read; what is in proc and sys has no size.
std::string file_text(const std::string& path);

}  // namespace replicator::doctor
