// What is known of why a resource is not connected, and whether it could be promoted, as plain
// values for `pollux explain` (docs/explain.md). Nothing is decided by it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/wall_time.hpp"

namespace replicator {

// The last thing that kept the two nodes apart, or ended their connection.
enum class LinkTrouble : std::uint8_t {
  none,
  disconnected_here,  // by a command
  disconnected_there,
  lost,              // after it had been good
  no_local_address,  // cannot listen
  not_reached,       // no attempt has succeeded; the error number says how
  hung_up,           // the peer ended it before both were through
  not_drbd,
  dialect,
  secret_differs,    // as this node sees it
  secret_refused,    // the peer ended the connection when it had our answer
  secret_only_here,  // the peer does not ask for one
  tls,
  disagreement,       // settings that must be equal are not
  handshake_refused,  // of the data: split brain, unrelated, a Primary would be overwritten
};

// In the order of the enumeration; one word each, for scripts.
inline constexpr std::array<const char*, 15> link_trouble_words = {"none",
                                                                   "disconnected-here",
                                                                   "disconnected-there",
                                                                   "lost",
                                                                   "no-address",
                                                                   "not-reached",
                                                                   "hung-up",
                                                                   "not-drbd",
                                                                   "dialect",
                                                                   "secret-differs",
                                                                   "secret-refused",
                                                                   "secret-only-here",
                                                                   "tls",
                                                                   "disagreement",
                                                                   "handshake-refused"};

[[nodiscard]] inline const char* word(LinkTrouble trouble) noexcept {
  return link_trouble_words[static_cast<std::size_t>(trouble)];
}
[[nodiscard]] inline std::optional<LinkTrouble> parse_trouble(std::string_view text) noexcept {
  for (std::size_t i = 0; i < link_trouble_words.size(); ++i) {
    if (text == link_trouble_words[i]) return static_cast<LinkTrouble>(i);
  }
  return std::nullopt;
}

struct LinkReport {
  LinkTrouble trouble = LinkTrouble::none;
  std::string detail;
  WallTime time;               // of the trouble
  std::uint32_t error = 0;     // errno of the last attempt to reach the peer; 0: none failed yet
  WallTime connected;          // the last time that it was
  std::uint32_t attempts = 0;  // to reach the peer since then

  bool operator==(const LinkReport&) const = default;
};

struct PromotionReport {
  std::uint32_t volume = 0;
  std::int32_t code = 0;  // what `primary` would answer, before the peer is asked
  std::string text;

  bool operator==(const PromotionReport&) const = default;
};

struct LogLine {
  WallTime time;
  std::string level;
  std::string text;

  bool operator==(const LogLine&) const = default;
};

struct ResourceExplanation {
  LinkReport link;
  std::vector<PromotionReport> promotion;  // empty on a Primary
  std::vector<LogLine> log;                // of this resource, oldest first

  bool operator==(const ResourceExplanation&) const = default;
};

}  // namespace replicator
