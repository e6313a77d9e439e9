#include "ha/membership/membership.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "ha/membership/codec.hpp"

namespace ha::membership {

namespace {

// While a node starts, its status messages may come late.
constexpr Duration startup_slack = Duration::seconds(2);
constexpr Duration complaint_every = Duration::seconds(10);
// What a peer may say of its own deadtime.
constexpr Duration shortest_deadtime = Duration::milliseconds(50);
constexpr Duration longest_deadtime = Duration::seconds(3600);
// Every tenth message is acknowledged, as the original does.
constexpr std::uint64_t acknowledge_every = 10;
constexpr std::uint64_t largest_request = history_size;

std::string node_list(const std::vector<std::string>& nodes) {
  std::string list;
  for (const std::string& node : nodes)
    list += node + " ";
  return list;
}

}  // namespace

const char* text(NodeStatus status) noexcept {
  switch (status) {
    case NodeStatus::init: return "init";
    case NodeStatus::up: return "up";
    case NodeStatus::active: return "active";
    case NodeStatus::dead: return "dead";
    case NodeStatus::ping: return "ping";
  }
  return "";
}

Membership::Membership(MembershipConfig config, AuthKeys keys, std::function<Stamp()> stamp)
    : config_(std::move(config)), keys_(std::move(keys)), stamp_(std::move(stamp)) {}

void Membership::start(Instant now) {
  for (const std::string& node : config_.nodes) {
    if (node != config_.own_name) peers_.emplace(node, Peer(config_.links.size(), now));
  }
  for (const std::string& node : config_.ping_nodes)
    pings_.emplace(node, Peer(1, now));
  for (auto& [name, peer] : peers_)
    peer.deadtime = config_.deadtime;
  for (auto& [name, peer] : pings_)
    peer.deadtime = config_.deadping;
  last_tick_ = now;
  own_status_ = NodeStatus::up;
  log(Severity::info, fmt::format("Local status now set to: '{}'", text(own_status_)));
  send_status(now);
  check_communication(now);
}

WatchTimes Membership::times_of(const Peer& peer) const {
  return WatchTimes{config_.warntime, peer.deadtime, config_.initdead};
}

void Membership::log(Severity severity, std::string text) {
  effects_.log.push_back(LogLine{severity, std::move(text)});
}

void Membership::refuse(const char* kind, std::string text, Instant now) {
  Complaint& complaint = complaints_[kind];
  if (complaint.again > now) {
    ++complaint.silent;
    return;
  }
  if (complaint.silent != 0)
    text += fmt::format(" ({} more since the last such line)", complaint.silent);
  complaint = Complaint{now + complaint_every, 0};
  log(Severity::warning, std::move(text));
}

// --- Sending ---------------------------------------------------------------------------------

void Membership::add_sender(Message& message) {
  message.set("src", config_.own_name);
  message.set("srcuuid", config_.own_uuid, FieldType::binary);
}

void Membership::transmit(const Message& message) {
  effects_.packets.push_back(seal(message, keys_));
}

// Types that begin with NS_ have no number and are not repeated.
void Membership::send_unreliable(Message message) {
  add_sender(message);
  message.set("hg", hex_text(config_.generation));
  message.set("ts", hex_text(stamp_().seconds));
  message.set("ttl", std::to_string(config_.nodes.size() + config_.hopfudge));
  transmit(message);
}

bool Membership::send(Message message, Instant /*now*/) {
  add_sender(message);
  const Stamp stamp = stamp_();
  message.set("seq", hex_text(sequence_ + 1));
  message.set("hg", hex_text(config_.generation));
  message.set("ts", hex_text(stamp.seconds));
  message.set("ld", stamp.load);
  message.set("ttl", std::to_string(config_.nodes.size() + config_.hopfudge));
  std::string packet = seal(message, keys_);
  if (packet.size() > max_packet_bytes || message.fields().size() >= max_fields) return false;
  ++sequence_;
  history_.add(sequence_, std::move(message));
  effects_.packets.push_back(std::move(packet));
  return true;
}

void Membership::send_status(Instant now) {
  const Duration announced =
      communication_up_ ? config_.deadtime : config_.deadtime + startup_slack;
  Message status("status");
  status.set("st", left_ ? "dead" : text(own_status_));
  status.set("dt", hex_text(static_cast<std::uint64_t>(announced.milliseconds())));
  status.set("protocol", "1");
  if (config_.voter) status.set("voter", "1");
  if (config_.lease > Duration()) add_statement(status);
  ensure(send(std::move(status), now));
  statuses_.emplace_back(sequence_, now);
  while (statuses_.size() > 1 && statuses_.front().second + config_.deadtime < now)
    statuses_.pop_front();
  next_status_ = now + config_.keepalive;
}

void Membership::leave(Instant now) {
  left_ = true;
  Message goodbye("shutdone");
  goodbye.set("st", text(NodeStatus::dead));
  send(std::move(goodbye), now);
}

void Membership::begin_generation(std::uint64_t generation, Instant now) {
  ensure(generation > config_.generation);
  config_.generation = generation;
  history_.clear();
  statuses_.clear();
  sequence_ = 0;
  own_status_ = NodeStatus::up;
  communication_up_ = false;
  send_status(now);
  check_communication(now);
}

// --- Receiving -------------------------------------------------------------------------------

void Membership::receive(std::size_t link, std::string_view packet, Instant now) {
  ensure(link < config_.links.size());
  const Result<Message> opened = open(packet, keys_);
  if (!opened) {
    const bool forged = opened.error().fault() == Fault::authentication;
    if (!config_.log_bad_packets) return;
    return refuse(forged ? "authentication" : "malformed",
                  fmt::format("packet on {} dropped: {} [{}]", config_.links[link],
                              forged ? "failed authentication" : "not a heartbeat message",
                              opened.error().where()),
                  now);
  }
  const Message& message = *opened;
  const std::string name = lower_case(message.text("src"));
  if (name == config_.own_name) return;
  const auto found = peers_.find(name);
  if (found == peers_.end()) {
    return refuse("node", fmt::format("bad node [{}] in message", name.substr(0, 64)), now);
  }
  Peer& peer = found->second;
  const bool known = peer.receiver.knows_generation();
  const std::uint64_t generation = peer.receiver.generation();
  const Admission admission = admit(peer, name, message, link, now);
  if (admission == Admission::refused) return;
  if (admission == Admission::control) {
    control(peer, name, message, now);
  } else if (admission != Admission::filling) {
    const bool same_life = known && generation == peer.receiver.generation() && !peer.left;
    if (admission == Admission::newest && message.type() == "status") read_statement(peer, message);
    note_heard(peer, name, link, admission == Admission::newest, same_life, now);
  }
  hand_on(peer, name, now);
  check_communication(now);
}

bool Membership::right_generation(const Peer& peer, const std::string& name,
                                  std::uint64_t generation, Instant now) {
  if (!peer.receiver.knows_generation() || generation >= peer.receiver.generation()) return true;
  refuse("replay",
         fmt::format("attempted replay attack [{}]? [gen = {}, curgen = {}]", name, generation,
                     peer.receiver.generation()),
         now);
  return false;
}

// Is it new? Messages without a number can be replayed at will, so they say nothing about who is
// there; and over each link the numbers must rise.
Membership::Admission Membership::admit(Peer& peer, const std::string& name, const Message& message,
                                        std::size_t link, Instant now) {
  const auto generation = message.number("hg", 16);
  const bool counted = !message.type().starts_with("NS_");
  const auto sequence = message.number("seq", 16);
  if (!generation || message.type().empty() || (counted && (!sequence || *sequence == 0))) {
    refuse("fields", fmt::format("message from {} without type, generation or number", name), now);
    return Admission::refused;
  }
  if (!right_generation(peer, name, *generation, now)) return Admission::refused;
  if (!counted) {
    const bool current =
        peer.receiver.knows_generation() && *generation == peer.receiver.generation();
    return current ? Admission::control : Admission::refused;
  }
  const Receiver::Verdict verdict =
      peer.receiver.accept(*generation, *sequence, message, now, config_.request_delay);
  if (verdict == Receiver::Verdict::restarted) restarted(peer, name);
  if (verdict == Receiver::Verdict::duplicate && *sequence + history_size < peer.highest) {
    refuse("replay",
           fmt::format("attempted replay attack [{}]? [seq = {}, curseq = {}]", name, *sequence,
                       peer.highest),
           now);
    return Admission::refused;
  }
  if (*sequence <= peer.highest_of_link[link]) return Admission::filling;
  peer.highest_of_link[link] = *sequence;
  if (*sequence <= peer.highest) return Admission::copy;
  peer.highest = *sequence;
  return Admission::newest;
}

void Membership::restarted(Peer& peer, const std::string& name) {
  log(Severity::info, fmt::format("Heartbeat restart on node {}", name));
  peer.left = false;
  peer.acknowledged = 0;
  peer.highest = 0;
  peer.highest_of_link.assign(config_.links.size(), 0);
  peer.status = NodeStatus::init;
  peer.statement = {};
  peer.deaf = false;
  event(Event{EventKind::node_restarted, name, "", NodeStatus::init});
}

void Membership::note_heard(Peer& peer, const std::string& name, std::size_t link, bool newest,
                            bool same_life, Instant now) {
  const NodeWatch::Heard heard = peer.watch.heard(link, newest, now, times_of(peer));
  if (heard.late && !heard.was_dead && same_life) {
    log(Severity::warning,
        fmt::format("Late heartbeat: Node {}: interval {} ms{}", name, heard.late->milliseconds(),
                    *heard.late > peer.deadtime ? " (> deadtime)" : ""));
  }
  if (heard.link_came_up) {
    log(Severity::info, fmt::format("Link {}:{} up.", name, config_.links[link]));
    event(Event{EventKind::link_up, name, config_.links[link]});
  }
  const bool was_deaf = peer.deaf;
  note_deafness(peer, name);
  if (heard.was_dead && !heard.first && same_life && !was_deaf && !peer.deaf) {
    log(Severity::warning, fmt::format("Cluster node {} returning after partition.", name));
    log(Severity::info, "Both sides release their resources and start again.");
    peer.status = NodeStatus::init;
    event(Event{EventKind::returned, name});
  }
}

void Membership::control(Peer& peer, const std::string& name, const Message& message, Instant now) {
  const std::string_view type = message.type();
  if (message.text("dest") != config_.own_name) return;
  if (type == "NS_rexmit") return resend(message);
  if (type != "NS_nak_rexmit") return;
  const auto first = message.number("firstseq", 16);
  if (!first) return;
  if (const auto lost = peer.receiver.give_up(*first, now)) {
    log(Severity::error, fmt::format("{} lost packet(s) for [{}] [{}:{}] can't be had any more",
                                     lost->last - lost->first + 1, name, lost->first, lost->last));
  }
}

void Membership::resend(const Message& request) {
  const auto first = request.number("firstseq", 10);
  const auto last = request.number("lastseq", 10);
  if (!first || !last || *first == 0 || *last < *first || *last - *first >= largest_request) return;
  for (std::uint64_t number = *first; number <= *last; ++number) {
    if (const Message* sent = history_.find(number)) {
      transmit(*sent);
    } else if (number <= sequence_) {
      Message sorry("NS_nak_rexmit");
      sorry.set("firstseq", hex_text(number));
      sorry.set("dest", request.text("src"));
      sorry.set("info", "seqno not found");
      send_unreliable(std::move(sorry));
    }
  }
}

void Membership::hand_on(Peer& peer, const std::string& name, Instant now) {
  for (Message& message : peer.receiver.take_ready())
    take_message(peer, name, std::move(message));
  if (peer.missed != 0 && !peer.receiver.missing()) {
    peer.missed = 0;
    log(Severity::info, fmt::format("No pkts missing from {}!", name));
  }
  acknowledge(peer, name);
  ask_again(peer, name, now);
}

void Membership::take_message(Peer& peer, const std::string& name, Message message) {
  const std::string_view type = message.type();
  if (type == "status") return take_status(peer, name, message);
  if (type == "reqnodes") {
    Message answer("repnodes");
    answer.set("dest", name).set("nodelist", node_list(config_.nodes)).set("delnodelist", "");
    send(std::move(answer), last_tick_);
    return;
  }
  if (type == "shutdone") {
    log(Severity::info, fmt::format("Received shutdown notice from '{}'.", name));
    peer.left = true;
  }
  // As if it were not heard: it will not hear the answer.
  if (peer.deaf && type != "shutdone") return;
  effects_.messages.push_back(std::move(message));
}

void Membership::take_status(Peer& peer, const std::string& name, const Message& message) {
  if (const auto announced = message.number("dt", 16); announced && *announced < 3600000) {
    const Duration deadtime = Duration::milliseconds(static_cast<std::int64_t>(*announced));
    peer.deadtime = std::clamp(deadtime, shortest_deadtime, longest_deadtime);
  }
  peer.voter = message.text("voter") == "1";
  for (const NodeStatus status :
       {NodeStatus::init, NodeStatus::up, NodeStatus::active, NodeStatus::dead}) {
    if (message.text("st") != text(status) || status == peer.status) continue;
    peer.status = status;
    log(Severity::info, fmt::format("Status update for node {}: status {}", name, text(status)));
    event(Event{EventKind::node_status, name, "", status});
  }
}

// The sender may forget what everybody has.
void Membership::acknowledge(Peer& peer, const std::string& name) {
  const std::uint64_t complete = peer.receiver.complete_up_to();
  if (!peer.receiver.knows_generation() || complete < peer.acknowledged + acknowledge_every) return;
  peer.acknowledged = complete;
  Message acknowledgement("NS_ackmsg");
  acknowledgement.set("dest", name).set("ackseq", hex_text(complete));
  send_unreliable(std::move(acknowledgement));
}

void Membership::ask_again(Peer& peer, const std::string& name, Instant now) {
  if (const auto lost = peer.receiver.give_up_late(now)) {
    log(Severity::error, fmt::format("{} lost packet(s) for [{}] [{}:{}] were asked for in vain",
                                     lost->last - lost->first + 1, name, lost->first, lost->last));
    for (Message& message : peer.receiver.take_ready())
      take_message(peer, name, std::move(message));
  }
  const auto range = peer.receiver.due_request(now);
  if (!range) return;
  if (peer.missed != range->first) {
    peer.missed = range->first;
    log(Severity::warning,
        fmt::format("{} lost packet(s) for [{}] [{}:{}]", range->last - range->first + 1, name,
                    range->first - 1, range->last + 1));
  }
  Message request("NS_rexmit");
  request.set("dest", name);
  request.set("firstseq", std::to_string(range->first));
  request.set("lastseq", std::to_string(range->last));
  send_unreliable(std::move(request));
}

// --- Time ------------------------------------------------------------------------------------

void Membership::tick(Instant now) {
  forgive_pause(now);
  last_tick_ = now;
  if (now >= next_status_) send_status(now);
  for (auto& [name, peer] : peers_) {
    ask_again(peer, name, now);
    expire(peer, name, now);
  }
  for (auto& [name, ping] : pings_)
    expire(ping, name, now);
  check_communication(now);
}

// A program that did not run did not hear either. What was silent while it stood still gets that
// time back; and if it stood still for so long that the others have declared it dead, it must not
// go on as if nothing had happened.
void Membership::forgive_pause(Instant now) {
  const Instant expected = std::max(last_tick_, std::min(next_status_, next_tick()));
  const Duration pause = now - expected;
  if (pause <= config_.keepalive) return;
  for (auto& [name, peer] : peers_)
    peer.watch.forgive(pause);
  for (auto& [name, ping] : pings_)
    ping.watch.forgive(pause);
  if (pause > config_.warntime) {
    log(Severity::warning,
        fmt::format("This node was not running for {} ms{}", pause.milliseconds(),
                    pause >= config_.deadtime ? " (> deadtime)" : ""));
  }
  if (pause >= config_.deadtime) event(Event{EventKind::was_paused, config_.own_name});
}

void Membership::expire(Peer& peer, const std::string& name, Instant now) {
  const bool ping = pings_.contains(name);
  const NodeWatch::Expired expired = peer.watch.tick(now, times_of(peer));
  for (const std::size_t link : expired.links_died) {
    const std::string& link_name = ping ? name : config_.links[link];
    if (!peer.left) log(Severity::info, fmt::format("Link {}:{} dead.", name, link_name));
    event(Event{EventKind::link_dead, name, link_name});
  }
  if (expired.node_died && !peer.deaf) die(peer, name);
}

void Membership::die(Peer& peer, const std::string& name) {
  peer.status = NodeStatus::dead;
  peer.receiver.forget_missing();
  log(peer.left ? Severity::info : Severity::warning, fmt::format("node {}: is dead", name));
  event(Event{EventKind::node_died, name, "", NodeStatus::dead, peer.left});
}

Instant Membership::next_tick() const noexcept {
  Instant first = next_status_;
  for (const auto& [name, peer] : peers_) {
    first = std::min(first, peer.watch.deadline(times_of(peer)));
    first = std::min(first, peer.receiver.deadline());
  }
  for (const auto& [name, ping] : pings_)
    first = std::min(first, ping.watch.deadline(times_of(ping)));
  return first;
}

void Membership::ping_answered(std::size_t ping_node, Instant now) {
  ensure(ping_node < config_.ping_nodes.size());
  const std::string& name = config_.ping_nodes[ping_node];
  Peer& ping = pings_.find(name)->second;
  const bool gap = !ping.watch.ever_heard() || ping.watch.heard_at() + config_.lease / 2 < now;
  if (gap) ping.answers_since = now;
  const NodeWatch::Heard heard = ping.watch.heard(0, true, now, times_of(ping));
  if (!heard.link_came_up) return;
  ping.status = NodeStatus::ping;
  log(Severity::info, fmt::format("Link {}:{} up.", name, name));
  log(Severity::info, fmt::format("Status update for node {}: status ping", name));
  event(Event{EventKind::node_status, name, "", NodeStatus::ping});
}

void Membership::check_communication(Instant now) {
  if (communication_up_) return;
  for (const auto& [name, peer] : peers_) {
    if (peer.watch.liveness() == Liveness::unheard) return;
  }
  communication_up_ = true;
  log(Severity::info, "Comm_now_up(): updating status to active");
  own_status_ = NodeStatus::active;
  log(Severity::info, fmt::format("Local status now set to: '{}'", text(own_status_)));
  send_status(now);
  event(Event{EventKind::communication_up, config_.own_name});
}

// --- Views -----------------------------------------------------------------------------------

Effects Membership::take_effects() { return std::exchange(effects_, {}); }

Result<NodeStatus> Membership::status(std::string_view node) const {
  if (node == config_.own_name) return own_status_;
  auto found = peers_.find(node);
  if (found == peers_.end()) {
    found = pings_.find(node);
    if (found == pings_.end()) return failure(Fault::not_found, "node");
  }
  const Peer& peer = found->second;
  if (peer.watch.liveness() == Liveness::dead || peer.deaf) return NodeStatus::dead;
  return peer.status;
}

Result<bool> Membership::link_up(std::string_view node, std::string_view link) const {
  if (const auto ping = pings_.find(node); ping != pings_.end() && node == link) {
    return ping->second.watch.link_up(0);
  }
  const auto found = peers_.find(node);
  const auto index = std::find(config_.links.begin(), config_.links.end(), link);
  if (index == config_.links.end() || (found == peers_.end() && node != config_.own_name)) {
    return failure(Fault::not_found, "link");
  }
  if (found == peers_.end()) return true;
  return found->second.watch.link_up(static_cast<std::size_t>(index - config_.links.begin()));
}

bool Membership::ever_heard(std::string_view node) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && found->second.watch.ever_heard();
}

bool Membership::is_voter(std::string_view node) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && found->second.voter;
}

bool Membership::no_partner() const {
  return std::all_of(peers_.begin(), peers_.end(), [](const auto& peer) {
    return peer.second.voter || peer.second.left || peer.second.deaf ||
           peer.second.watch.liveness() == Liveness::dead;
  });
}

std::vector<std::string> Membership::present() const {
  std::vector<std::string> nodes{config_.own_name};
  for (const auto& [name, peer] : peers_) {
    if (peer.watch.liveness() == Liveness::alive && !peer.left && !peer.deaf) nodes.push_back(name);
  }
  return nodes;
}

std::size_t Membership::ping_nodes_alive() const {
  return static_cast<std::size_t>(std::count_if(pings_.begin(), pings_.end(), [](const auto& ping) {
    return ping.second.watch.liveness() == Liveness::alive;
  }));
}

}  // namespace ha::membership
