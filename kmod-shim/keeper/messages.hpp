// What a daemon says to the keeper (keeper/process.hpp), one packet each way. Pure.
//
// A keeper outlives the daemon that started it, and daemons of other versions talk to it: this is
// as it is for good. A request is "VERB NAME", and after a newline the note that goes with a
// descriptor; the answer is "ok", with the note after a newline where one was asked for, or "none",
// or "refused".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replicator::shim::keeper {

inline constexpr std::size_t packet_bytes_max = 4096;
inline constexpr std::size_t kept_max = 4096;

struct Message {
  // keep: this descriptor, in place of one with the same name. fetch: a duplicate of it; it stays
  // kept. forget: also when there is none.
  enum class Verb : std::uint8_t { keep, fetch, forget };
  Verb verb = Verb::fetch;
  std::string name;
  std::string note;
  bool operator==(const Message&) const = default;
};

std::string text(const Message& message);
// Nothing for what is no message.
std::optional<Message> parse_message(std::string_view packet);

}  // namespace replicator::shim::keeper
