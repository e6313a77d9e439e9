#include "keeper/messages.hpp"

#include <array>

namespace replicator::shim::keeper {

namespace {

constexpr std::array<std::string_view, 3> verbs = {"keep", "fetch", "forget"};

}  // namespace

std::string text(const Message& message) {
  std::string packet(verbs[static_cast<std::size_t>(message.verb)]);
  packet += ' ';
  packet += message.name;
  if (message.verb == Message::Verb::keep) {
    packet += '\n';
    packet += message.note;
  }
  return packet;
}

std::optional<Message> parse_message(std::string_view packet) {
  if (packet.size() > packet_bytes_max) return std::nullopt;
  const std::string_view line = packet.substr(0, packet.find('\n'));
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos || blank + 1 == line.size()) return std::nullopt;
  Message message;
  std::size_t verb = 0;
  while (verb < verbs.size() && verbs[verb] != line.substr(0, blank))
    ++verb;
  if (verb == verbs.size()) return std::nullopt;
  message.verb = static_cast<Message::Verb>(verb);
  message.name = line.substr(blank + 1);
  const bool has_note = line.size() < packet.size();
  if (has_note != (message.verb == Message::Verb::keep)) return std::nullopt;
  if (has_note) message.note = packet.substr(line.size() + 1);
  return message;
}

}  // namespace replicator::shim::keeper
