#include "doctor/gather.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "adm/tools.hpp"
#include "config/parser.hpp"
#include "config/usual_place.hpp"
#include "control/state_words.hpp"
#include "doctor/parse.hpp"

namespace replicator::doctor {

namespace {

constexpr int reach_patience_ms = 1000;

std::string line_of(const config::Message& message) {
  std::string line =
      message.place.file.empty() ? message.text : config::text(message.place) + ": " + message.text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

ConfigurationFacts judge_text(const config::Config& configuration,
                              const config::Diagnostics& diagnostics, const std::string& path,
                              bool found) {
  ConfigurationFacts facts;
  facts.path = path;
  facts.found = found;
  for (const config::Message& message : diagnostics.messages())
    (message.error ? facts.errors : facts.warnings).push_back(line_of(message));
  facts.resources = configuration.resources.size();
  for (const config::Resource& resource : configuration.resources) {
    for (const config::Host& host : resource.hosts) {
      for (const std::string& name : host.names) {
        if (std::find(facts.host_names.begin(), facts.host_names.end(), name) ==
            facts.host_names.end()) {
          facts.host_names.push_back(name);
        }
      }
    }
  }
  return facts;
}

std::string packet_filter() {
  std::string text;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
      popen("nft -j list ruleset 2> /dev/null", "re"), pclose);
  if (pipe == nullptr) return text;
  char piece[65536];
  for (std::size_t got = 0; (got = std::fread(piece, 1, sizeof piece, pipe.get())) > 0;)
    text.append(piece, got);
  return text;
}

const ResourceStatus* find(const std::vector<ResourceStatus>& all, const std::string& name) {
  for (const ResourceStatus& each : all) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

const VolumeStatus* find(const ResourceStatus* resource, std::uint32_t number) {
  if (resource == nullptr) return nullptr;
  for (const VolumeStatus& each : resource->volumes) {
    if (each.volume == number) return &each;
  }
  return nullptr;
}

struct Surroundings {
  const config::HostFacts& host;
  const std::vector<ResourceStatus>& running;
  const std::string& filter;
  std::uint32_t daemon_pid = 0;
  bool address_checked = true;
};

ResourceFacts look_at(const config::LocalResource& local, const Surroundings& around) {
  ResourceFacts facts;
  facts.name = local.name();
  facts.unusable = config::unusable_because(local);
  if (!facts.unusable.empty()) return facts;
  const ResourceStatus* const running = find(around.running, facts.name);
  facts.up = running != nullptr;
  if (running != nullptr && !running->volumes.empty())
    facts.connection = running->volumes.front().state.connection;
  facts.local_address = local.local_address->endpoint();
  facts.local_ip = local.local_address->ip;
  facts.port = static_cast<std::uint16_t>(local.local_address->port);
  facts.address_here = !config::foreign_address(local, around.host);
  facts.address_checked = around.address_checked;
  look_for_port_owner(facts, around.daemon_pid);
  facts.filter = filter_hints(around.filter, facts.port);
  facts.peer_name = local.peer_name;
  facts.peer_address = local.peer_address->endpoint();
  facts.peer_port = static_cast<std::uint16_t>(local.peer_address->port);
  for (const config::LocalVolume& volume : local.volumes) {
    facts.volumes.push_back(
        gather_volume(facts.name, volume, find(running, volume.number), around.daemon_pid));
  }
  return facts;
}

// All at once: peers that are off cost a second together, not each.
void ask_peers(std::vector<ResourceFacts>& resources,
               const std::vector<const config::LocalResource*>& locals) {
  std::vector<Endpoint> endpoints;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < resources.size(); ++i) {
    ResourceFacts& facts = resources[i];
    if (!facts.unusable.empty()) continue;
    if (facts.up && control::is_connected(facts.connection)) continue;
    const config::Address& peer = *locals[i]->peer_address;
    endpoints.push_back({peer.family, peer.ip, facts.peer_port});
    places.push_back(i);
  }
  const std::vector<Reach> answers = reach(endpoints, reach_patience_ms);
  for (std::size_t i = 0; i < places.size(); ++i)
    resources[places[i]].reach = answers[i];
}

bool is_asked(const Question& question, const std::string& name) {
  const std::vector<std::string>& names = question.resources;
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

void note_unknown(const Question& question, const config::Config& configuration, Facts& facts) {
  for (const std::string& name : question.resources) {
    if (configuration.find(name) != nullptr) continue;
    ResourceFacts unknown;
    unknown.name = name;
    unknown.unusable = "not in " + facts.configuration.path;
    facts.resources.push_back(std::move(unknown));
  }
}

}  // namespace

Facts gather(const Question& question, const control::Client& client) {
  Facts facts;
  adm::LocalTools tools({stdout, stderr}, client.socket_path());
  const config::HostFacts host = tools.host();
  facts.kernel = gather_kernel();
  facts.protection = gather_protection(client);
  facts.system = gather_system(host.node_name);
  facts.failover = gather_failover();
  const std::string path =
      question.config_file.empty() ? config::usual_place(tools.files()) : question.config_file;
  const Result<std::string> text = tools.files().read(path);
  const bool found = text || text.error().fault() != Fault::not_found;
  config::Diagnostics diagnostics;
  config::Config configuration;
  if (found) configuration = config::load(tools.files(), path, diagnostics);
  facts.configuration = judge_text(configuration, diagnostics, path, found);
  if (!found || diagnostics.failed()) return facts;
  const std::vector<config::LocalResource> all = config::resolve(configuration, host);
  const std::vector<ResourceStatus> running = tools.status();
  const std::string filter = packet_filter();
  const Surroundings around{host, running, filter, facts.protection.daemon_pid,
                            configuration.global.find("disable-ip-verification") == nullptr};
  std::vector<const config::LocalResource*> locals;
  for (const config::LocalResource& local : all) {
    if (local.ignored()) continue;
    ++facts.configuration.here;
    if (!is_asked(question, local.name())) continue;
    facts.resources.push_back(look_at(local, around));
    locals.push_back(&local);
  }
  ask_peers(facts.resources, locals);
  note_unknown(question, configuration, facts);
  return facts;
}

}  // namespace replicator::doctor
