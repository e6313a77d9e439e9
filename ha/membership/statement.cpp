// What nodes with a lease say with each heartbeat, and what follows from it for the membership.
#include <fmt/format.h>

#include <algorithm>

#include "ha/membership/codec.hpp"
#include "ha/membership/membership.hpp"

namespace ha::membership {

namespace {

std::string list_of(const std::set<std::string>& names) {
  std::string list;
  for (const std::string& name : names)
    list += (list.empty() ? "" : " ") + name;
  return list;
}

// Calls with each word.
template <class Function>
void each_word(std::string_view text, const Function& function) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end != 0) function(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::set<std::string> names_of(std::string_view text) {
  std::set<std::string> names;
  each_word(text, [&](std::string_view word) { names.insert(lower_case(word)); });
  return names;
}

}  // namespace

void Membership::say(Statement statement, Instant now) {
  statement.lost.clear();
  if (statement == statement_) return;
  statement_ = std::move(statement);
  if (own_status_ != NodeStatus::init) send_status(now);
}

// NAME=GENERATION:NUMBER of the last message of each; and who is lost, held, refused.
void Membership::add_statement(Message& status) const {
  std::string heard;
  std::set<std::string> lost;
  for (const auto& [name, peer] : peers_) {
    if (peer.receiver.knows_generation() && peer.highest != 0) {
      heard += fmt::format("{}{}={}:{}", heard.empty() ? "" : " ", name,
                           hex_text(peer.receiver.generation()), hex_text(peer.highest));
    }
    if (peer.watch.liveness() == Liveness::dead && !peer.left) lost.insert(name);
  }
  status.set("heard", heard);
  if (!lost.empty()) status.set("lost", list_of(lost));
  if (statement_.holds) status.set("holds", "1");
  if (!statement_.excluded.empty()) status.set("excluded", list_of(statement_.excluded));
  if (!statement_.expired.empty()) status.set("expired", list_of(statement_.expired));
}

void Membership::read_statement(Peer& peer, const Message& status) {
  if (config_.lease <= Duration()) return;
  peer.voter = status.text("voter") == "1";
  peer.statement.holds = status.text("holds") == "1";
  peer.statement.lost = names_of(status.text("lost"));
  peer.statement.excluded = names_of(status.text("excluded"));
  peer.statement.expired = names_of(status.text("expired"));
  each_word(status.text("heard"), [&](std::string_view word) {
    const std::size_t sign = word.find('=');
    if (sign != std::string_view::npos && lower_case(word.substr(0, sign)) == config_.own_name)
      read_confirmation(peer, word.substr(sign + 1));
  });
}

// When was the last of the statuses sent that it has heard? One that is too old to be known says
// nothing that counts.
void Membership::read_confirmation(Peer& peer, std::string_view heard) {
  const std::size_t colon = heard.find(':');
  if (colon == std::string_view::npos) return;
  Message numbers("");
  numbers.set("generation", heard.substr(0, colon)).set("number", heard.substr(colon + 1));
  const auto generation = numbers.number("generation", 16);
  const auto number = numbers.number("number", 16);
  if (!generation || !number || *generation != config_.generation) return;
  for (const auto& [sequence, sent] : statuses_) {
    if (sequence > *number) break;
    peer.confirmed = std::max(peer.confirmed.value_or(sent), sent);
  }
}

// One that does not hear this node goes on without it: it is as good as dead, and the same when it
// hears again as one that was dead and is not.
void Membership::note_deafness(Peer& peer, const std::string& name) {
  const bool deaf = peer.statement.lost.contains(config_.own_name);
  if (deaf == peer.deaf) return;
  const bool knows_it = peer.status == NodeStatus::dead;
  peer.deaf = deaf;
  if (deaf && !knows_it) {
    log(Severity::warning, fmt::format("node {}: does not hear this node", name));
    die(peer, name);
  } else if (!deaf) {
    log(Severity::warning, fmt::format("Cluster node {} returning after partition.", name));
    log(Severity::info, "Both sides release their resources and start again.");
    peer.status = NodeStatus::init;
    event(Event{EventKind::returned, name});
  }
}

LeaseView Membership::lease_view() const {
  LeaseView view;
  view.own_name = config_.own_name;
  for (const auto& [name, peer] : peers_) {
    Standing& standing = view.others[name];
    standing.voter = peer.voter;
    standing.alive = peer.watch.liveness() == Liveness::alive && !peer.left;
    if (peer.watch.ever_heard()) standing.heard = peer.watch.heard_at();
    standing.confirmed = peer.confirmed;
    standing.statement = peer.statement;
  }
  for (const auto& [name, ping] : pings_) {
    if (!ping.watch.ever_heard()) continue;
    if (view.ping && *view.ping >= ping.watch.heard_at()) continue;
    view.ping = ping.watch.heard_at();
    view.ping_since = ping.answers_since;
  }
  return view;
}

}  // namespace ha::membership
