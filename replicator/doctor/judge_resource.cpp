#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "control/state_words.hpp"
#include "doctor/judge.hpp"
#include "doctor/words.hpp"

namespace replicator::doctor {

namespace {

// "10.77.0.2:7789" without its port.
std::string host_of(const std::string& endpoint) { return endpoint.substr(0, endpoint.rfind(':')); }

Finding judge_address(const ResourceFacts& facts) {
  const std::string about = facts.name + " address";
  if (facts.address_here) return good(about, facts.local_address + " is on an interface here");
  if (!facts.address_checked)
    return good(about, facts.local_address + ", not checked (disable-ip-verification)");
  return fail(
      about, fmt::format("no interface here has {}", facts.local_ip),
      fmt::format("ip address add {}/24 dev INTERFACE; or correct `address`", facts.local_ip));
}

Finding judge_port(const ResourceFacts& facts) {
  const std::string about = facts.name + " port";
  switch (facts.port_use) {
    case PortUse::unused: return good(about, fmt::format("{} is free", facts.port));
    case PortUse::ours: return good(about, fmt::format("{} is our daemon's", facts.port));
    case PortUse::foreign: break;
  }
  const std::string owner = facts.port_owner.empty() ? "somebody else" : facts.port_owner;
  return fail(about, fmt::format("{} listens on {}", owner, facts.local_address),
              fmt::format("ss -ltnp sport = :{}; then end it, or take another port on both nodes",
                          facts.port));
}

std::vector<Finding> judge_filter(const ResourceFacts& facts) {
  std::vector<Finding> findings;
  for (const FilterHint& hint : facts.filter) {
    const std::string what =
        hint.by_policy ? fmt::format("{} drops what no rule accepts, and none names port {}",
                                     hint.where, facts.port)
                       : fmt::format("{} has a rule that may drop port {}", hint.where, facts.port);
    findings.push_back(warn(facts.name + " firewall", what,
                            fmt::format("nft list ruleset; let TCP port {} in, from {} only",
                                        facts.port, host_of(facts.peer_address))));
  }
  return findings;
}

Finding judge_peer(const ResourceFacts& facts) {
  const std::string about = facts.name + " peer";
  const std::string& address = facts.peer_address;
  const std::string& name = facts.peer_name;
  if (facts.up && control::is_connected(facts.connection))
    return good(about, fmt::format("connected with {} ({})", name, address));
  const std::string explain = facts.up ? fmt::format("pollux explain {}", facts.name)
                                       : fmt::format("drbdadm up {}", facts.name);
  switch (facts.reach) {
    case Reach::not_tried: return warn(about, "not asked", explain);
    case Reach::reached:
      return warn(about,
                  fmt::format("{} listens at {}, and {}", name, address,
                              facts.up ? "there is no connection" : "this node is not up"),
                  explain);
    case Reach::refused:
      return warn(about, fmt::format("{} answers, but nobody listens at {}", name, address),
                  fmt::format("on {}: drbdadm up {}, or pollux doctor", name, facts.name));
    case Reach::silent:
      return warn(
          about, fmt::format("nothing came back from {} within a second", address),
          fmt::format("ping {}'s address; on {}: pollux doctor, nft list ruleset", name, name));
    case Reach::unreachable: break;
  }
  return warn(about, fmt::format("there is no way to {}", address),
              fmt::format("ip route get {}", host_of(address)));
}

Finding judge_use(const std::string& about, const DiskState& disk) {
  const std::string users = disk.users.empty() ? "in use" : "in use: " + joined(disk.users);
  return fail(about, fmt::format("{} is {}", disk.path, users),
              fmt::format("umount, swapoff, vgchange -an or dmsetup remove what has it; lsblk {}",
                          disk.path));
}

std::string create_md(const VolumeFacts& facts) { return "drbdadm create-md " + facts.name; }

Finding judge_metadata(const VolumeFacts& facts, const std::string& resource) {
  const std::string about = facts.name + " meta data";
  if (!facts.metadata_problem.empty()) {
    return fail(about, facts.metadata_problem,
                fmt::format("drbdadm dump-md {0}; drbdadm check-resize {0} after a change of size",
                            facts.name));
  }
  if (!facts.metadata) {
    const std::string held =
        facts.content.empty() ? "" : fmt::format("; the disk holds: {}", facts.content);
    return fail(about, "there are none" + held,
                facts.content.empty() ? create_md(facts)
                                      : create_md(facts) + "  # back up what is on the disk first");
  }
  if (facts.agreed_kib > facts.data_kib) {
    return fail(about,
                fmt::format("the nodes agreed on {}, and the disk has room for {}",
                            size_words(facts.agreed_kib), size_words(facts.data_kib)),
                "give the disk its size back");
  }
  const std::string size = facts.agreed_kib == 0
                               ? "new, no size agreed yet"
                               : fmt::format("{} of {} in use", size_words(facts.agreed_kib),
                                             size_words(facts.data_kib));
  if (facts.unclean && !facts.attached) {
    return warn(about,
                size + (facts.crashed_primary ? "; this node crashed as Primary"
                                              : "; the activity log was not closed"),
                "drbdadm up " + resource + "  # it is replayed, and what it covers is sent again");
  }
  return good(about, size);
}

}  // namespace

Findings judge_volume(const VolumeFacts& facts, const std::string& resource) {
  const std::string about = facts.name + " disk";
  if (facts.diskless) return {good(about, "diskless on purpose")};
  Findings findings;
  bool readable = true;
  std::vector<const DiskState*> disks{&facts.disk};
  if (facts.meta_disk) disks.push_back(&*facts.meta_disk);
  for (const DiskState* disk : disks) {
    const char* const part = disk == &facts.disk ? " disk" : " meta-disk";
    if (!disk->problem.empty()) {
      readable = false;
      findings.push_back(
          fail(facts.name + part, disk->problem, "lsblk; correct `disk` or `meta-disk`"));
    } else if (disk->in_use) {
      findings.push_back(judge_use(facts.name + part, *disk));
    } else {
      findings.push_back(
          good(facts.name + part, disk->path + (facts.attached ? " is attached" : "")));
    }
  }
  if (readable) findings.push_back(judge_metadata(facts, resource));
  return findings;
}

Findings judge_resource(const ResourceFacts& facts, DaemonState daemon) {
  if (!facts.unusable.empty())
    return {fail(facts.name, facts.unusable, "drbdadm dump " + facts.name)};
  Findings findings;
  findings.push_back(judge_address(facts));
  findings.push_back(judge_port(facts));
  for (Finding& each : judge_filter(facts))
    findings.push_back(std::move(each));
  if (daemon != DaemonState::silent) findings.push_back(judge_peer(facts));
  for (const VolumeFacts& volume : facts.volumes) {
    for (Finding& each : judge_volume(volume, facts.name))
      findings.push_back(std::move(each));
  }
  return findings;
}

}  // namespace replicator::doctor
