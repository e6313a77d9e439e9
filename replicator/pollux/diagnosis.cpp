#include "pollux/diagnosis.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/decide/state_change.hpp"

namespace replicator::pollux {

namespace {

using C = ConnectionState;
using D = DiskState;

// The words of one diagnosis: who is who, and what they type.
class Scene {
 public:
  explicit Scene(const Facts& facts)
      : facts_(facts),
        resource_(facts.status.name),
        peer_(facts.status.peer_name.empty() ? "the peer" : facts.status.peer_name) {}

  [[nodiscard]] const Facts& facts() const noexcept { return facts_; }
  [[nodiscard]] const LinkReport& link() const noexcept { return facts_.explanation.link; }
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }
  [[nodiscard]] std::string peer_address() const { return io::text(facts_.status.peer.peer); }
  [[nodiscard]] Step here(const std::string& verb, std::string remark = {}) const {
    return {facts_.node, verb + " " + resource_, std::move(remark)};
  }
  [[nodiscard]] Step there(const std::string& verb, std::string remark = {}) const {
    return {host(), verb + " " + resource_, std::move(remark)};
  }
  [[nodiscard]] Step type_here(std::string command, std::string remark = {}) const {
    return {facts_.node, std::move(command), std::move(remark)};
  }
  [[nodiscard]] Step type_there(std::string command, std::string remark = {}) const {
    return {host(), std::move(command), std::move(remark)};
  }
  [[nodiscard]] std::string at() const {
    return link().time.known() ? " (" + readable_text(link().time) + ")" : std::string();
  }

 private:
  [[nodiscard]] std::string host() const {
    return facts_.status.peer_name.empty() ? "PEER" : peer_;
  }

  const Facts& facts_;
  std::string resource_;
  std::string peer_;
};

Finding problem(const char* about, const char* reason, std::string what, std::string because,
                std::vector<Step> steps) {
  return Finding{about, reason, false, std::move(what), std::move(because), std::move(steps)};
}

C connection_of(const Facts& facts) noexcept {
  return facts.status.volumes.empty() ? C::stand_alone
                                      : facts.status.volumes.front().state.connection;
}

// --- the peer is not reached ---

Finding refused(const Scene& scene) {
  const std::string what =
      fmt::format("{} answers, but nobody listens at {}", scene.peer(), scene.peer_address());
  switch (scene.link().trouble) {
    case LinkTrouble::disconnected_there:
      return problem("connection", "peer-disconnected", what,
                     "it was disconnected there by a command" + scene.at(),
                     {scene.there("drbdadm connect")});
    case LinkTrouble::secret_refused:
      return problem(
          "connection", "peer-refused-secret", what,
          fmt::format("{} went StandAlone when it had this node's answer to its "
                      "challenge{}: the shared secrets differ",
                      scene.peer(), scene.at()),
          {scene.here("drbdadm -d dump", "compare shared-secret and cram-hmac-alg"),
           scene.there("drbdadm -d dump"), scene.there("drbdadm adjust", "where it was changed"),
           scene.there("drbdadm connect")});
    case LinkTrouble::hung_up:
      return problem("connection", "peer-stand-alone", what,
                     fmt::format("{} ended the last connection {}{} and is StandAlone: it says "
                                 "why",
                                 scene.peer(), scene.link().detail, scene.at()),
                     {scene.there("pollux explain")});
    case LinkTrouble::handshake_refused:
      return problem("connection", "peer-stand-alone", what,
                     fmt::format("{}{}", scene.link().detail, scene.at()),
                     {scene.here("pollux explain split-brain")});
    default:
      return problem(
          "connection", "peer-refuses", what,
          "there it is down, or StandAlone, or no daemon runs; or a firewall rejects "
          "the port",
          {scene.there("drbdadm cstate"), scene.there("drbdadm connect", "when it says StandAlone"),
           scene.there("drbdadm up", "when it is not configured")});
  }
}

Finding no_answer(const Scene& scene) {
  const io::Address& peer = scene.facts().status.peer.peer;
  const std::string error = std::strerror(static_cast<int>(scene.link().error));
  if (scene.facts().echo == Echo::answers) {
    return problem("connection", "port-blocked",
                   fmt::format("nothing comes back from {} ({})", scene.peer_address(), error),
                   fmt::format("{} answers a ping: the machine is up, and a firewall blocks the "
                               "port",
                               io::host_text(peer)),
                   {scene.type_there("nft list ruleset"), scene.type_here("nft list ruleset"),
                    scene.type_there(fmt::format("ss -ltn sport = :{}", peer.port))});
  }
  const bool asked = scene.facts().echo == Echo::silent;
  return problem("connection", "peer-down",
                 fmt::format("{} is not reached ({})", scene.peer_address(), error),
                 fmt::format("{}: the machine is down, or the network between",
                             asked ? io::host_text(peer) + " does not answer a ping either"
                                   : std::string("nothing is known of the machine")),
                 {scene.type_here("ip route get " + io::host_text(peer)),
                  scene.type_here("ip -s link", "has the interface a carrier?")});
}

Finding not_reached(const Scene& scene) {
  const auto error = static_cast<int>(scene.link().error);
  if (error == ECONNREFUSED) return refused(scene);
  if (error == EADDRNOTAVAIL) {
    return problem("connection", "no-address",
                   fmt::format("this node does not have the address {}",
                               io::host_text(scene.facts().status.peer.local)),
                   "the configuration names it, and no interface carries it",
                   {scene.type_here("ip address"), scene.here("drbdadm -d dump")});
  }
  return no_answer(scene);
}

// --- the link came about, and did not last ---

// Both reasons why there is no handshake without an equal secret.
Finding secret(const Scene& scene, const char* reason, const std::string& because) {
  return problem("connection", reason, "the peer was reached, and they do not trust each other",
                 because,
                 {scene.here("drbdadm -d dump", "compare shared-secret and cram-hmac-alg"),
                  scene.there("drbdadm -d dump"),
                  scene.here("drbdadm adjust", "on the node where it was changed"),
                  scene.here("drbdadm connect", "where it is StandAlone")});
}

Finding by_trouble(const Scene& scene) {
  const LinkReport& link = scene.link();
  const std::string told = link.detail + scene.at();
  switch (link.trouble) {
    case LinkTrouble::secret_differs:
      return secret(scene, "secret-differs", "the shared secrets differ" + scene.at());
    case LinkTrouble::secret_refused:
      return secret(
          scene, "peer-refused-secret",
          "the peer did not like this node's answer to its challenge: the secrets differ" +
              scene.at());
    case LinkTrouble::secret_only_here:
      return secret(scene, "secret-only-here",
                    "cram-hmac-alg is set here, and the peer does not know of it" + scene.at());
    case LinkTrouble::tls:
      return problem("connection", "tls", "the peer was reached, and there is no TLS with it", told,
                     {scene.here("drbdadm -d dump", "compare the tls options and their files"),
                      scene.there("drbdadm -d dump"), scene.here("drbdadm connect")});
    case LinkTrouble::dialect:
      return problem(
          "connection", "dialect", "the peer was reached",
          "the two have no protocol version in common" + scene.at(),
          {scene.here("drbdadm -d dump", "protocol-version-max"), scene.here("drbdadm connect")});
    case LinkTrouble::not_drbd:
      return problem("connection", "not-drbd",
                     "something listens at " + scene.peer_address() + " that is not DRBD",
                     "another program has the port there" + scene.at(),
                     {scene.type_there(fmt::format("ss -ltnp sport = :{}",
                                                   scene.facts().status.peer.peer.port))});
    case LinkTrouble::disagreement:
      return problem("connection", "settings-differ", "the peer was reached, and they disagree",
                     told,
                     {scene.here("drbdadm -d dump", "compare with the peer's"),
                      scene.here("drbdadm adjust", "on the node where it was changed"),
                      scene.here("drbdadm connect")});
    case LinkTrouble::handshake_refused:
      return problem("connection", "data-differ", "the peer was reached, and their data do not fit",
                     told, {scene.here("pollux explain split-brain")});
    case LinkTrouble::no_local_address:
      return problem("connection", "no-address",
                     "this node cannot listen at " + io::text(scene.facts().status.peer.local),
                     told, {scene.type_here("ip address"), scene.here("drbdadm -d dump")});
    case LinkTrouble::hung_up:
      return problem("connection", "peer-hung-up", "the peer was reached, and ends the connection",
                     told, {scene.there("pollux explain")});
    case LinkTrouble::lost:
      return problem("connection", "lost", "the connection was lost", told, {});
    default: return problem("connection", "waiting", "waits for the peer", "", {});
  }
}

Finding stand_alone(const Scene& scene) {
  const std::vector<Step> connect{scene.here("drbdadm connect")};
  const LinkReport& link = scene.link();
  const bool by_command = link.trouble == LinkTrouble::disconnected_here;
  if (by_command || link.trouble == LinkTrouble::none) {
    return problem("connection", by_command ? "disconnected" : "not-configured",
                   "StandAlone: it does not try to connect",
                   by_command ? "a command disconnected it here" + scene.at()
                              : "nobody has connected it since it was brought up",
                   connect);
  }
  Finding finding = by_trouble(scene);
  finding.what = "StandAlone, given up: " + finding.what;
  if (finding.steps.empty()) finding.steps = connect;
  return finding;
}

Finding why_not_connected(const Scene& scene, C state) {
  if (state == C::stand_alone) return stand_alone(scene);
  if (scene.link().error != 0) return not_reached(scene);
  return by_trouble(scene);
}

Finding connection_finding(const Scene& scene) {
  const C state = connection_of(scene.facts());
  if (state >= C::connected) {
    return Finding{"connection", "connected", true, "connected with " + scene.peer(), "", {}};
  }
  Finding finding = why_not_connected(scene, state);
  if (scene.link().connected.known()) {
    finding.what += "; connected until " + readable_text(scene.link().connected);
  }
  return finding;
}

// --- disks, resync ---

Finding disk_finding(const Scene& scene, const VolumeStatus& volume) {
  const std::string about = fmt::format("disk {}", volume.volume);
  const D disk = volume.state.disk;
  const std::string what = std::string(name(disk));
  Finding finding{about, what, disk == D::up_to_date, what, "", {}};
  if (disk == D::diskless || disk == D::failed) {
    finding.because = disk == D::failed ? "it failed and is being detached"
                                        : "no backing disk is attached, or it failed";
    finding.steps = {scene.here("drbdadm attach")};
  } else if (disk == D::inconsistent && volume.state.connection < C::connected) {
    finding.because =
        "it was never in sync, or a resync onto it was broken off; only the peer has "
        "the data";
    finding.steps = {scene.here("drbdadm primary --force", "only if this is the good copy")};
  } else if (disk == D::outdated) {
    finding.because = "the peer has newer data; it is brought up to date when they connect";
  } else if (disk == D::consistent) {
    finding.because = "whether the peer has newer data is known when they connect";
  }
  return finding;
}

Finding sync_finding(const Scene& scene, const VolumeStatus& volume) {
  const std::string about = fmt::format("sync {}", volume.volume);
  const VolumeState& state = volume.state;
  const SyncProgress& progress = volume.progress;
  if (progress.active) {
    const std::uint64_t done =
        progress.total_blocks - std::min(progress.left_blocks, progress.total_blocks);
    const std::uint64_t percent =
        progress.total_blocks == 0 ? 100 : done * 100 / progress.total_blocks;
    Finding finding{about,
                    "running",
                    true,
                    fmt::format("{}, {} % done, {} KiB left", name(state.connection), percent,
                                progress.left_blocks * 4),
                    "",
                    {}};
    if (state.connection != C::paused_sync_s && state.connection != C::paused_sync_t)
      return finding;
    finding.good = false;
    finding.reason = "paused";
    if (state.sync_paused_by_user) {
      finding.because = "a command paused it here";
      finding.steps = {scene.here("drbdadm resume-sync")};
    } else if (state.sync_paused_by_peer) {
      finding.because = "it is paused on the peer, by a command or by resync-after";
      finding.steps = {scene.there("drbdadm resume-sync")};
    } else {
      finding.because = "it comes after another resource (resync-after), which is syncing";
    }
    return finding;
  }
  const std::uint64_t marked = volume.out_of_sync_kib;
  if (marked == 0) return Finding{about, "in-sync", true, "no block is marked", "", {}};
  const std::string what = fmt::format("{} KiB are marked as different", marked);
  if (state.connection < C::connected) {
    return Finding{about, "marked", false, what, "they are copied when the nodes connect", {}};
  }
  return problem(
      about.c_str(), "marked", what,
      "a verify found them, or the peer has no disk; nothing copies them now",
      {scene.type_here(fmt::format("pollux verify {} --repair", scene.facts().status.name))});
}

// --- role, I/O ---

Finding role_finding(const Scene& scene) {
  for (const PromotionReport& each : scene.facts().explanation.promotion) {
    const auto code = static_cast<StateCode>(each.code);
    if (each.code >= 1) continue;
    Finding finding{
        "role", "cannot-promote", false, "Secondary, and cannot be promoted: " + each.text, "", {}};
    if (code == StateCode::two_primaries) {
      finding.good = true;  // as it should be
      finding.what = fmt::format("Secondary; {} is Primary, and two are not allowed", scene.peer());
      finding.steps = {scene.there("drbdadm secondary", "when nobody uses it there")};
    } else if (code == StateCode::no_up_to_date_disk) {
      finding.because = fmt::format("volume {} reaches no UpToDate disk", each.volume);
    } else if (code == StateCode::primary_nop) {
      finding.because =
          "fencing is set, and the peer is not known to be outdated; the handler "
          "fence-peer is asked first";
    } else if (code == StateCode::in_transient_state) {
      finding.because = "a handshake is under way: wait for its end";
    }
    return finding;
  }
  const bool primary = scene.facts().explanation.promotion.empty();
  return Finding{"role", primary ? "primary" : "secondary",
                 true,   primary ? "Primary" : "Secondary; it could be promoted",
                 "",     {}};
}

void add_suspension(const Scene& scene, const VolumeState& state, std::vector<Finding>& findings) {
  const std::vector<Step> resume{scene.here("drbdadm resume-io")};
  if (state.suspended_by_user) {
    findings.push_back(problem("I/O", "suspended-by-user", "suspended", "by a command", resume));
  }
  if (state.suspended_no_data) {
    findings.push_back(problem("I/O", "suspended-no-data", "suspended",
                               "no good data is reached (on-no-data-accessible suspend-io)",
                               resume));
  }
  if (state.suspended_fencing) {
    findings.push_back(problem("I/O", "suspended-fencing", "suspended",
                               "until the peer is fenced or back; resume-io gives that up",
                               resume));
  }
}

}  // namespace

bool echo_would_help(const Facts& facts) noexcept {
  const std::uint32_t error = facts.explanation.link.error;
  return connection_of(facts) < C::connected && error != 0 && error != ECONNREFUSED &&
         error != EADDRNOTAVAIL;
}

std::vector<Finding> diagnose(const Facts& facts) {
  const Scene scene(facts);
  std::vector<Finding> findings;
  if (facts.status.volumes.empty()) {
    findings.push_back(problem("volumes", "none", "there is none", "", {scene.here("drbdadm up")}));
    return findings;
  }
  findings.push_back(connection_finding(scene));
  for (const VolumeStatus& volume : facts.status.volumes) {
    findings.push_back(disk_finding(scene, volume));
    findings.push_back(sync_finding(scene, volume));
  }
  findings.push_back(role_finding(scene));
  add_suspension(scene, facts.status.volumes.front().state, findings);
  return findings;
}

}  // namespace replicator::pollux
