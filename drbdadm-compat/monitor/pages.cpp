#include "monitor/pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace replicator::monitor {
namespace {

double fraction_of(const Values& values, std::string_view key) {
  const std::string_view text = value_of(values, key);
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() ? number : 0;
}

std::string time_left(const Values& peer) {
  const std::string_view paused = value_of(peer, "resync-suspended", "no");
  if (paused != "no") return fmt::format("paused ({})", paused);
  if (peer.find("eta") == peer.end()) return "no end in sight";
  return duration(number_of(peer, "eta")) + " left";
}

std::vector<Line> plain(const std::vector<std::string>& texts, std::size_t width) {
  std::vector<Line> lines;
  for (const std::string& text : texts) {
    for (std::string& part : wrapped(text, width))
      lines.push_back({{std::move(part), Tone::plain}});
  }
  return lines;
}

std::vector<Line> help(std::size_t width) {
  static const std::vector<std::string> texts = {
      "up, down, k, j  choose a resource; page up, page down, home, end",
      "Enter           details: volumes, peer, counters; Enter, Esc or q goes back",
      "o               problems first, or by name",
      "p               drbdadm primary",
      "s               drbdadm secondary",
      "c               drbdadm connect",
      "d               drbdadm disconnect",
      "v               drbdadm verify",
      "i               drbdadm invalidate: this node's data is thrown away",
      "h, ?            this page",
      "q               quit",
      "",
      "A command is shown before it is run: y runs it. What it said and its exit code follow.",
      "",
      "!  not connected, suspended, or a disk that is not UpToDate",
      "%  a resync or a verify is going on",
      "role and disk: of this node / of the peer"};
  return plain(texts, width);
}

std::vector<Line> result(const View& view, std::size_t width) {
  std::vector<Line> lines = plain(view.output, width);
  if (view.output.empty()) lines.push_back({{"(it said nothing)", Tone::dim}});
  const bool good = view.exit_code == 0;
  lines.push_back({{fmt::format("exit code {}", view.exit_code), good ? Tone::good : Tone::bad}});
  return lines;
}

void add_volume(std::vector<std::string>& texts, unsigned number, const Values& values) {
  texts.push_back(fmt::format("volume {}: minor {}, {}, disk {} on {}", number,
                              value_of(values, "minor", "?"), amount(number_of(values, "size")),
                              value_of(values, "disk", "?"),
                              value_of(values, "backing_dev", "none")));
  texts.push_back(fmt::format("  read {}, written {}, al-writes {}, bm-writes {}",
                              amount(number_of(values, "read")),
                              amount(number_of(values, "written")), number_of(values, "al-writes"),
                              number_of(values, "bm-writes")));
  texts.push_back(
      fmt::format("  upper-pending {}, lower-pending {}, al-suspended {}, blocked {}",
                  number_of(values, "upper-pending"), number_of(values, "lower-pending"),
                  value_of(values, "al-suspended", "no"), value_of(values, "blocked", "no")));
}

void add_peer(std::vector<std::string>& texts, const Values& peer) {
  texts.push_back(fmt::format("  peer: disk {}, replication {}, resync-suspended {}",
                              value_of(peer, "peer-disk", "?"), value_of(peer, "replication", "?"),
                              value_of(peer, "resync-suspended", "no")));
  texts.push_back(fmt::format("  sent {}, received {}, out of sync {}, pending {}, unacked {}",
                              amount(number_of(peer, "sent")), amount(number_of(peer, "received")),
                              amount(number_of(peer, "out-of-sync")), number_of(peer, "pending"),
                              number_of(peer, "unacked")));
}

void add_connection(std::vector<std::string>& texts, const std::string& name,
                    const Connection& connection) {
  const Values& values = connection.values;
  texts.push_back(fmt::format("peer {}: {}, role {}, ap-in-flight {}, rs-in-flight {}", name,
                              value_of(values, "connection", "?"), value_of(values, "role", "?"),
                              number_of(values, "ap-in-flight"),
                              number_of(values, "rs-in-flight")));
  if (connection.path.empty()) return;
  texts.push_back(fmt::format("  path {} - {}, established: {}", value_of(connection.path, "local"),
                              value_of(connection.path, "peer"),
                              value_of(connection.path, "established", "no")));
}

std::vector<Line> details(const Model& model, const View& view, std::size_t width) {
  const auto found = model.resources.find(view.selected);
  if (found == model.resources.end()) return plain({view.selected + " is gone"}, width);
  const Resource& resource = found->second;
  const ResourceWords words = words_of(resource);
  std::vector<Line> lines =
      plain({fmt::format("role {}, suspended {}, may be promoted: {}, write-ordering {}",
                         words.role, words.suspended, value_of(resource.values, "may_promote", "?"),
                         value_of(resource.values, "write-ordering", "?"))},
            width);
  const auto add = [&](const std::vector<std::string>& texts) {
    for (Line& line : plain(texts, width))
      lines.push_back(std::move(line));
  };
  std::vector<std::string> texts;
  for (const auto& [name, connection] : resource.connections)
    add_connection(texts, name, connection);
  if (resource.connections.empty()) texts.emplace_back("no connection is configured: StandAlone");
  add(texts);
  for (const auto& [number, values] : resource.volumes) {
    texts.clear();
    add_volume(texts, number, values);
    const Values* peer = peer_of(resource, number);
    if (peer != nullptr) add_peer(texts, *peer);
    add(texts);
    if (has_progress(peer)) lines.push_back(progress_line(*peer, 2, width));
  }
  return lines;
}

}  // namespace

Tone tone_of(Health health) noexcept {
  switch (health) {
    case Health::good: return Tone::good;
    case Health::busy: return Tone::busy;
    case Health::bad: return Tone::bad;
  }
  return Tone::plain;
}

bool has_progress(const Values* peer) {
  return peer != nullptr && peer->find("done") != peer->end();
}

Line progress_line(const Values& peer, std::size_t indent, std::size_t width) {
  // Rounded down: 100 % means that nothing is left.
  const double done = std::floor(fraction_of(peer, "done") * 10) / 10;
  const std::string speed = fmt::format("{:.1f} MiB/s", fraction_of(peer, "dbdt1"));
  const std::string rest = width < narrow
                               ? fmt::format(" {:.1f}% {} {}", done, speed, time_left(peer))
                               : fmt::format(" {:5.1f}% {:>12}  {}", done, speed, time_left(peer));
  const std::size_t taken = indent + rest.size();
  const std::size_t room = width > taken ? width - taken : 0;
  const std::string picture = bar(done, std::min<std::size_t>(room, 52));
  return {{std::string(indent, ' '), Tone::plain}, {picture + rest, Tone::busy}};
}

std::size_t page_height(Size size) noexcept { return size.height > 4 ? size.height - 4 : 1; }

std::vector<Line> page_of(const Model& model, const View& view, Size size) {
  switch (view.mode) {
    case Mode::details: return details(model, view, size.width);
    case Mode::help: return help(size.width);
    case Mode::result: return result(view, size.width);
    case Mode::list:
    case Mode::confirm:
    case Mode::running: break;
  }
  return {};
}

}  // namespace replicator::monitor
