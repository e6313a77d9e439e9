// A moment of the calendar, in milliseconds since 1970 (UTC). For people only: nothing is decided
// by it, because it jumps, and because two machines never quite agree about it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replicator {

class WallTime {
 public:
  constexpr WallTime() noexcept = default;
  constexpr explicit WallTime(std::uint64_t milliseconds) noexcept : ms_(milliseconds) {}
  [[nodiscard]] constexpr std::uint64_t milliseconds() const noexcept { return ms_; }
  // Zero means that nobody knows.
  [[nodiscard]] constexpr bool known() const noexcept { return ms_ != 0; }
  constexpr auto operator<=>(const WallTime&) const noexcept = default;

 private:
  std::uint64_t ms_ = 0;
};

// "2026-11-21T15:31:02.123Z", and back; nothing when it is not exactly that, or no such day.
std::string iso_text(WallTime time);
std::optional<WallTime> parse_iso(std::string_view text) noexcept;
// "2026-11-21 15:31:02 UTC", or "an unknown time".
std::string readable_text(WallTime time);

}  // namespace replicator
